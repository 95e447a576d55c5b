"""Limits on gradients: what the optimizer sees of them. Regularizers are added behind them, as PyTorch adds its weight decay."""

from __future__ import annotations

from typing import Annotated, ClassVar

from netspec.kernels.scalar import ONE, Expr, call, maximum, minimum, select
from netspec.schema import above
from netspec.training.declaration import Declaration

_SMALL = 1e-6
"""PyTorch's guard against a norm of zero."""


class Clip(Declaration):
    """A limit, greater than 0."""

    limit: Annotated[float, above(0)]

    def factor(self, norm: Expr) -> Expr:
        """What every gradient is multiplied by, where all gradients together have this Euclidean norm."""
        return ONE

    def limited(self, gradient: Expr) -> Expr:
        """One element of a gradient."""
        return gradient


class Norm(Clip):
    """All gradients are shortened alike where their common norm exceeds the limit (Pascanu et al. 2013): PyTorch's clip_grad_norm_."""

    name: ClassVar[str] = "norm"

    def factor(self, norm: Expr) -> Expr:
        """min(1, limit / (norm + 1e-6))."""
        shortened = self.limit / (norm + _SMALL)
        return select(call("lt", shortened, 1), shortened, 1)


class Value(Clip):
    """Each element by itself is brought into [-limit, limit]: PyTorch's clip_grad_value_."""

    name: ClassVar[str] = "value"

    def limited(self, gradient: Expr) -> Expr:
        """min(limit, max(-limit, g))."""
        return minimum(self.limit, maximum(-self.limit, gradient))
