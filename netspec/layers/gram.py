"""Correlations between channels."""

from __future__ import annotations

from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape, ShapeError
from netspec.kernels.affine import Axis
from netspec.kernels.formula import Tensor, total
from netspec.layers.inputs import axes_of, channel, show


class Gram(Layer):
    """Products of channels, summed over all places: the style of a picture (Gatys et al. 2016). [c, h, w] becomes [c, c], [t, f] [f, f]."""

    name: ClassVar[str] = "gram"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((3, 2, 4),)), Example({}, ((5, 2),)))

    def infer(self, *inputs: Shape) -> Shape:
        """[c, c]."""
        if len(inputs[0]) == 1:
            help = "put it before `flatten` or `gap`"
            raise ShapeError(f"`gram` needs places to sum over, got {show(inputs[0])}", code="E0202", help=help)
        return (inputs[0][channel(inputs[0])],) * 2

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, i, j] = sum over h, w of x[n, i, h, w] * x[n, j, h, w]."""
        n, *places = axes_of(inputs[0])
        c = channel(inputs[0])
        i, j = (Axis(name, places[c].extent) for name in "ij")
        first, second = ((n, *places[:c], axis, *places[c + 1 :]) for axis in (i, j))
        return Computation((total(Tensor("y")[n, i, j], Tensor("x")[first] * Tensor("x")[second]),))
