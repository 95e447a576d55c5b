"""Regularizers: what they add to a weight's gradient, or how they limit the weight. They are not in the reported loss."""

from __future__ import annotations

from typing import Annotated, ClassVar

from netspec.kernels.scalar import ONE, ZERO, Expr, call, select
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
        return ZERO

    def shrink(self, norm: Expr) -> Expr:
        """What the weights that enter one unit are multiplied by after a step that leaves them with this Euclidean norm."""
        return ONE


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


class MaxNorm(Regularizer):
    """The weights that enter a unit have a Euclidean norm of at most `amount` (Srivastava et al. 2014): PyTorch's renorm along dimension 0.

    Of weights of one dimension, as biases are, nothing is a unit's: they stay as they are.
    """

    name: ClassVar[str] = "max_norm"

    def conflict(self) -> str | None:
        """A limit of 0 would leave no weight."""
        return None if self.amount > 0 else "the norm's limit must be greater than 0"

    def shrink(self, norm: Expr) -> Expr:
        """amount / (norm + 1e-7) where the norm is larger."""
        return select(call("gt", norm, self.amount), self.amount / (norm + 1e-7), 1)
