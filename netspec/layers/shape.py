"""Layers that only look at their input otherwise."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape
from netspec.kernels.affine import N
from netspec.kernels.formula import Tensor, each
from netspec.layers.inputs import axes_of


class Flatten(Layer):
    """All elements of a sample as one vector, the last dimension running fastest."""

    name: ClassVar[str] = "flatten"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((3, 4, 5),)), Example({}, ((4, 3),)), Example({}, ((6,),)))

    def infer(self, *inputs: Shape) -> Shape:
        """[f]."""
        return (prod(inputs[0]),)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y, read as [n, c, h, w], is x."""
        axes = axes_of(inputs[0])
        y = Tensor("y") if len(inputs[0]) == 1 else Tensor("y").view(N, *inputs[0])
        return Computation((each(y[axes], Tensor("x")[axes]),))
