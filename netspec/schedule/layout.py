"""Where the elements of a tensor lie: dimensions in the order of memory, borders of zeros, images or channels along the lanes.

`channels`: [n][h][w][c] and [n][t][f], so that lanes run along channels and one row of a window is contiguous. `images`: blocks of as
many images as a vector has lanes, [block][c][h][w][lane], for nets whose channels cannot fill the lanes.
The border of a tensor is the union of what all formulas read beyond it; it is stored, and holds zeros.
Weights of many channels lie in blocks of as many channels as a register tile is wide, [c/32][kh][kw][i][32]: a tile then reads them from
first to last. Were a row of all channels kept together, it would touch a new page with every step, and a few sets of the cache.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from netspec.graph.graph import Graph
from netspec.kernels.affine import Axis, Extent
from netspec.kernels.formula import Formula
from netspec.kernels.scalar import Access

Order = Literal["channels", "images"]
BLOCK_VECTORS = (2, 3, 1)
"""Vectors of a block of channels, the best first."""
LONG = 16
"""Products from which a sum is worth blocks of its own: those of a depthwise convolution, nine or so, are not."""


@dataclass(frozen=True, slots=True)
class Block:
    """A dimension that lies in blocks: `size` elements side by side, the next ones `stride` floats further."""

    dimension: int
    size: int
    stride: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`strides` and `offset` (of the first element) in floats, `size` in floats per image, per block of images, or in all (no batch).

    `dims` are the finest dimensions in which a formula sees the tensor, `shape` its own where those differ. With `lanes` > 1 the batch
    runs over blocks of so many images, the lanes innermost.
    """

    dims: tuple[Extent, ...]
    strides: tuple[int, ...]
    offset: int
    size: int
    lanes: int = 1
    border: tuple[tuple[int, int], ...] = ()
    shape: tuple[Extent, ...] | None = None
    block: Block | None = None

    @property
    def batched(self) -> bool:
        """Whether the first dimension is the batch."""
        return bool(self.dims) and isinstance(self.dims[0], str)

    @property
    def bordered(self) -> bool:
        """Whether zeros surround it."""
        return any(before or after for before, after in self.border)

    def block_along(self, access: Access, axis: Axis) -> Block | None:
        """The block that an axis runs through."""
        return self.block if self.block and access.indices[self.block.dimension].single == axis else None

    def view(self, shape: tuple[Extent, ...] | None) -> tuple[int, ...]:
        """The stride of each dimension of a view."""
        shape = shape or self.shape or self.dims
        strides = self.seen(shape)
        assert strides is not None, f"{shape} of {self.dims}: not in row-major order"
        return strides

    def seen(self, shape: tuple[Extent, ...]) -> tuple[int, ...] | None:
        """The stride of each dimension when it is seen so; None where what is one dimension there does not lie in row-major order."""
        if shape == self.dims:
            return self.strides
        tail = trailing(shape, self.dims)  # first those of pixels: of several ones, the last are theirs
        head = leading(shape[: len(shape) - tail], self.dims[: len(self.dims) - tail])
        runs = _runs(zip(self.dims[head : len(self.dims) - tail], self.strides[head:], strict=False))
        middle: list[int] = []
        for extent in shape[head : len(shape) - tail]:
            if extent == 1:
                middle.append(0)
                continue
            if not runs or not isinstance(extent, int) or runs[-1][0] % extent:
                return None
            rest, stride = runs[-1][0] // extent, runs[-1][1]
            middle.append(rest * stride)
            runs[-1:] = [(rest, stride)] if rest > 1 else []
        return (*self.strides[:head], *middle, *self.strides[len(self.dims) - tail :])


def _runs(dims: Iterable[tuple[Extent, int]]) -> list[tuple[int, int]]:
    """Dimensions with their strides, those joined that lie in row-major order; the outermost last."""
    runs: list[tuple[int, int]] = []
    for extent, stride in dims:
        assert isinstance(extent, int), "the batch is split"
        if runs and runs[-1][1] == extent * stride:
            runs[-1] = runs[-1][0] * extent, stride
        elif extent != 1:
            runs.append((extent, stride))
    return runs[::-1]


def leading(a: tuple[Extent, ...], b: tuple[Extent, ...]) -> int:
    """How many of the first dimensions agree."""
    return next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def trailing(a: tuple[Extent, ...], b: tuple[Extent, ...]) -> int:
    """How many of the last dimensions agree: those of pixels, whatever one does to channels."""
    return next((k for k, (x, y) in enumerate(zip(reversed(a), reversed(b), strict=False)) if x != y), min(len(a), len(b)))


