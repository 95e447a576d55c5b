"""The gradient of a formula by one of the tensors that it reads, again as formulas.

An occurrence `T[indices]` in the body contributes d:out[kept] * (derivative of the body by it) to `d:T[indices]`: a scatter. Each index is
solved for one axis, which turns the scatter into sums of the ordinary kind. A stride s > 1 splits the result into s residues: disjoint
parts of one tensor, so a strided convolution's input gradient needs no special kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import gcd

from netspec.kernels.affine import Affine, Axis, Extent, affine
from netspec.kernels.formula import Formula, d
from netspec.kernels.scalar import ZERO, Access, AxisIndex, Expr, accesses, call, derivative, transform
from netspec.records import record


@record
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
    assert not isinstance(size, str), f"the batch is indexed by {index}"
    # The axis of the result is solved for, the window's stays: d:out is then what is read beyond its end, and weights never are.
    positions, bounded = _positions(formula.body), _bounded(formula.body)
    axis, stride = max(index.terms, key=lambda term: (term[0] in positions, term[0] in bounded, _length(term[0])))
    window = [term for term in index.terms if term[0] != axis]
    assert len(window) <= 1, f"{index} has two window axes"
    assert stride > 0, f"{index} runs backwards"
    for residue in range(min(stride, size)):
        # At stride*position + residue, axis = position + (residue - constant - dilation*tap) / stride.
        if (found := _shift(residue - index.constant, stride, window[0] if window else None)) is None:
            continue  # nothing reaches this residue: the gradient is zero there
        shift, values = found
        position = Axis(axis.name, -((residue - size) // stride))
        yield _rewritten(formula, dimension, position * stride + residue, axis, {**values, axis: position + shift})


def _shift(offset: int, stride: int, window: tuple[Axis, int] | None) -> tuple[Affine, dict[Axis, Affine]] | None:
    """(offset - dilation*tap) / stride over the taps that make it whole, and those taps in terms of a new axis; None when no tap does."""
    if window is None:
        return None if offset % stride else (affine(offset // stride), {})
    tap, dilation = window
    step = stride // gcd(dilation, stride)
    first = next((a for a in range(min(step, _length(tap))) if (offset - a * dilation) % stride == 0), None)
    if first is None:
        return None
    count = len(range(first, _length(tap), step))
    inner = affine(Axis(tap.name, count)) if count > 1 else Affine()
    return (offset - first * dilation) // stride + inner * -(step * dilation // stride), {tap: inner * step + first}


def _rewritten(formula: Formula, dimension: int, index: Affine, axis: Axis, values: dict[Axis, Affine]) -> Formula:
    """The formula with axes replaced and the result's index in one dimension given."""
    solved = formula.substitute(values)
    low, high = values[axis].range() or (0, 0)
    if low < 0 or high >= _length(axis):  # some positions have no partner: zero is read there
        assert axis in _bounded(formula.body), f"nothing in {formula} ends where {axis} does"
        solved = replace(solved, body=_padded(solved.body, values[axis]))
    indices = list(solved.out.indices)
    indices[dimension] = index
    return replace(solved, out=replace(solved.out, indices=tuple(indices)))


def _positions(body: Expr) -> set[Axis]:
    """The axes along which the gradient of the result is read."""
    return {axis for access in accesses(body) if access.tensor.startswith(d("")) for index in access.indices for axis in index.axes}


def _bounded(body: Expr) -> set[Axis | None]:
    """The axes that some access runs along, so that it reads zero beyond their end. A pool's window is none: it has no weight."""
    return {index.single for access in accesses(body) for index in access.indices}


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
    return 1 << 62 if isinstance(axis.extent, str) else axis.extent
