"""The gradient of a formula by one of the tensors that it reads, again as formulas.

An occurrence `T[indices]` in the body contributes d:out[kept] * (derivative of the body by it) to `d:T[indices]`: a scatter. Each index is
solved for one axis, which turns the scatter into sums of the ordinary kind. A stride s > 1 splits the result into s residues: disjoint parts
of one tensor, so a strided convolution's input gradient needs no special kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd

from netspec.kernels.affine import Affine, Axis, Extent, affine
from netspec.kernels.formula import Formula, d
from netspec.kernels.scalar import ZERO, Access, AxisIndex, Expr, accesses, call, derivative, transform


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one occurrence adds to d:tensor. The formulas write disjoint parts; what none writes is zero."""

    tensor: str
    formulas: tuple[Formula, ...]


def gradient(formula: Formula, operand: str, shape: tuple[Extent, ...], name: str) -> list[Contribution]:
    """The contributions of `formula` to d:operand, one per different access of it, the i-th written to the tensor `name`#i.

    `shape` is the operand's. A maximum passes the gradient on where its argument stands (the first of equals).
    """
    occurrences = [item for item in dict.fromkeys(accesses(formula.body)) if item.tensor == operand]
    result: list[Contribution] = []
    for access in occurrences:
        inner = derivative(formula.body, access)
        if inner == ZERO:
            continue
        target = f"{name}#{len(result)}" if len(occurrences) > 1 else name
        upstream: Expr = replace(formula.out, tensor=d(formula.out.tensor), outside="never")
        if formula.combine == "max":
            assert formula.argument is not None, f"the maximum {formula} keeps no argument, so it has no gradient"
            upstream = call("select", call("eq", formula.argument, _position(formula.reduced)), upstream, 0.0)
        scatter = Formula(replace(access, tensor=target, outside="never"), upstream * inner, "sum")
        parts = [scatter]
        for dimension, size in enumerate(access.view or shape):
            parts = [solved for part in parts for solved in _solve(part, dimension, size)]
        result.append(Contribution(target, tuple(_tidy(part) for part in parts)))
    return result


def _position(axes: tuple[Axis, ...]) -> AxisIndex:
    """The row-major position of a tap."""
    index = Affine()
    for axis in axes:
        assert isinstance(axis.extent, int), "a maximum over the batch has no gradient"
        index = index * axis.extent + axis
    return AxisIndex(index)


def _solve(formula: Formula, dimension: int, size: Extent) -> Iterator[Formula]:
    """Rewrite so that the result's index in `dimension` is one axis, or stride*axis + residue."""
    index = formula.out.indices[dimension]
    if (axis := index.single) is not None and axis.extent == size:
        yield formula
        return
    if not index.terms:  # a single element of this dimension is read: x[n, 3]
        yield formula
        return
    assert isinstance(size, int), f"the batch is indexed by {index}"
    # The long axis is solved for, the window's stays: the sum over it becomes the short loop.
    axis, stride = max(index.terms, key=lambda term: _length(term[0]))
    window = [term for term in index.terms if term[0] != axis]
    assert len(window) <= 1, f"{index} has two window axes"
    assert stride > 0, f"{index} runs backwards"
    for residue in range(stride):
        yield from _residue(formula, dimension, size, axis, stride, residue, window[0] if window else None)


def _residue(
    formula: Formula, dimension: int, size: int, axis: Axis, stride: int, residue: int, window: tuple[Axis, int] | None
) -> Iterator[Formula]:
    """The part of the gradient at target = stride*t + residue: there axis = t + (residue - constant - dilation*tap) / stride."""
    offset = residue - formula.out.indices[dimension].constant
    values: dict[Axis, Affine] = {}
    taps = Affine()
    if window is not None:
        tap, dilation = window
        step = stride // gcd(dilation, stride)
        first = next((a for a in range(min(step, _length(tap))) if (offset - a * dilation) % stride == 0), None)
        if first is None:
            return  # no tap reaches this residue: the gradient is zero there
        count = len(range(first, _length(tap), step))
        inner = Axis(tap.name, count)
        values[tap] = affine(inner) * step + first if count > 1 else affine(first)
        taps = affine(inner) * (-step * dilation // stride) if count > 1 else taps
        offset -= first * dilation
    elif offset % stride:
        return
    count = len(range(residue, size, stride))
    if not count:
        return
    position = Axis(axis.name, count)
    values[axis] = affine(position) + offset // stride + taps
    low, high = values[axis].range() or (0, 0)
    solved = formula.substitute(values)
    if low < 0 or high >= _length(axis):  # some positions have no partner: zero is read there
        solved = replace(solved, body=_padded(solved.body, values[axis]))
    indices = list(solved.out.indices)
    indices[dimension] = affine(position) * stride + residue
    yield replace(solved, out=replace(solved.out, indices=tuple(indices)))


def _padded(body: Expr, index: Affine) -> Expr:
    """Accesses that the solved index reaches read zero outside."""
    axes = set(index.axes)

    def change(leaf: Expr) -> Expr:
        reached = isinstance(leaf, Access) and any(axes & set(item.axes) for item in leaf.indices)
        return replace(leaf, outside="zero") if reached and isinstance(leaf, Access) else leaf

    return transform(body, change)


def _tidy(formula: Formula) -> Formula:
    """A sum over nothing is no sum."""
    return formula if formula.reduced else replace(formula, combine="none")


def _length(axis: Axis) -> int:
    return axis.extent if isinstance(axis.extent, int) else 1 << 62
