"""The graph: what a net computes, as a value that passes rewrite and every later stage reads."""
