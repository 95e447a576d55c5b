"""Graph x Target -> Program: layouts, loops, tiles, memory."""
