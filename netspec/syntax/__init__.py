"""The syntax of specs: `parse.parse` makes a `tree.Spec` of a text, or raises all of its syntax errors."""
