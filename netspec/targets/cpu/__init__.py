"""Code for CPUs: the register tile in vector IR, and the drivers around it."""
