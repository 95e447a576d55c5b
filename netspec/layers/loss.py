"""Losses: what training makes small. Each is the mean over the samples that are really in the batch."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar, Literal

from netspec.graph.types import Computation, Example, Layer, Shape, ShapeError
from netspec.kernels.affine import Axis, N, axes
from netspec.kernels.formula import Formula, Tensor, d, each, largest, total
from netspec.kernels.scalar import Access, Constant, Expr, call, derivative, exp, expression, log, maximum, select
from netspec.layers.arguments import PositiveFloat, Share
from netspec.layers.inputs import BATCH, axes_of, present, show
from netspec.schema import at_least, at_most


class Loss(Layer):
    """Reads `x`, an output of the net, and `target`; writes `loss`, one number of shape [1]. Its gradient takes d:loss as 1.

    `curvature` is the second derivative of the loss by each element of x alone, for optimizers that ask for it.
    """

    operands: ClassVar[tuple[str, ...]] = ("x", "target")
    result: ClassVar[str] = "loss"
    best: ClassVar[Literal["largest", "smallest"]] = "largest"
    """Which of a sample's numbers tells its class, where they are one per class."""

    def target(self, x: Shape) -> Shape:
        """The shape of a sample's target."""
        raise NotImplementedError

    def infer(self, *inputs: Shape) -> Shape:
        """[1]; raises ShapeError for an output that the loss cannot take."""
        self.target(inputs[0])
        return (1,)


class Classes(Loss):
    """A loss of one number per class, [k], against the number of a class, stored as a float; `correct` counts what is right."""

    def target(self, x: Shape) -> Shape:
        """One class: []."""
        if len(x) != 1:
            raise ShapeError(
                f"`{self.name}` needs logits [classes], got {show(x)}", code="E0202", help="insert `flatten ->` before the output"
            )
        return ()

    def best_and_right(self, n: Axis, x: Access) -> tuple[Formula, Formula]:
        """`peak`, the largest x (of -x where the smallest is best), and `correct`; the guess is the first best one."""
        peak, guess, target = (Tensor(name)[n] for name in ("peak", "guess", "target"))
        return (
            largest(peak, x if self.best == "largest" else -x, guess),
            total(Tensor("correct")[0], present(n, call("eq", guess, target))),
        )


class CrossEntropy(Classes):
    """-log of the softmax of logits [k] at the target class.

    `label_smoothing` spreads that share of the target over all classes (Szegedy et al. 2015). With `class_weights` the mean is one by the
    weights of the samples' classes, as PyTorch forms it.
    """

    name: ClassVar[str] = "cross_entropy"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((5,),)),
        Example({"label_smoothing": 0.1}, ((4,),)),
        Example({"label_smoothing": 0.1, "class_weights": (0.5, 2.0, 1.0)}, ((3,),)),
    )

    label_smoothing: Share = 0.0
    class_weights: tuple[Annotated[float, at_least(0)], ...] = ()

    def target(self, x: Shape) -> Shape:
        """One class: []; raises ShapeError where there are not as many weights as classes."""
        if self.class_weights and len(x) == 1 and len(self.class_weights) != x[0]:
            raise ShapeError(f"`cross_entropy` has {len(self.class_weights)} class weights for {x[0]} logits", argument="class_weights")
        return super().target(x)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """loss = mean over n of log(sum exp(x - peak)) - sum of share * (x - peak); d:x = (softmax - share) / N."""
        n, k = axes(n=N, k=inputs[0][0])
        x, target, dx = Tensor("x")[n, k], Tensor("target")[n], Tensor(d("x"))[n, k]
        peak, summed, picked = (Tensor(name)[n] for name in ("peak", "sum", "picked"))
        loss_sum, loss = Tensor("loss_sum")[0], Tensor("loss")[0]
        even = self.label_smoothing / inputs[0][0]
        share: Expr = select(call("eq", target, k), 1 - self.label_smoothing + even, even)
        whole, count = expression(1), expression(BATCH)
        weighing: tuple[Formula, ...] = ()
        if self.class_weights:
            weight, own, count = Tensor("class_weight")[k], Tensor("own_weight")[n], Tensor("weight_sum")[0]
            share = even * weight + select(call("eq", target, k), (1 - self.label_smoothing) * weight, 0.0)
            whole = (1 - self.label_smoothing) * own + even * sum(self.class_weights)
            weighing = (
                *(each(Tensor("class_weight")[i], Constant(value)) for i, value in enumerate(self.class_weights)),
                total(own, select(call("eq", target, k), weight, 0.0)),
                total(count, present(n, own)),
            )
        best, right = self.best_and_right(n, x)
        guessed = exp(x - peak) / summed
        return Computation(
            (
                best,
                total(summed, exp(x - peak)),
                *weighing,
                total(picked, share * (x - peak)),
                total(loss_sum, present(n, whole * log(summed) - picked)),
                each(loss, loss_sum / count),
                right,
                each(Tensor("curvature")[n, k], present(n, whole * guessed * (1 - guessed) / count)),
            ),
            (each(dx, present(n, (whole * guessed - share) / count)),),
        )


