"""How far a value looks back into the net's input: its receptive field, derived from the accesses of formulas.

Along one axis a value has a field (input pixels that one of its elements depends on) and a jump (input pixels between neighbours).
A formula whose result's index p reads x[p*stride + tap*dilation - pad] widens the field by (window - 1) * jump and multiplies the jump by
the stride (Araujo, Norris & Sim 2019).
"""

from __future__ import annotations

from fractions import Fraction

from netspec.graph.types import Computation, Layer, Shape
from netspec.kernels.affine import Affine
from netspec.kernels.formula import Formula
from netspec.kernels.scalar import Access, accesses
from netspec.records import record
from netspec.schema import Whole

Size = int | Fraction
"""Whole but for what enlarges: a stride of 1/2."""

Look = tuple[tuple[Size, Size], ...]
"""Per axis, of a layer: the stride and the extent of what it reads."""


@record
class Reach:
    """Per axis (height and width, or time): field and jump in input pixels."""

    fields: tuple[Size, ...]
    jumps: tuple[Size, ...]

    def through(self, look: Look) -> Reach:
        """The reach of what looks at this value so."""
        if look == ((1, 1),) * len(look):  # element by element: most layers
            return self
        fields = tuple(f + (window - 1) * j for f, j, (_, window) in zip(self.fields, self.jumps, look, strict=True))
        return Reach(fields, tuple(j * stride for j, (stride, _) in zip(self.jumps, look, strict=True)))

    def widest(self, other: Reach) -> Reach:
        """The larger field and jump, axis by axis."""
        return Reach(tuple(map(max, self.fields, other.fields)), tuple(map(max, self.jumps, other.jumps)))

    @property
    def pixels(self) -> tuple[int, ...]:
        """The fields in whole pixels."""
        return tuple(-(-f.numerator // f.denominator) for f in self.fields)


def of_input(shape: Shape) -> Reach | None:
    """An input sees itself; a vector has no axes to look along."""
    ones = (1,) * len(_places(len(shape)))
    return Reach(ones, ones) if ones else None


def looks(layer: Layer, computation: Computation, inputs: tuple[Shape, ...], output: Shape) -> tuple[Look | None, ...]:
    """How a layer looks at each of its inputs; None where it sees all of it, or where there are no axes to look along."""
    names = tuple(f"x{k}" for k in range(len(inputs))) if layer.merge else layer.operands
    same = 1, 1
    read = tuple((formula, tuple(dict.fromkeys(accesses(formula.body)))) for formula in computation.formulas)
    return tuple(
        _look(read, layer.result, name, len(shape), (same,) * len(_places(len(shape)))) if len(shape) == len(output) > 1 else None
        for name, shape in zip(names, inputs, strict=True)
    )


def _places(rank: int) -> tuple[int, ...]:
    """Where the axes stand among the indices: height and width last, whatever the channels are split into; time after the batch."""
    return {3: (-2, -1), 2: (1,)}.get(rank, ())


def _look(read: tuple[tuple[Formula, tuple[Access, ...]], ...], result: str, name: str, rank: int, identity: Look) -> Look | None:
    known: dict[str, Look] = {name: identity}
    for formula, reads in read:
        found = [
            _composed(known[access.tensor], step)
            for access in reads
            if access.tensor in known and (step := _step(formula.out, access, _places(rank))) is not None
        ]
        if found:
            known[formula.out.tensor] = tuple(max(item[k] for item in found) for k in range(len(identity)))
    return known.get(result)


def _composed(first: Look, then: Look) -> Look:
    return tuple((s * stride, w + (window - 1) * s) for (s, w), (stride, window) in zip(first, then, strict=True))


def _step(out: Access, access: Access, places: tuple[int, ...]) -> Look | None:
    if min(len(out.indices), len(access.indices)) < len(places) + 1:
        return None
    steps = [_along(out.indices[place], access.indices[place]) for place in places]
    return None if None in steps else tuple(step for step in steps if step is not None)


def _along(out: Affine, index: Affine) -> tuple[Size, Size] | None:
    """Stride and window of one index, None where it does not move with the result's."""
    moving = [(axis, factor) for axis, factor in out.terms if index.coefficient(axis)]
    if len(moving) != 1:
        return None
    axis, factor = moving[0]
    window = 1
    for other, reach in index.terms:
        if other != axis and isinstance(other.extent, Whole):
            return None  # it sees as far as the picture is large
        if other != axis and isinstance(other.extent, int):
            window += abs(reach) * (other.extent - 1)
    stride = index.coefficient(axis)
    return (stride // factor if stride % factor == 0 else Fraction(stride, factor)), window
