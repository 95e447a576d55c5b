"""Long sums in chunks: a weight's gradient sums over every pixel of every image, more than the cache holds of either factor.

Each tile of the result would stream both factors from memory. In chunks, all tiles of the result take their share of one part of the
pixels, which stays in the cache, before the next part comes: result = (0 in the first chunk, else result) + sum over the chunk.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from netspec.kernels.scalar import ZERO, call
from netspec.schedule.nest import Dim, Nest, Source, factors_of
from netspec.schedule.order import FULL, footprint
from netspec.schedule.program import Count, Reduced, Size, Slot, resolve
from netspec.schedule.targets import Target

SHORT = 64
"""Steps below which a chunk costs more in loads and stores of the result than it saves."""


def in_chunks(nest: Nest, target: Target, batch: int) -> Nest:
    """The nest with its outermost sums in chunks, where its factors do not fit in the second cache and its result is smaller than they."""
    factors = factors_of(nest)
    if factors is None or nest.results != [(0, Reduced())]:
        return nest
    kept = [(resolve(dim.extent, batch), dim.strides) for dim in nest.dims if dim.kept]

    def size(reduced: list[tuple[int, tuple[int, ...]]]) -> int:
        return sum(footprint([*kept, *reduced], slot) for slot in factors)

    inner = sorted((dim for dim in nest.dims if not dim.kept), key=lambda dim: -max(abs(dim.strides[slot]) for slot in factors))
    whole = size([(resolve(dim.extent, batch), dim.strides) for dim in inner])
    if whole <= FULL * target.l2 or 2 * footprint(kept, 0) > whole:
        return nest
    outer: list[Dim] = []
    while inner:
        first, *rest = inner
        beside = [(resolve(dim.extent, batch), dim.strides) for dim in rest]
        steps = prod(extent for extent, _ in beside)
        fitting = [part for part in _parts(first.extent) if size([(part, first.strides), *beside]) <= FULL * target.l2]
        part = max(fitting, default=1)
        if part * steps < SHORT:
            break
        outer.append(_chunk(first, part))
        inner = [replace(first, extent=part), *rest] if part > 1 else rest
        if fitting:
            break
    return _chunked(nest, outer, inner) if outer else nest


def _parts(extent: Size) -> list[int]:
    """The lengths into which a loop can be cut evenly, for every size of batch."""
    whole = extent if isinstance(extent, int) else extent.times if extent.unit == extent.divide == 1 and not extent.constant else 1
    return [part for part in range(1, whole + 1) if whole % part == 0]


def _chunk(dim: Dim, part: int) -> Dim:
    extent = dim.extent // part if isinstance(dim.extent, int) else replace(dim.extent, times=dim.extent.times // part)
    assert isinstance(extent, int | Count)
    return Dim(f"{dim.name}.chunk", extent, False, tuple(stride * part for stride in dim.strides), chunk=True)


def _chunked(nest: Nest, outer: list[Dim], inner: list[Dim]) -> Nest:
    """The nest with another operand, which counts chunks."""
    number = len(nest.sources)
    dims = [replace(dim, strides=(*dim.strides, int(dim.chunk))) for dim in (*(dim for dim in nest.dims if dim.kept), *outer, *inner)]
    result = call("add", call("select", call("gt", Slot(number), ZERO), Slot(0), ZERO), Reduced())
    return replace(nest, sources=[*nest.sources, Source("index")], dims=dims, results=[(0, result)])
