"""Pooling that is more than a mean or a maximum: with trained weights, by the L2 norm, by distance from the centre."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from math import e, prod
from operator import mul
from typing import ClassVar

from netspec.graph.types import ZEROS, Computation, Example, Init, Shape, TensorType, Weight
from netspec.kernels.affine import size_of
from netspec.kernels.formula import Formula, Tensor, each, total
from netspec.kernels.scalar import call, exp, expression, select, sqrt_
from netspec.layers.arguments import PositiveFloat
from netspec.layers.inputs import axes_of, channel
from netspec.layers.pool import Pool
from netspec.layers.window import axes_along


class Subsample(Pool):
    """The sum of a window, times a trained number and plus another one, both per channel: LeNet's S2 and S4 (LeCun et al. 1998).

    It starts as the mean of the window.
    """

    name: ClassVar[str] = "subsample"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"k": 2}, ((3, 6, 4),)),
        Example({"k": 3, "stride": 2, "pad": 1}, ((2, 7, 6),)),
        Example({"k": 2}, ((6, 3),)),
    )

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """scale and shift, both [c]."""
        elements = prod(slide.kernel for slide in self._slides(inputs[0]))
        type = TensorType((inputs[0][channel(inputs[0])],))
        return Weight("scale", type, Init("constant", 1 / elements)), Weight("shift", type, ZEROS)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = scale[c] * sum over a, b of x[n, c, h*stride + a - pad, ..] + shift[c]."""
        kept, _, x = self._accesses(inputs[0], "zero")
        c = kept[1 + channel(inputs[0])]
        y, summed, scale, shift = Tensor("y")[kept], Tensor("sum")[kept], Tensor("scale")[c], Tensor("shift")[c]
        return Computation((total(summed, x), each(y, summed * scale + shift)))


class Lppool(Pool):
    """The L2 norm of a window: the root of the sum of its squares (Sermanet et al. 2012). Where that is 0 the gradient is 0."""

    name: ClassVar[str] = "lppool"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"k": 2}, ((3, 6, 4),)),
        Example({"k": 3, "stride": 2, "pad": 1}, ((2, 7, 6),)),
        Example({"k": 3, "stride": 2}, ((7, 2),)),
    )

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = sqrt(sum over a, b of x[n, c, h*stride + a - pad, ..]^2)."""
        kept, _, read = self._accesses(inputs[0], "zero")
        whole = axes_of(inputs[0])
        x, square, y, summed = Tensor("x")[whole], Tensor("square")[whole], Tensor("y")[kept], Tensor("sum")[kept]
        root = select(call("eq", summed, 0.0), 0.0, sqrt_(summed))
        return Computation((each(square, x * x), total(summed, replace(read, tensor="square")), each(y, root)))


class Gausspool(Pool):
    """The mean of a window, weighted by a Gaussian of the distance from its centre (Sermanet et al. 2012). Padding counts as zeros.

    `sigma` is in pixels; without it each axis has 0.3 * ((k - 1)/2 - 1) + 0.8, as OpenCV's filters have.
    """

    name: ClassVar[str] = "gausspool"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"k": 3, "stride": 2, "pad": 1}, ((2, 7, 6),)),
        Example({"k": (4, 3), "sigma": 0.7}, ((3, 8, 7),)),
        Example({"k": 3, "stride": 2}, ((7, 2),)),
    )

    sigma: PositiveFloat | None = None

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = sum over a, b of x[n, c, h*stride + a - pad, ..] * share * bell_a[a] * bell_b[b]."""
        kept, _, x = self._accesses(inputs[0], "zero")
        _, taps = axes_along(self._slides(inputs[0]))
        bells, share = list[Formula](), 1.0
        for tap in taps:
            centre = (size_of((tap.extent,)) - 1) / 2
            fall = -0.5 / (self.sigma or 0.3 * (centre - 1) + 0.8) ** 2
            away = expression(tap) - centre
            bells.append(each(Tensor(f"bell_{tap}")[tap], exp(fall * (away * away))))
            share /= sum(e ** (fall * (k - centre) ** 2) for k in range(size_of((tap.extent,))))
        weight = reduce(mul, (bell.out for bell in bells), expression(share))
        return Computation((*bells, total(Tensor("y")[kept], x * weight)))
