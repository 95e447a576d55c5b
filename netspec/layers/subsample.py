"""Pooling that is more than a mean or a maximum: with trained weights, by the L2 norm, by distance from the centre."""

from __future__ import annotations

from math import e, prod
from typing import ClassVar

from netspec.graph.types import ZEROS, Computation, Example, Init, Shape, TensorType, Weight
from netspec.kernels.affine import Axis
from netspec.kernels.formula import Formula, Tensor, each, total
from netspec.kernels.scalar import call, exp, expression, select, sqrt_
from netspec.layers.arguments import PositiveFloat
from netspec.layers.inputs import axes_of
from netspec.layers.pool import Pool


class Subsample(Pool):
    """The sum of a window, times a trained number and plus another one, both per channel: LeNet's S2 and S4 (LeCun et al. 1998).

    It starts as the mean of the window.
    """

    name: ClassVar[str] = "subsample"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"k": 2}, ((3, 6, 4),)),
        Example({"k": 3, "stride": 2, "pad": 1}, ((2, 7, 6),)),
    )

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """scale and shift, both [c]."""
        elements = prod(slide.kernel for slide in self._slides(inputs[0]))
        type = TensorType(inputs[0][:1])
        return Weight("scale", type, Init("constant", 1 / elements)), Weight("shift", type, ZEROS)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = scale[c] * sum over a, b of x[n, c, h*stride + a - pad, ..] + shift[c]."""
        height, width = self._slides(inputs[0])
        n, c, h, w, a, b = self._axes(inputs[0])
        x = Tensor("x", "never" if height.inside and width.inside else "zero")
        y, summed, scale, shift = map(Tensor, ("y", "sum", "scale", "shift"))
        return Computation(
            (
                total(summed[n, c, h, w], x[n, c, height.index(h, a), width.index(w, b)]),
                each(y[n, c, h, w], summed[n, c, h, w] * scale[c] + shift[c]),
            )
        )


class Lppool(Pool):
    """The L2 norm of a window: the root of the sum of its squares (Sermanet et al. 2012). Where that is 0 the gradient is 0."""

    name: ClassVar[str] = "lppool"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"k": 2}, ((3, 6, 4),)),
        Example({"k": 3, "stride": 2, "pad": 1}, ((2, 7, 6),)),
    )

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = sqrt(sum over a, b of x[n, c, h*stride + a - pad, ..]^2)."""
        height, width = self._slides(inputs[0])
        n, c, h, w, a, b = self._axes(inputs[0])
        whole = axes_of(inputs[0])
        x, y, square, summed = map(Tensor, ("x", "y", "square", "sum"))
        seen = Tensor("square", "never" if height.inside and width.inside else "zero")
        total_here = summed[n, c, h, w]
        return Computation(
            (
                each(square[whole], x[whole] * x[whole]),
                total(total_here, seen[n, c, height.index(h, a), width.index(w, b)]),
                each(y[n, c, h, w], select(call("eq", total_here, 0.0), 0.0, sqrt_(total_here))),
            )
        )


class Gausspool(Pool):
    """The mean of a window, weighted by a Gaussian of the distance from its centre (Sermanet et al. 2012). Padding counts as zeros.

    `sigma` is in pixels; without it each axis has 0.3 * ((k - 1)/2 - 1) + 0.8, as OpenCV's filters have.
    """

    name: ClassVar[str] = "gausspool"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"k": 3, "stride": 2, "pad": 1}, ((2, 7, 6),)),
        Example({"k": (4, 3), "sigma": 0.7}, ((3, 8, 7),)),
    )

    sigma: PositiveFloat | None = None

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = sum over a, b of x[n, c, h*stride + a - pad, ..] * row[a] * column[b]."""
        height, width = self._slides(inputs[0])
        n, c, h, w, a, b = self._axes(inputs[0])
        x = Tensor("x", "never" if height.inside and width.inside else "zero")
        y, row, column = map(Tensor, ("y", "row", "column"))
        weighted = x[n, c, height.index(h, a), width.index(w, b)] * (row[a] * column[b])
        return Computation((self._bell("row", a), self._bell("column", b), total(y[n, c, h, w], weighted)))

    def _bell(self, name: str, tap: Axis) -> Formula:
        """The weights along one axis of the window; their sum is 1."""
        assert isinstance(tap.extent, int)
        centre = (tap.extent - 1) / 2
        fall = -0.5 / (self.sigma or 0.3 * (centre - 1) + 0.8) ** 2
        whole = sum(e ** (fall * (k - centre) ** 2) for k in range(tap.extent))
        away = expression(tap) - centre
        return each(Tensor(name)[tap], exp(fall * (away * away)) * (1 / whole))