def assign(graph: Graph, order: Order, lanes: int, external: frozenset[str]) -> dict[str, Layout]:
    """A layout for every tensor, for vectors of so many lanes. External ones (what users pass and get) are row-major."""
    dims = finest(graph)
    borders = _borders(graph, dims)
    seen = _views(graph)
    result: dict[str, Layout] = {}
    for name, shape in dims.items():
        if "N" not in shape:
            continue
        border = borders.get(name, ((0, 0),) * len(shape))
        images = lanes if order == "images" and name not in external else 1
        found = arrange(shape, _channels_last(graph.shape(name), shape), border, images)
        if order == "images" or name in external or any(found.seen(view) is None for view in seen[name]):
            found = arrange(shape, range(1, len(shape)), border, images)
        result[name] = replace(found, shape=graph.shape(name))
    rest = {name: shape for name, shape in dims.items() if name not in result}
    chosen = _weight_orders(graph, rest, result) if order == "channels" else {}
    whole = _read_whole(graph, dims)
    for name, shape in rest.items():
        inner, border = chosen.get(name, tuple(range(len(shape)))), ((0, 0),) * len(shape)
        layout = arrange(shape, inner, border)
        if any(layout.seen(view) is None for view in seen[name]):
            inner = tuple(range(len(shape)))
            layout = arrange(shape, inner, border)
        if name in chosen and (name, inner[-1]) in whole:
            layout = in_blocks(layout, inner[-1], lanes)
        result[name] = replace(layout, shape=graph.shape(name))
    for weight, value in graph.updates:
        if result[weight].dims != result[value].dims:
            result |= _over_each_other(weight, value, result[weight], result[value], seen[value])
    return result


def _over_each_other(weight: str, value: str, one: Layout, other: Layout, seen: Iterable[tuple[Extent, ...]]) -> dict[str, Layout]:
    """Layouts of a weight and its next value, which takes its place: that of the weight, or, where the value cannot be seen so, row-major
    ones.
    """
    if all(one.seen(view) is not None for view in seen):
        return {value: replace(one, shape=other.shape)}
    return {
        name: replace(arrange(layout.dims, range(len(layout.dims)), ((0, 0),) * len(layout.dims)), shape=layout.shape)
        for name, layout in ((weight, one), (value, other))
    }


