"""Losses: what training makes small. Each is the mean over the samples that are really in the batch."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape, ShapeError
from netspec.kernels.affine import N, axes
from netspec.kernels.formula import Tensor, d, each, largest, total
from netspec.kernels.scalar import call, exp, log, select
from netspec.layers.arguments import Share
from netspec.layers.inputs import BATCH, axes_of, present, show


class Loss(Layer):
    """Reads `x`, an output of the net, and `target`; writes `loss`, one number of shape [1]. Its gradient takes d:loss as 1."""

    operands: ClassVar[tuple[str, ...]] = ("x", "target")
    result: ClassVar[str] = "loss"

    def target(self, x: Shape) -> Shape:
        """The shape of a sample's target."""
        raise NotImplementedError

    def infer(self, *inputs: Shape) -> Shape:
        """[1]; raises ShapeError for an output that the loss cannot take."""
        self.target(inputs[0])
        return (1,)


class CrossEntropy(Loss):
    """-log of the softmax of logits [k] at the target class, a whole number stored as a float; `correct` counts what is right.

    `label_smoothing` spreads that share of the target over all classes (Szegedy et al. 2015). The guess is the first largest logit.
    """

    name: ClassVar[str] = "cross_entropy"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((5,),)), Example({"label_smoothing": 0.1}, ((4,),)))

    label_smoothing: Share = 0.0

    def target(self, x: Shape) -> Shape:
        """One class: []."""
        if len(x) != 1:
            raise ShapeError(
                f"`cross_entropy` needs logits [classes], got {show(x)}", code="E0202", help="insert `flatten ->` before the output"
            )
        return ()

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """loss = mean over n of log(sum exp(x - peak)) - sum of share * (x - peak); d:x = (softmax - share) / N."""
        n, k = axes(n=N, k=inputs[0][0])
        x, target, dx = Tensor("x")[n, k], Tensor("target")[n], Tensor(d("x"))[n, k]
        peak, guess, summed, picked = (Tensor(name)[n] for name in ("peak", "guess", "sum", "picked"))
        even = self.label_smoothing / inputs[0][0]
        share = select(call("eq", target, k), 1 - self.label_smoothing + even, even)
        loss_sum, loss, correct = (Tensor(name)[0] for name in ("loss_sum", "loss", "correct"))
        return Computation(
            (
                largest(peak, x, guess),
                total(summed, exp(x - peak)),
                total(picked, share * (x - peak)),
                total(loss_sum, present(n, log(summed) - picked)),
                each(loss, loss_sum / BATCH),
                total(correct, present(n, call("eq", guess, target))),
            ),
            (each(dx, present(n, (exp(x - peak) / summed - share) / BATCH)),),
        )


class Mse(Loss):
    """The mean of (x - target)^2 over all elements of all samples."""

    name: ClassVar[str] = "mse"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((4,),)), Example({}, ((2, 3, 3),)))

    def target(self, x: Shape) -> Shape:
        """The output's shape."""
        return x

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """loss = sum of (x - target)^2 / (N * elements)."""
        axes = axes_of(inputs[0])
        x, target, dx = (Tensor(name)[axes] for name in ("x", "target", d("x")))
        loss_sum, loss = Tensor("loss_sum")[0], Tensor("loss")[0]
        error, count = x - target, BATCH * prod(inputs[0])
        return Computation(
            (total(loss_sum, present(axes[0], error * error)), each(loss, loss_sum / count)),
            (each(dx, present(axes[0], 2 * error / count)),),
        )