class Hinge(Classes):
    """For several classes (Weston & Watkins 1999): the mean over all k classes of max(0, margin - x[target] + x)^power, the target's aside.

    PyTorch's MultiMarginLoss.
    """

    name: ClassVar[str] = "hinge"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((5,),)), Example({"margin": 0.5, "power": 2}, ((4,),)))

    margin: PositiveFloat = 1.0
    power: Annotated[int, at_least(1), at_most(2)] = 1

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """d:x is the slope of each class's own term / (N*k); the target's is minus the sum of the others."""
        n, k = axes(n=N, k=inputs[0][0])
        x, target, dx = Tensor("x")[n, k], Tensor("target")[n], Tensor(d("x"))[n, k]
        picked, slopes, steeps = (Tensor(name)[n] for name in ("picked", "slopes", "steeps"))
        loss_sum, loss = Tensor("loss_sum")[0], Tensor("loss")[0]
        wanted, excess, count = call("eq", target, k), maximum(0.0, self.margin - picked + x), BATCH * inputs[0][0]
        term = excess if self.power == 1 else excess * excess
        slope, steep = derivative(term, x), derivative(derivative(term, x), x)
        best, right = self.best_and_right(n, x)
        return Computation(
            (
                best,
                total(picked, select(wanted, x, 0.0)),
                total(slopes, select(wanted, 0.0, slope)),
                total(steeps, select(wanted, 0.0, steep)),
                total(loss_sum, present(n, select(wanted, 0.0, term))),
                each(loss, loss_sum / count),
                right,
                each(Tensor("curvature")[n, k], present(n, select(wanted, steeps, steep) / count)),
            ),
            (each(dx, present(n, select(wanted, -slopes, slope) / count)),),
        )


class MapRbf(Classes):
    """The distance [k] to the target's code, and log(e^-j + sum of e^-distance), which keeps the others away (LeCun et al. 1998, eq. 9).

    The class with the smallest distance is the net's answer. `j` bounds how far away wrong classes are pushed.
    """

    name: ClassVar[str] = "map_rbf"
    best: ClassVar[Literal["largest", "smallest"]] = "smallest"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((5,),)), Example({"j": 2.0}, ((3,),)))

    j: Annotated[float, at_least(0)] = 0.1

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """loss = mean over n of x[target] + log(e^-j + sum of e^-x); d:x = ((1 at the target) - e^-x / (e^-j + sum of e^-x)) / N."""
        n, k = axes(n=N, k=inputs[0][0])
        x, target, dx = Tensor("x")[n, k], Tensor("target")[n], Tensor(d("x"))[n, k]
        peak, summed, picked = (Tensor(name)[n] for name in ("peak", "sum", "picked"))
        loss_sum, loss = Tensor("loss_sum")[0], Tensor("loss")[0]
        wanted, top = call("eq", target, k), maximum(peak, -self.j)
        whole = summed + exp(-self.j - top)
        near = exp(-x - top) / whole
        best, right = self.best_and_right(n, x)
        return Computation(
            (
                best,
                total(summed, exp(-x - top)),
                total(picked, select(wanted, x, 0.0)),
                total(loss_sum, present(n, picked + top + log(whole))),
                each(loss, loss_sum / BATCH),
                right,
                each(Tensor("curvature")[n, k], present(n, near * (1 - near) / BATCH)),
            ),
            (each(dx, present(n, (select(wanted, 1.0, 0.0) - near) / BATCH)),),
        )


class Elementwise(Loss):
    """The mean over all elements of all samples of a term of the output and a target of its shape."""

    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((4,),)), Example({}, ((2, 3, 3),)))

    def term(self, x: Expr, target: Expr) -> Expr:
        """What one element adds."""
        raise NotImplementedError

    def target(self, x: Shape) -> Shape:
        """The output's shape."""
        return x

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """loss = sum of the terms / (N * elements); its gradient is the term's derivative."""
        axes = axes_of(inputs[0])
        x, target, dx = (Tensor(name)[axes] for name in ("x", "target", d("x")))
        loss_sum, loss = Tensor("loss_sum")[0], Tensor("loss")[0]
        term, count = self.term(x, target), BATCH * prod(inputs[0])
        slope = derivative(term, x)
        curvature = each(Tensor("curvature")[axes], present(axes[0], derivative(slope, x) / count))
        return Computation(
            (total(loss_sum, present(axes[0], term)), each(loss, loss_sum / count), curvature),
            (each(dx, present(axes[0], slope / count)),),
        )


class Mse(Elementwise):
    """The mean of (x - target)^2."""

    name: ClassVar[str] = "mse"

    def term(self, x: Expr, target: Expr) -> Expr:
        """(x - target)^2."""
        return (x - target) * (x - target)


class Mae(Elementwise):
    """The mean of |x - target|; its gradient is 0 where they are equal."""

    name: ClassVar[str] = "mae"

    def term(self, x: Expr, target: Expr) -> Expr:
        """|x - target|."""
        return call("abs", x - target)


class Huber(Elementwise):
    """Half the square of an error up to `delta`, linear beyond it (Huber 1964)."""

    name: ClassVar[str] = "huber"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((4,),)), Example({"delta": 0.3}, ((2, 3, 3),)))

    delta: PositiveFloat = 1.0

    def term(self, x: Expr, target: Expr) -> Expr:
        """e^2/2, or delta * (|e| - delta/2)."""
        error = x - target
        size = call("abs", error)
        return select(call("le", size, self.delta), 0.5 * error * error, self.delta * (size - self.delta / 2))


class Bce(Elementwise):
    """Binary cross-entropy of logits against probabilities: -t*log(sigmoid(x)) - (1 - t)*log(1 - sigmoid(x))."""

    name: ClassVar[str] = "bce"

    def term(self, x: Expr, target: Expr) -> Expr:
        """t*softplus(-x) + (1 - t)*softplus(x): of small terms no digits are lost, large logits do not overflow."""
        return target * call("softplus", -x) + (1 - target) * call("softplus", x)
