"""Activations: a scalar expression is a complete layer; value, gradient and kernels follow."""

from __future__ import annotations

from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape
from netspec.kernels.affine import Axis, N
from netspec.kernels.formula import Tensor, each
from netspec.kernels.scalar import Expr, maximum, sigmoid


class Activation(Layer):
    """A function of each element."""

    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((5, 3, 4),)), Example({}, ((7,),)))

    def scalar(self, x: Expr) -> Expr:
        """The function."""
        raise NotImplementedError

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return inputs[0]

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = f(x)."""
        axes = (Axis("n", N), *(Axis(f"i{k}", extent) for k, extent in enumerate(inputs[0])))
        return Computation((each(Tensor("y")[axes], self.scalar(Tensor("x")[axes])),))


class Relu(Activation):
    """max(0, x), with derivative 0 at 0 (Nair & Hinton 2010)."""

    name: ClassVar[str] = "relu"

    def scalar(self, x: Expr) -> Expr:
        """max(0, x)."""
        return maximum(0.0, x)


class Silu(Activation):
    """x * sigmoid(x) (Hendrycks & Gimpel 2016; Ramachandran et al. 2017)."""

    name: ClassVar[str] = "silu"

    def scalar(self, x: Expr) -> Expr:
        """x * sigmoid(x)."""
        return x * sigmoid(x)
