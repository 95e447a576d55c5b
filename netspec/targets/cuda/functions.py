"""The primitives that are more than an operator, as device functions on float32, and random numbers. Kernels import what they call.

They are inlined before types are inferred: so they compile, and a kernel that calls them, without a GPU.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false, reportMissingParameterType=false
# pyright: reportUnknownArgumentType=false, reportMissingTypeStubs=false, reportUntypedFunctionDecorator=false, reportAttributeAccessIssue=false
# pyright: reportArgumentType=false, reportOptionalCall=false, reportOptionalOperand=false

from __future__ import annotations

import math

import numpy as np
from numba import config, cuda
from numpy import float32

from netspec.kernels import random as definition
from netspec.kernels.random import GOLDEN, MASK

# The simulator runs Python, whose `math` raises an error where a GPU gives infinity or NaN, as NumPy does.
library = np if config.ENABLE_CUDASIM else math

device = cuda.jit(device=True, inline="always")
mix = device(definition.mix)


@device
def random(key, stream, position):
    """A number in [0, 1), see netspec.kernels.random. `key` is the step's: mix(mix(seed) ^ step)."""
    return float32(mix((position * GOLDEN + mix(key ^ stream)) & MASK) >> 8) * float32(2.0**-24)


@device
def maximum(a, b):
    """The first of two equal ones; NaN when the second is."""
    return a if a >= b else b


@device
def minimum(a, b):
    """The first of two equal ones; NaN when the second is."""
    return a if a <= b else b


@device
def sign(a):
    """-1, 0 or 1; NaN stays."""
    return float32(1.0) if a > float32(0.0) else float32(-1.0) if a < float32(0.0) else a


@device
def finite(a):
    """1, or 0 for infinities and NaN."""
    return float32(math.isfinite(a))


@device
def sqrt(a):
    """Square root, correctly rounded."""
    return library.sqrt(a)


@device
def exp(a):
    """e to the power of a."""
    return library.exp(a)


@device
def expm1(a):
    """exp(a) - 1, exact for small a."""
    return library.expm1(a)


@device
def log(a):
    """Natural logarithm."""
    return library.log(a)


@device
def log1p(a):
    """log(1 + a), exact for small a."""
    return library.log1p(a)


@device
def tanh(a):
    """Hyperbolic tangent."""
    return library.tanh(a)


@device
def erf(a):
    """The error function."""
    return float32(math.erf(a))


@device
def sigmoid(a):
    """1 / (1 + exp(-a)); the exponential never overflows."""
    small = library.exp(-abs(a))
    return (float32(1.0) if a >= float32(0.0) else small) / (float32(1.0) + small)


@device
def softplus(a):
    """log(1 + exp(a)); the exponential never overflows."""
    return maximum(a, float32(0.0)) + library.log1p(library.exp(-abs(a)))
