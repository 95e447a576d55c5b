"""The fully connected layer."""

from __future__ import annotations

from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape, ShapeError, TensorType, Weight
from netspec.kernels.affine import N, axes
from netspec.kernels.formula import Tensor, each, total
from netspec.layers.arguments import Units
from netspec.layers.inputs import kaiming, show


class Dense(Layer):
    """y = weight x + bias, for a vector [f]."""

    name: ClassVar[str] = "dense"
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (Example({"units": 4}, ((6,),)), Example({"units": 1, "bias": False}, ((3,),)))

    units: Units
    bias: bool = True

    def infer(self, *inputs: Shape) -> Shape:
        """[units]."""
        if len(inputs[0]) != 1:
            ways = "insert `flatten ->` or `gap ->` before it" if len(inputs[0]) == 3 else "insert `flatten ->` before it"
            raise ShapeError(f"`dense` needs a vector, got {show(inputs[0])}", code="E0202", help=ways)
        return (self.units,)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """weight [units, f] and bias [units]."""
        (features,) = inputs[0]
        weight = Weight("weight", TensorType((self.units, features)), kaiming(features))
        return (weight, Weight("bias", TensorType((self.units,)), kaiming(features))) if self.bias else (weight,)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, o] = sum over i of x[n, i] * weight[o, i], plus bias[o]."""
        n, o, i = axes(n=N, o=self.units, i=inputs[0][0])
        x, weight, bias, y, summed = map(Tensor, ("x", "weight", "bias", "y", "sum"))
        product = x[n, i] * weight[o, i]
        if not self.bias:
            return Computation((total(y[n, o], product),))
        return Computation((total(summed[n, o], product), each(y[n, o], summed[n, o] + bias[o])))
