"""Where one formula sees a tensor as [n, f] and another as [n, c, h, w], both come to see the finer dimensions.

`flatten` writes its vector viewed as [c, h, w]. Splitting the axis of its readers in the same way (and with it a dense layer's weights,
from then on [out, c, h, w]) leaves tensors free to be stored in any order: channels last, or with a border. An axis that occurs in a sum of
axes cannot be split; that formula keeps the coarse view. So do formulas of which one sees 3 groups of 4 and the other 4 of 3, and those of
a tensor that is left along the dimension, as by a window over channels: its border is beside all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import takewhile

from netspec.graph.graph import Graph
from netspec.kernels.affine import Affine, Axis, Extent, affine, common_refinement
from netspec.kernels.formula import Formula
from netspec.kernels.scalar import Access, AxisIndex, Expr, Random, transform

Dims = tuple[Extent, ...]


def refine_views(graph: Graph) -> Graph:
    """Split axes until every access sees the finest dimensions that any access of its tensor sees."""
    finest: dict[str, Dims] = {}
    for op in graph.ops:
        for formula in op.formulas:
            for access in formula.accesses:
                if access.view is not None:
                    _note(finest, graph, access.tensor, access.view)
    if not finest:
        return graph
    left = set(_left(graph))
    ops, changed = list(graph.ops), True
    while changed:
        changed = False
        for i, op in enumerate(ops):
            formulas = tuple(_refine(graph, formula, finest, left) for formula in op.formulas)
            if formulas != op.formulas:
                ops[i], changed = replace(op, formulas=formulas), True
    return replace(graph, nodes=tuple(ops))


def _left(graph: Graph) -> Iterator[tuple[str, int]]:
    """Tensors with those of their own dimensions along which some access leaves them."""
    for access in (access for op in graph.ops for formula in op.formulas for access in formula.accesses):
        for k, index, size in _dimensions(graph, access):
            reach = index.range()
            if k is not None and reach is not None and isinstance(size, int) and not 0 <= reach[0] <= reach[1] < size:
                yield access.tensor, k


def _dimensions(graph: Graph, access: Access) -> Iterator[tuple[int | None, Affine, Extent]]:
    """The indices of an access with what it sees along each, and the number of the tensor's own dimension that this is, or is part of; None
    where what it sees is made of several.
    """
    own = graph.shape(access.tensor)
    shape = access.view or own
    parts = _groups(own, shape) if common_refinement(own, shape) == shape else None
    numbers = [None] * len(shape) if parts is None else [k for k, group in enumerate(parts) for _ in group]
    return zip(numbers, access.indices, shape, strict=True)


def _note(finest: dict[str, Dims], graph: Graph, tensor: str, view: Dims) -> None:
    refined = common_refinement(finest.get(tensor, graph.shape(tensor)), view)
    if refined is not None:
        finest[tensor] = refined


def _refine(graph: Graph, formula: Formula, finest: dict[str, Dims], left: AbstractSet[tuple[str, int]]) -> Formula:
    """Split the axes of one formula where one of its tensors has finer dimensions than it sees; note what that makes finer in turn."""
    splits = _splits(graph, formula, finest)
    if not splits or not all(_splittable(graph, access, splits, left) for access in formula.accesses):
        return formula

    def change(leaf: Expr) -> Expr:
        match leaf:
            case Access():
                return _split(graph, leaf, splits)
            case AxisIndex(index):
                return AxisIndex(index.substitute(whole))
            case Random(stream, position):
                return Random(stream, position.substitute(whole))
            case _:
                return leaf

    whole = {axis: joined(parts) for axis, parts in splits.items()}
    out, argument = change(formula.out), formula.argument and change(formula.argument)
    assert isinstance(out, Access)
    assert argument is None or isinstance(argument, Access)
    result = Formula(out, transform(formula.body, change), formula.combine, argument)
    for access in result.accesses:
        if access.view is not None:
            _note(finest, graph, access.tensor, access.view)
    return result


def _splits(graph: Graph, formula: Formula, finest: Mapping[str, Dims]) -> dict[Axis, tuple[Axis, ...]]:
    """The axes of a formula that run over several of the finest dimensions, and one axis for each of those."""
    splits: dict[Axis, tuple[Axis, ...]] = {}
    for access in formula.accesses:
        shape = access.view or graph.shape(access.tensor)
        fine = finest.get(access.tensor, shape)
        if common_refinement(shape, fine) is None:  # seen in 3 groups of 4 here, in 4 of 3 there
            continue
        for index, parts in zip(access.indices, _groups(shape, fine), strict=True):
            axis = index.single
            if len(parts) > 1 and axis is not None and axis not in splits:
                splits[axis] = tuple(Axis(f"{axis.name}{k}", extent) for k, extent in enumerate(parts))
    return splits


def _groups(coarse: Dims, fine: Dims) -> list[Dims]:
    """Which fine dimensions make up each coarse one. Ones too many belong to what stands before them: a channel that is a group of one."""
    rest, groups = list(reversed(fine)), list[Dims]()
    for k, size in enumerate(coarse):
        group: list[Extent] = [rest.pop()] if rest and (size != 1 or rest[-1] == 1) else [1]
        while group[0] != size and isinstance(size, int) and _product(group) < size:
            group.append(rest.pop())
        while isinstance(size, int) and _leading_ones(rest[::-1]) > _leading_ones(coarse[k + 1 :]):
            group.append(rest.pop())
        groups.append(tuple(group))
    return groups


def _leading_ones(dims: Sequence[Extent]) -> int:
    return len(list(takewhile(lambda extent: extent == 1, dims)))


def _product(group: Sequence[Extent]) -> int:
    result = 1
    for item in group:
        result *= item if isinstance(item, int) else 1
    return result


def _splittable(graph: Graph, access: Access, splits: Mapping[Axis, tuple[Axis, ...]], left: AbstractSet[tuple[str, int]]) -> bool:
    for k, index, size in _dimensions(graph, access):
        for axis in index.axes:
            if axis not in splits:
                continue
            bordered = (access.tensor, k) in left and splits[axis][-1].extent != size  # ones before it do not matter
            if index.single != axis or axis.extent != size or bordered:
                return False
    return True


def _split(graph: Graph, access: Access, splits: Mapping[Axis, tuple[Axis, ...]]) -> Access:
    shape = access.view or graph.shape(access.tensor)
    dims, indices = list[Extent](), list[Affine]()
    for index, size in zip(access.indices, shape, strict=True):
        parts = splits.get(index.single) if index.single else None
        dims += [size] if parts is None else [part.extent for part in parts]
        indices += [index] if parts is None else [affine(part) for part in parts]
    view = None if tuple(dims) == graph.shape(access.tensor) else tuple(dims)
    return replace(access, indices=tuple(indices), view=view)


def joined(parts: Sequence[Axis]) -> Affine:
    """The row-major position over several axes."""
    index = Affine()
    for axis in parts:
        assert isinstance(axis.extent, int)
        index = index * axis.extent + axis
    return index
