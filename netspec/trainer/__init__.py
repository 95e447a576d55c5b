"""Training: the loop, what it measures, and what it leaves on disk."""
