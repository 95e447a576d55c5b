"""Normalisation."""

from __future__ import annotations

from typing import ClassVar

from netspec.graph.types import ONES, ZEROS, Computation, Example, Layer, Shape, TensorType, Weight
from netspec.kernels.affine import Axis
from netspec.kernels.formula import Formula, Tensor, d, each, total
from netspec.kernels.scalar import Expr, maximum, sqrt_
from netspec.layers.arguments import PositiveFloat, Share
from netspec.layers.inputs import BATCH, axes_of, channels_first, present


class Bn(Layer):
    """Batch normalisation of each channel (Ioffe & Szegedy 2015): by its statistics in training, by their running averages in inference."""

    name: ClassVar[str] = "bn"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((3, 4, 5),)),
        Example({}, ((6,),)),
        Example({"eps": 1e-3, "momentum": 0.3}, ((2, 3, 3),)),
    )

    eps: PositiveFloat = 1e-5
    momentum: Share = 0.1

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return channels_first(self.name, inputs[0])

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """scale and shift are trained; mean and var are running averages. All [c]."""
        type = TensorType(inputs[0][:1])
        return (
            Weight("scale", type, ONES),
            Weight("shift", type, ZEROS),
            Weight("mean", type, ZEROS, "state"),
            Weight("var", type, ONES, "state"),
        )

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = (x - mean[c]) / sqrt(var[c] + eps) * scale[c] + shift[c]."""
        axes = axes_of(inputs[0])
        if training:
            updates = {"mean": "next_mean", "var": "next_var"}
            return Computation((*self._statistics(axes), _normalised(axes)), self._gradients(axes), updates)
        c = axes[1]
        x, y, scale, shift, mean, var = map(Tensor, ("x", "y", "scale", "shift", "mean", "var"))
        factor = scale[c] / sqrt_(var[c] + self.eps)
        return Computation((each(y[axes], (x[axes] - mean[c]) * factor + shift[c]),))

    def _statistics(self, axes: tuple[Axis, ...]) -> tuple[Formula, ...]:
        """Mean and variance of the samples that are really there, and the next running averages (of the unbiased variance)."""
        n, c, *_ = axes
        count = _count(axes)
        x, mean, var, next_mean, next_var = map(Tensor, ("x", "mean", "var", "next_mean", "next_var"))
        summed, batch_mean, squares, batch_var, inverse = map(Tensor, ("sum", "batch_mean", "squares", "batch_var", "inverse"))
        centred = x[axes] - batch_mean[c]
        unbiased = squares[c] / maximum(1, count - 1)
        return (
            total(summed[c], present(n, x[axes])),
            each(batch_mean[c], summed[c] / count),
            total(squares[c], present(n, centred * centred)),
            each(batch_var[c], squares[c] / count),
            each(inverse[c], 1 / sqrt_(batch_var[c] + self.eps)),
            each(next_mean[c], (1 - self.momentum) * mean[c] + self.momentum * batch_mean[c]),
            each(next_var[c], (1 - self.momentum) * var[c] + self.momentum * unbiased),
        )

    def _gradients(self, axes: tuple[Axis, ...]) -> tuple[Formula, ...]:
        """dx = scale * inverse * (dy - mean(dy) - z * mean(dy * z)), with z = (x - mean) * inverse; the derived form cancels."""
        n, c, *_ = axes
        x, dy, dx, dscale, dshift = map(Tensor, ("x", d("y"), d("x"), d("scale"), d("shift")))
        scale, batch_mean, inverse, dy_sum, dy_dot = map(Tensor, ("scale", "batch_mean", "inverse", "dy_sum", "dy_dot"))
        z = (x[axes] - batch_mean[c]) * inverse[c]
        back = dy[axes] - dy_sum[c] / _count(axes) - z * (dy_dot[c] / _count(axes))
        return (
            total(dy_sum[c], present(n, dy[axes])),
            total(dy_dot[c], present(n, dy[axes] * z)),
            each(dshift[c], dy_sum[c]),
            each(dscale[c], dy_dot[c]),
            each(dx[axes], present(n, scale[c] * inverse[c] * back)),
        )


def _normalised(axes: tuple[Axis, ...]) -> Formula:
    c = axes[1]
    x, y, scale, shift, batch_mean, inverse = map(Tensor, ("x", "y", "scale", "shift", "batch_mean", "inverse"))
    return each(y[axes], (x[axes] - batch_mean[c]) * (scale[c] * inverse[c]) + shift[c])


def _count(axes: tuple[Axis, ...]) -> Expr:
    """How many elements of a channel the batch holds."""
    pixels = 1
    for axis in axes[2:]:
        assert isinstance(axis.extent, int)
        pixels *= axis.extent
    return BATCH * pixels
