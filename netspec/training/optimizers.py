"""Optimizers: the next value of a weight and of its state, as scalar expressions. Equal to torch.optim, term by term.

`$lr` is the step's learning rate, `$step` its number, from 1. The gradient already holds what the regularizers add.
"""

from __future__ import annotations

from math import log
from typing import Annotated, ClassVar

from netspec.kernels.scalar import ONE, Expr, RuntimeScalar, call, sqrt_
from netspec.schema import above, at_least, below
from netspec.training.declaration import Declaration

LR, STEP = RuntimeScalar("lr"), RuntimeScalar("step")
WEIGHT = "weight"

Rate = Annotated[float, above(0)]
Fading = Annotated[float, at_least(0), below(1)]


class Optimizer(Declaration):
    """How a step changes each trainable weight."""

    lr: Rate

    @property
    def state(self) -> tuple[str, ...]:
        """The tensors kept beside every weight, of its shape, zero at first."""
        return ()

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """The next value of `weight` and of each name in `state`, every one from the values before the step."""
        raise NotImplementedError


class Sgd(Optimizer):
    """Stochastic gradient descent; `momentum` averages gradients (Polyak 1964), `nesterov` looks ahead (Sutskever et al. 2013)."""

    name: ClassVar[str] = "sgd"
    momentum: Fading = 0.0
    nesterov: bool = False

    def conflict(self) -> str | None:
        """Only momentum can look ahead."""
        missing = self.nesterov and not self.momentum
        return "nesterov needs momentum: `sgd(lr=.., momentum=0.9, nesterov=yes)`" if missing else None

    @property
    def state(self) -> tuple[str, ...]:
        """The running sum of gradients, where there is momentum."""
        return ("momentum",) if self.momentum else ()

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """buffer = momentum*buffer + g; w -= lr*buffer, with nesterov w -= lr*(g + momentum*buffer).

        PyTorch lets the buffer start as the first gradient: the same as starting from zero.
        """
        if not self.momentum:
            return {WEIGHT: weight - LR * gradient}
        (before,) = state
        buffer = self.momentum * before + gradient
        direction = gradient + self.momentum * buffer if self.nesterov else buffer
        return {WEIGHT: weight - LR * direction, "momentum": buffer}


class Adam(Optimizer):
    """Adaptive moments (Kingma & Ba 2015)."""

    name: ClassVar[str] = "adam"
    lr: Rate = 1e-3
    beta1: Fading = 0.9
    beta2: Fading = 0.999
    eps: Rate = 1e-8

    @property
    def state(self) -> tuple[str, ...]:
        """The running means of the gradient and of its square."""
        return ("mean", "square")

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """w -= lr/(1 - beta1^t) * mean / (sqrt(square)/sqrt(1 - beta2^t) + eps)."""
        mean, square = state
        mean = mean + (1 - self.beta1) * (gradient - mean)
        square = self.beta2 * square + (1 - self.beta2) * (gradient * gradient)
        denominator = sqrt_(square) / sqrt_(_warm(self.beta2)) + self.eps
        return {WEIGHT: weight - LR / _warm(self.beta1) * (mean / denominator), "mean": mean, "square": square}


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): w is first multiplied by 1 - lr*decay."""

    name: ClassVar[str] = "adamw"
    decay: Annotated[float, at_least(0)] = 0.01

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """Adam's step from the decayed weight."""
        return super().update(weight * (1 - LR * self.decay), gradient, *state)


def _warm(beta: float) -> Expr:
    """1 - beta^t as -expm1(t * log(beta)): no digits are lost for beta near 1, where the first steps would cancel."""
    return -call("expm1", STEP * log(beta)) if beta else ONE
