"""Whole commands, in processes of their own, on real files."""
