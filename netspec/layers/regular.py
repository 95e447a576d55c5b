"""Regularising layers."""

from __future__ import annotations

from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape
from netspec.kernels.affine import Axis
from netspec.kernels.formula import Tensor, each
from netspec.kernels.scalar import call, random, select
from netspec.layers.arguments import Share
from netspec.layers.inputs import axes_of


class Dropping(Layer):
    """What the layers that drop have in common: in training, what is not dropped is scaled by 1/(1 - rate); the identity in inference."""

    rate: Share = 0.5

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return inputs[0]

    def dropped(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        """The axes that have a random number for each of their positions."""
        raise NotImplementedError

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = x / (1 - rate) where a random number reaches the rate, else 0; lowering gives each application its own stream."""
        axes = axes_of(inputs[0])
        x, y = Tensor("x")[axes], Tensor("y")[axes]
        if not training or self.rate == 0:
            return Computation((each(y, x),))
        kept = call("ge", random(0, self.dropped(axes)), self.rate)
        return Computation((each(y, select(kept, x * (1 / (1 - self.rate)), 0.0)),))


class Dropout(Dropping):
    """In training, zero with probability `rate`, else scaled by 1/(1 - rate) (Srivastava et al. 2014); the identity in inference."""

    name: ClassVar[str] = "dropout"
    examples: ClassVar[tuple[Example, ...]] = (Example({"rate": 0.4}, ((9,),)), Example({"rate": 0.2}, ((3, 4, 5),)))

    def dropped(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        """All: each element by itself."""
        return axes


class Droppath(Dropping):
    """Stochastic depth: in training, a whole sample is zero with probability `rate`, else scaled by 1/(1 - rate) (Huang et al. 2016).

    The identity in inference. It stands at the end of the branch of a residual block.
    """

    name: ClassVar[str] = "droppath"
    examples: ClassVar[tuple[Example, ...]] = (Example({"rate": 0.4}, ((9,),)), Example({"rate": 0.5}, ((3, 2, 4),)))

    def dropped(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        """That of the samples."""
        return axes[:1]