def in_blocks(layout: Layout, dimension: int, lanes: int) -> Layout:
    """The same with its innermost dimension in blocks of a tile's vectors, where those come out even and sums are long."""
    extent = layout.dims[dimension]
    assert isinstance(extent, int)
    size = next((count * lanes for count in BLOCK_VECTORS if extent % (count * lanes) == 0), extent)
    if size == extent or layout.size < LONG * extent:
        return layout
    strides = [stride * size // extent for stride in layout.strides]
    strides[dimension] = 1
    return replace(layout, strides=tuple(strides), block=Block(dimension, size, layout.size * size // extent))


def _read_whole(graph: Graph, dims: Mapping[str, tuple[Extent, ...]]) -> set[tuple[str, int]]:
    """Tensors and those of their dimensions that every access runs through with a single axis."""
    whole = {(name, dimension) for name, shape in dims.items() for dimension in range(len(shape))}
    for access in _every_access(graph):
        shape = dims[access.tensor]
        for dimension, extent in enumerate(shape):
            axis = access.indices[dimension].single if len(access.indices) == len(shape) else None
            if axis is None or axis.extent != extent:
                whole.discard((access.tensor, dimension))
    return whole


def arrange(dims: tuple[Extent, ...], order: Iterable[int], border: tuple[tuple[int, int], ...], lanes: int = 1) -> Layout:
    """Lay dimensions out in the given order (outermost first, the batch before all)."""
    strides, step = [0] * len(dims), lanes
    sizes = [extent + sum(edge) if isinstance(extent, int) else 1 for extent, edge in zip(dims, border, strict=True)]
    for dimension in reversed(list(order)):
        strides[dimension] = step
        step *= sizes[dimension]
    if dims and isinstance(dims[0], str):
        strides[0] = step
    offset = sum(stride * before for stride, (before, _) in zip(strides, border, strict=True))
    return Layout(dims, tuple(strides), offset, step, lanes, border)


def _every_access(graph: Graph) -> Iterator[Access]:
    for op in graph.ops:
        for formula in op.formulas:
            yield from formula.accesses


def finest(graph: Graph) -> dict[str, tuple[Extent, ...]]:
    """The dimensions of every tensor: its own, or those of its finest view."""
    dims = {name: item.type.shape for name, item in graph.types.items()}
    for access in _every_access(graph):
        if access.view is not None and len(access.view) > len(dims[access.tensor]):
            dims[access.tensor] = access.view
    return dims


def _views(graph: Graph) -> defaultdict[str, set[tuple[Extent, ...]]]:
    """The dimensions in which each tensor is seen."""
    found: defaultdict[str, set[tuple[Extent, ...]]] = defaultdict(set)
    for access in _every_access(graph):
        found[access.tensor].add(access.view or graph.shape(access.tensor))
    return found


def _borders(graph: Graph, dims: Mapping[str, tuple[Extent, ...]]) -> dict[str, tuple[tuple[int, int], ...]]:
    borders: dict[str, list[tuple[int, int]]] = {}
    for access in _every_access(graph):
        if access.outside != "zero":
            continue
        shape = dims[access.tensor]
        edges = borders.setdefault(access.tensor, [(0, 0)] * len(shape))
        seen = access.view or graph.shape(access.tensor)
        for i, (index, extent) in enumerate(zip(access.indices, seen, strict=True), len(shape) - len(seen)):
            reach = index.range()
            if reach is None or isinstance(extent, str) or (reach[0] >= 0 and reach[1] < extent):
                continue
            assert len(shape) - i <= trailing(seen, shape), f"{access} leaves a tensor seen as {shape}"
            edges[i] = max(edges[i][0], -reach[0]), max(edges[i][1], reach[1] - extent + 1)
    return {name: tuple(edges) for name, edges in borders.items()}


def _channels_last(coarse: tuple[Extent, ...], dims: tuple[Extent, ...]) -> tuple[int, ...]:
    """[n, c, h, w] in the order h, w, c; a channel split into groups stays together. [n, t, f] lies so already."""
    if len(coarse) == 3:
        return tuple(range(1, len(dims)))
    channels, covered = 1, dims[1] if len(dims) > 1 else 1
    while len(coarse) > 2 and isinstance(covered, int) and covered != coarse[1] and channels + 1 < len(dims):
        channels += 1
        covered *= prod([extent for extent in dims[channels : channels + 1] if isinstance(extent, int)])
    return (*range(channels + 1, len(dims)), *range(1, min(channels + 1, len(dims))))


def _weight_orders(graph: Graph, weights: Mapping[str, tuple[Extent, ...]], batched: Mapping[str, Layout]) -> dict[str, tuple[int, ...]]:
    """Dimensions of a weight: first those that are summed, in the order of the other factor's memory, last those of the result: lanes
    read it as it lies.
    """
    chosen: dict[str, tuple[int, ...]] = {}
    for op in graph.ops:
        for formula in op.formulas:
            for access, other in _weight_factors(formula, weights, batched):
                if access.tensor in chosen or len(access.indices) != len(weights[access.tensor]):
                    continue
                chosen[access.tensor] = contraction_order(formula, access, other, batched)
    for a, b in _alike(graph, weights):
        if a in chosen or b in chosen:
            order = chosen.get(a) or chosen[b]
            chosen.setdefault(a, order)
            chosen.setdefault(b, order)
    return chosen


def _weight_factors(
    formula: Formula, weights: Mapping[str, tuple[Extent, ...]], batched: Mapping[str, Layout]
) -> Iterator[tuple[Access, Access]]:
    factors = formula.factors
    if factors is None or formula.out.tensor not in batched:
        return
    for access, other in (factors, factors[::-1]):
        if access.tensor in weights and other.tensor in batched:
            yield access, other


def contraction_order(formula: Formula, weight: Access, other: Access, layouts: Mapping[str, Layout]) -> tuple[int, ...]:
    """The order of a weight's dimensions that suits this contraction. What runs through result and both factors, as groups do, chooses
    among matrices: it goes outside of these where their rows are long.
    """
    kept, others = set(formula.kept), {axis for index in other.indices for axis in index.axes}
    rows = [axis.extent for index in weight.indices for axis in index.axes if axis in kept - others and isinstance(axis.extent, int)]
    chooses = others if prod(rows) >= LONG else set[Axis]()

    def key(dimension: int) -> tuple[int, int]:
        axes = weight.indices[dimension].axes
        if not axes:
            return 0, -(1 << 60)
        in_result = axes[0] in kept
        access = formula.out if in_result else other
        return (1 if not in_result else 0 if axes[0] in chooses else 2), -stride_along(access, axes[0], layouts[access.tensor])

    return tuple(sorted(range(len(weight.indices)), key=key))


def stride_along(access: Access, axis: Axis, layout: Layout) -> int:
    """How far one step along an axis moves in a tensor, in floats."""
    return sum(index.coefficient(axis) * step for index, step in zip(access.indices, layout.view(access.view), strict=True))


def _alike(graph: Graph, weights: Mapping[str, tuple[Extent, ...]]) -> Iterator[tuple[str, str]]:
    """Pairs of tensors without batch that a formula reads and writes at the same element: a weight and its gradient, its momentum, its
    next value.
    """
    links = [(name.removeprefix("d:").partition("#")[0], name) for name in weights if name.startswith("d:")]
    links = [(weight, name) for weight, name in links if weight in weights]
    for op in graph.ops:
        for formula in op.formulas:
            for access in formula.accesses:
                same = access.indices == formula.out.indices and access.tensor != formula.out.tensor
                if same and {access.tensor, formula.out.tensor} <= weights.keys() and formula.combine == "none":
                    links.append((access.tensor, formula.out.tensor))
    links = [(a, b) for a, b in links if weights[a] == weights[b]]  # the others are split into different dimensions
    yield from links
    yield from reversed(links)
