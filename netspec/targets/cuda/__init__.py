"""GPU code: kernels as Python source for numba-cuda."""
