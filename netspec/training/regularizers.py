"""Regularizers: what they add to a weight's gradient. They are not in the reported loss."""

from __future__ import annotations

from typing import Annotated, ClassVar

from netspec.kernels.scalar import Expr, call
from netspec.schema import at_least
from netspec.training.declaration import Declaration
from netspec.training.patterns import Patterns


class Regularizer(Declaration):
    """A penalty on the weights that `on` matches and `except` does not; all trainable ones when neither is given."""

    amount: Annotated[float, at_least(0)]
    on: Patterns = ()
    except_: Patterns = ()

    def gradient(self, weight: Expr) -> Expr:
        """What is added to the gradient of one element."""
        raise NotImplementedError


class L1(Regularizer):
    """amount * |w|, which drives weights to zero (Tibshirani 1996)."""

    name: ClassVar[str] = "l1"

    def gradient(self, weight: Expr) -> Expr:
        """amount * sign(w), 0 at 0."""
        return self.amount * call("sign", weight)


class L2(Regularizer):
    """amount/2 * w^2: PyTorch's weight_decay."""

    name: ClassVar[str] = "l2"

    def gradient(self, weight: Expr) -> Expr:
        """amount * w."""
        return self.amount * weight
