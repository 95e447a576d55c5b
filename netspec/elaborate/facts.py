"""What follows from a layer and the shapes of its inputs: counted from its formulas, never stated a second time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from netspec.elaborate.reach import Look, looks
from netspec.graph.sizes import Size, stand_in, surely_equal
from netspec.graph.types import Computation, Layer, Shape, Weight
from netspec.kernels.affine import size_of
from netspec.kernels.scalar import Access, accesses

FLOAT: int = 4
"""Bytes of an element."""


@dataclass(frozen=True)
class Facts:
    """A layer applied to inputs of some shapes. Sizes are bytes per sample."""

    layer: Layer
    inputs: tuple[Shape, ...]
    output: Shape
    weights: tuple[Weight, ...]
    pointwise: dict[tuple[Layer, int], bool]
    """Which layers work element by element in training, by layer and dimensions: their formulas' form depends on nothing else."""

    @cached_property
    def inference(self) -> Computation:
        """The formulas when deployed."""
        return self.layer.compute(*self.inputs, training=False)

    @cached_property
    def parts(self) -> int:
        """How many tensors its formulas read and write: what it takes to look at them."""
        return sum(len(formula.accesses) for formula in self.inference.formulas)

    @cached_property
    def macs(self) -> int:
        """Multiplications of contractions, for one sample."""
        return sum(formula.multiplications() for formula in self.inference.formulas)

    @cached_property
    def params(self) -> int:
        """Trainable numbers."""
        return sum(size_of(weight.type.shape) for weight in self.weights if weight.role == "trainable")

    @cached_property
    def stored(self) -> int:
        """All numbers that are saved with the weights, running statistics included."""
        return sum(size_of(weight.type.shape) for weight in self.weights)

    @cached_property
    def looks(self) -> tuple[Look | None, ...]:
        """How it looks at each input."""
        return looks(self.layer, self.inference, self.inputs, self.output)

    @cached_property
    def pads(self) -> tuple[tuple[int, int], ...] | None:
        """The real padding per axis, (before, after); None when it has no window or pads nothing."""
        found = self.layer.pads(*self.inputs)
        return found if found and any(side for pair in found for side in pair) else None

    @cached_property
    def bytes(self) -> int:
        """The result."""
        return FLOAT * prod(self.output)

    @cached_property
    def overwrites(self) -> bool:
        """Whether, deployed, it may write over its first input: element by element, nothing in between."""
        return self._pointwise(self.inference)

    @cached_property
    def saved(self) -> int:
        """What training keeps of it for its gradient: its result, unless that overwrites its input's, and where maxima stood."""
        if not self.overwrites:  # nor does it in training, then
            return self.bytes * (2 if any(formula.combine == "max" for formula in self.inference.formulas) else 1)
        key = self.layer, len(self.inputs[0])
        if key not in self.pointwise:
            inputs = tuple(map(stand_in, self.inputs))
            self.pointwise[key] = self._pointwise(self.layer.compute(*inputs, training=True))
        return 0 if self.pointwise[key] else self.bytes

    @cached_property
    def rearranges(self) -> bool:
        """Whether its result is its input, element for element, in other dimensions or another order."""
        copies = all(formula.combine == "none" and isinstance(formula.body, Access) for formula in self.inference.formulas)
        return copies and surely_equal(prod(self.inputs[0]), prod(self.output))

    def decide(self) -> None:
        """Look at everything at once: what cannot be decided of symbolic sizes is an error of this layer. Raises Undecidable."""
        _ = self.pads, self.macs, self.looks, self.saved, self.rearranges

    def _pointwise(self, computation: Computation) -> bool:
        """Whether each element of the result depends on the first input at that place alone."""
        if len(computation.formulas) != 1 or not surely_equal(prod(self.inputs[0]), prod(self.output)):
            return False
        (formula,), first = computation.formulas, "x0" if self.layer.merge else self.layer.operands[0]
        moved = any(access.tensor == first and access.indices != formula.out.indices for access in accesses(formula.body))
        return formula.combine == "none" and not moved


class Library:
    """Remembers facts: layers are hashable, and deep nets repeat them. `fixed`: the layers of steps whose arguments are literals, by id."""

    def __init__(self) -> None:
        self.fixed: dict[int, Layer] = {}
        self._pointwise: dict[tuple[Layer, int], bool] = {}
        self._known: dict[tuple[Layer, tuple[Shape, ...]], Facts] = {}

    def facts(self, layer: Layer, inputs: tuple[Shape, ...]) -> Facts:
        """The facts of a layer on these shapes. Raises ShapeError."""
        key = layer, inputs
        if (found := self._known.get(key)) is None:
            found = Facts(layer, inputs, layer.infer(*inputs), layer.weights(*inputs), self._pointwise)
            if any(isinstance(size, Size) for shape in inputs for size in shape):
                found.decide()
            self._known[key] = found
        return found
