"""Pooling with trained weights."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from netspec.graph.types import ZEROS, Computation, Example, Init, Shape, TensorType, Weight
from netspec.kernels.formula import Tensor, each, total
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
