"""Softmax and its logarithm."""

from __future__ import annotations

from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape
from netspec.kernels.affine import Axis
from netspec.kernels.formula import Tensor, d, each, largest, total
from netspec.kernels.scalar import exp, log
from netspec.layers.inputs import axes_of


class Softmax(Layer):
    """exp(x) over its sum along the channels: along f of [f] and [t, f], along c of [c, h, w]."""

    name: ClassVar[str] = "softmax"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((6,),)), Example({}, ((4, 2, 3),)), Example({}, ((3, 5),)))

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return inputs[0]

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = exp(x - max x) / sum exp(x - max x), which never overflows; dx = y * (dy - sum dy * y)."""
        axes = axes_of(inputs[0])
        rest = _places(axes)
        x, y, dx, dy = (Tensor(name)[axes] for name in ("x", "y", d("x"), d("y")))
        power = Tensor("power")[axes]
        peak, summed, inner = (Tensor(name)[rest] for name in ("peak", "sum", "inner"))
        return Computation(
            (largest(peak, x), each(power, exp(x - peak)), total(summed, power), each(y, power / summed)),
            (total(inner, dy * y), each(dx, y * (dy - inner))),
        )


class Logsoftmax(Layer):
    """The logarithm of the softmax along the channels, exact also where the softmax is too small for its number."""

    name: ClassVar[str] = "logsoftmax"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((6,),)), Example({}, ((4, 2, 3),)), Example({}, ((3, 5),)))

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return inputs[0]

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = x - max x - log(sum exp(x - max x)); dx = dy - exp(y) * sum dy."""
        axes = axes_of(inputs[0])
        x, y, dx, dy = (Tensor(name)[axes] for name in ("x", "y", d("x"), d("y")))
        peak, summed, inner = (Tensor(name)[_places(axes)] for name in ("peak", "sum", "inner"))
        return Computation(
            (largest(peak, x), total(summed, exp(x - peak)), each(y, x - peak - log(summed))),
            (total(inner, dy), each(dx, dy - exp(y) * inner)),
        )


def _places(axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """All axes but the channels."""
    return tuple(axis for axis in axes if axis.name not in {"c", "f"})
