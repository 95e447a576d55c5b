"""Netspec beside other libraries: the same net, the same weights, each in a process of its own, timed in turns."""
