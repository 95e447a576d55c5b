"""Optimizers: the next value of a weight and of its state, as scalar expressions. Equal to torch.optim, term by term.

`$lr` is the step's learning rate, `$step` its number, from 1. The gradient already holds what the regularizers add.
"""

from __future__ import annotations

from math import log
from typing import Annotated, ClassVar

from netspec.kernels.scalar import ONE, Expr, RuntimeScalar, call, maximum, sqrt_
from netspec.schema import above, at_least, below
from netspec.training.declaration import Declaration

LR, STEP = RuntimeScalar("lr"), RuntimeScalar("step")
WEIGHT, CURVATURE = "weight", "curvature"
"""The weight itself, and the state that is not updated but estimated when an epoch begins: the loss's second derivatives."""

Rate = Annotated[float, above(0)]
Fading = Annotated[float, at_least(0), below(1)]
NonNegative = Annotated[float, at_least(0)]


class Optimizer(Declaration):
    """How a step changes each trainable weight."""

    whole: ClassVar[bool] = False
    """Whether a step takes all samples, and is made outside of the compiled code, which adds up their gradients and moves no weight."""
    lr: Rate

    @property
    def state(self) -> tuple[str, ...]:
        """The tensors kept beside every weight, of its shape, zero at first."""
        return ()

    @property
    def measured(self) -> int:
        """On how many samples second derivatives are estimated when an epoch begins; 0 where they are not needed."""
        return 0

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """The next value of `weight` and of each name in `state`, every one from the values before the step; what is left out stays."""
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
    decay: NonNegative = 0.01

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """Adam's step from the decayed weight."""
        return super().update(weight * (1 - LR * self.decay), gradient, *state)


class Adagrad(Optimizer):
    """Each weight's rate falls with all its gradients so far (Duchi et al. 2011). `initial` is where their sum of squares starts."""

    name: ClassVar[str] = "adagrad"
    lr: Rate = 1e-2
    eps: Rate = 1e-10
    initial: NonNegative = 0.0

    @property
    def state(self) -> tuple[str, ...]:
        """The sum of squared gradients, less `initial`."""
        return ("square",)

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """w -= lr * g / (sqrt(initial + sum of g^2) + eps)."""
        square = state[0] + gradient * gradient
        return {WEIGHT: weight - LR * (gradient / (sqrt_(square + self.initial) + self.eps)), "square": square}


class Rmsprop(Optimizer):
    """Gradients over their running root mean square (Tieleman & Hinton 2012), `centered`: over their deviation (Graves 2013)."""

    name: ClassVar[str] = "rmsprop"
    lr: Rate = 1e-2
    alpha: Fading = 0.99
    momentum: Fading = 0.0
    centered: bool = False
    eps: Rate = 1e-8

    @property
    def state(self) -> tuple[str, ...]:
        """The running mean of the squared gradient; of the gradient, where centered; the running sum of steps, where there is momentum."""
        return ("square", *(["mean"] if self.centered else []), *(["momentum"] if self.momentum else []))

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """w -= lr * g / (sqrt(square - mean^2) + eps), or lr times the running sum of what stands behind lr."""
        before = dict(zip(self.state, state, strict=True))
        after = {"square": self.alpha * before["square"] + (1 - self.alpha) * (gradient * gradient)}
        spread = after["square"]
        if self.centered:
            after["mean"] = before["mean"] + (1 - self.alpha) * (gradient - before["mean"])
            spread = maximum(0.0, spread - after["mean"] * after["mean"])  # rounding may leave less than nothing
        step = gradient / (sqrt_(spread) + self.eps)
        if self.momentum:
            step = after["momentum"] = self.momentum * before["momentum"] + step
        return {WEIGHT: weight - LR * step, **after}


class Lion(Optimizer):
    """The sign of a running mean that weighs the newest gradient more than the mean that is kept does (Chen et al. 2023)."""

    name: ClassVar[str] = "lion"
    lr: Rate = 1e-4
    beta1: Fading = 0.9
    beta2: Annotated[float, above(0), below(1)] = 0.99
    decay: NonNegative = 0.0

    def conflict(self) -> str | None:
        """The step looks at newer gradients than the mean."""
        late = self.beta1 > self.beta2
        return f"beta1 is at most beta2, got {self.beta1:g} and {self.beta2:g}" if late else None

    @property
    def state(self) -> tuple[str, ...]:
        """The running mean of gradients."""
        return ("mean",)

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """w -= lr * (sign(beta1*mean + (1 - beta1)*g) + decay*w), then mean = beta2*mean + (1 - beta2)*g.

        The sign's argument is written in terms of the new mean, since the old one is overwritten by then: with r = beta1/beta2 it is
        r*new + (1 - r)*g, a sum of parts that do not cancel but where the gradient turns.
        """
        mean, newest = self.beta2 * state[0] + (1 - self.beta2) * gradient, self.beta1 / self.beta2
        direction = call("sign", newest * mean + (1 - newest) * gradient)
        return {WEIGHT: weight * (1 - LR * self.decay) - LR * direction, "mean": mean}


class Sdlm(Optimizer):
    """Stochastic diagonal Levenberg-Marquardt: each weight's rate follows the curvature of the loss (LeCun et al. 1998, appendix C).

    When an epoch begins, second derivatives are estimated on its first `samples`; `mu` bounds the rates where they are small. The paper
    takes one sample at a time: `batch = 1`.
    """

    name: ClassVar[str] = "sdlm"
    lr: Rate = 5e-4
    mu: Rate = 0.02
    samples: Annotated[int, at_least(1)] = 500

    @property
    def state(self) -> tuple[str, ...]:
        """The second derivatives."""
        return (CURVATURE,)

    @property
    def measured(self) -> int:
        """`samples`."""
        return self.samples

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """w -= lr / (mu + h) * g."""
        return {WEIGHT: weight - LR / (self.mu + state[0]) * gradient}


class Lbfgs(Optimizer):
    """Limited-memory BFGS for small problems (Liu & Nocedal 1989): an epoch is one step, up to `iterations` line searches on all samples.

    `lr` is the length with which a search begins. It ends where no gradient exceeds `tolerance_gradient`, or where the loss or no weight
    changes by more than `tolerance_change`. `history` steps are remembered: twice that many copies of all weights.
    """

    name: ClassVar[str] = "lbfgs"
    whole: ClassVar[bool] = True
    lr: Rate = 1.0
    iterations: Annotated[int, at_least(1)] = 20
    history: Annotated[int, at_least(1)] = 100
    tolerance_gradient: NonNegative = 1e-7
    tolerance_change: NonNegative = 1e-9

    def update(self, weight: Expr, gradient: Expr, *state: Expr) -> dict[str, Expr]:
        """Nothing: the training loop moves the weights."""
        return {}


def _warm(beta: float) -> Expr:
    """1 - beta^t as -expm1(t * log(beta)): no digits are lost for beta near 1, where the first steps would cancel."""
    return -call("expm1", STEP * log(beta)) if beta else ONE
