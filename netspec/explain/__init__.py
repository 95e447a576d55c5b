"""Explanations for people who learn: what a code means, what a layer does, how the numbers of a line come about."""
