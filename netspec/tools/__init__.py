"""What works on specs themselves: layout, differences, mends, conditions, projects. Loaded only by the commands that use it."""
