"""Which dimension runs along the lanes, which along the rows and vectors of the register tile, which loops go around it.

The cost of a step of the tile is counted in cycles: for its loads, half a one per multiply-add, four until a sum can be used again. What
fills the tile badly (a width of 10 in rows of 7) costs what it wastes. Choices depend on sizes and the target, never on a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

from netspec.schedule.arrival import Stream, arrival, streams
from netspec.schedule.memory import ALIGN
from netspec.schedule.nest import FLOAT, Clip, Dim, Nest, Source, factors_of, kind_of
from netspec.schedule.order import Loops, best_order
from netspec.schedule.program import DEPTH, LOOPS, Count, Kind, Launch, Loop, Operand, Size, Tile, resolve, slot_of
from netspec.schedule.targets import Target

WIDE = 4
"""Vectors of a tile that is no contraction, where there are enough of them: one size, so that nets share their kernels."""
LOAD = 0.65
"""Cycles of a load, measured where tiles load as much as they multiply: two a cycle is what they reach only without any miss."""
FEW = 4
"""Results up to which a tile has several vectors: the values of more fill the registers by themselves."""
PAGE, FAR = 4096, 1.1
"""Rows, or vectors, further apart than so many bytes cost so much more."""
RUN = 128
"""Numbers that are added in a row before their sum is added to others."""
COMMON = (1, 2, 4, 7, 8, 14, 16, 28)
OTHER = (3, 5, 6, 10, 12, 13, 24)
"""Rows and vectors of contractions. Few sizes, so that layers and nets share their kernels; an other one must gain 5 %."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Names of dimensions (vectors may be blocks of the lane dimension itself) and the tile's size."""

    lane: str | None
    row: str | None
    vector: str | None
    rows: int
    vectors: int
    cost: float


def tile_nest(name: str, origin: str, nest: Nest, target: Target, batch: int) -> Launch:
    """A launch that evaluates a nest on a target, for up to `batch` images."""
    choice = choose(nest, target, batch)
    return _Assembly(nest, choice, target, batch).launch(name, origin)


def choose(nest: Nest, target: Target, batch: int) -> Choice:
    """The cheapest choice for a full batch."""
    factors = factors_of(nest)
    best: Choice | None = None
    for lane in _lanes(nest):
        for row, vector in _pairs(nest, lane, factors):
            candidate = _cost(nest, target, batch, factors, lane, row, vector)
            if best is None or candidate.cost < best.cost * 0.999:
                best = candidate
    assert best is not None
    return best


def _lanes(nest: Nest) -> list[Dim | None]:
    """Dimensions that can run along the lanes: those of the result; where sums are formed, also one that all factors follow.

    Where the user's memory ends with the batch, images must: lanes can be left out, steps of a loop over them cannot.
    """
    if images := [dim for dim in nest.dims if nest.ends_with_batch(dim)]:
        return list(images)
    clipped = {clip.dim for clip in nest.clips}
    bound = _bound_by_clips(nest)
    kept: list[Dim | None] = [dim for dim in nest.dims if dim.kept and dim.strides[0] and dim.name not in bound]
    summed: list[Dim | None] = []
    if nest.combine == "sum":
        summed = [dim for dim in nest.dims if dim.inside and dim.name not in clipped and _follows(nest, dim)]
    return kept + summed or [None]


def _follows(nest: Nest, dim: Dim) -> bool:
    return all(stride in (0, FLOAT if source.what == "memory" else 1) for stride, source in zip(dim.strides, nest.sources, strict=True))


def _pairs(nest: Nest, lane: Dim | None, factors: tuple[int, int] | None) -> list[tuple[Dim | None, Dim | None]]:
    """Candidates for (rows, vectors). Rows move one factor, vectors the other one."""
    bound = _bound_by_clips(nest)
    blocks = {dim.name for dim in nest.dims if dim.name.endswith(".block") and isinstance(dim.extent, int)}
    others: list[Dim] = [dim for dim in nest.dims if dim.kept and dim is not lane and dim.name not in bound | blocks]
    vectors: list[Dim | None] = [None, *(dim for dim in others if isinstance(dim.extent, int))]
    if lane is not None and lane.kept:
        vectors.append(lane)
    if factors is None:
        if nest.combine == "none" or lane is None or not lane.kept:
            return [(None, lane if lane is not None and lane.kept else None)]
        return [(None, vector) for vector in vectors]
    return [(row, vector) for row in [None, *others] for vector in vectors if row is None or row is not vector]


def _bound_by_clips(nest: Nest) -> set[str]:
    """Dimensions that decide where a clipped loop ends: each step of them needs a loop of its own."""
    return {dim.name for clip in nest.clips for dim in nest.dims if dim.kept and dim.strides[clip.operand]}


def _cost(
    nest: Nest, target: Target, batch: int, factors: tuple[int, int] | None, lane: Dim | None, row: Dim | None, vector: Dim | None
) -> Choice:
    def typical(size: Size) -> int:
        return resolve(size, batch)

    lanes = target.lanes
    extent = 1 if lane is None else typical(lane.extent)
    blocks = -(-extent // lanes)
    inside = [dim for dim in nest.dims if dim.inside and dim is not lane]
    summed = lane is not None and not lane.kept
    depth = (prod(typical(dim.extent) for dim in inside) or 1) * (blocks if summed else 1)
    waste = blocks * lanes / extent
    slots = range(len(nest.sources)) if factors is None else factors
    moved = tuple((_moves(nest, s, row), _moves(nest, s, lane if vector is lane else vector), _lines(nest, s, lane, lanes)) for s in slots)
    ends = tuple(_gathers(nest, s, lane) for s in range(len(nest.sources)) if s not in slots or slot_of(nest.results[0][0]) == s)
    rows_extent = 1 if row is None else typical(row.extent)
    vectors_extent = 1 if vector is None else blocks if vector is lane else typical(vector.extent)
    if vector is lane and nest.combine == "none" and nest.may_overrun(lane):
        vectors_extent = max(vectors_extent, WIDE)
    read = streams(nest, target, batch, factors, lane, row, vector) if factors is not None and lane is not None else ()
    rows, vectors, cycles = _tile_size(
        target, rows_extent, vectors_extent, vector is lane, moved, factors is not None, depth, summed, sum(ends), read,
        target.registers - 4 if factors is not None else WIDE if len(nest.results) <= FEW else 1,
    )  # fmt: skip
    cycles *= len(nest.results) if nest.combine == "none" else 1
    cycles *= prod(FAR for dim in (row, vector) if dim is not None and dim is not lane and max(map(abs, dim.strides)) >= PAGE)
    volume = prod(typical(dim.extent) for dim in nest.dims) / extent
    return Choice(
        None if lane is None else lane.name, None if row is None else row.name, None if vector is None else vector.name, rows, vectors,
        cycles * waste * volume * extent / lanes,
    )  # fmt: skip


def _moves(nest: Nest, slot: int, dim: Dim | None) -> bool:
    return dim is not None and dim.strides[slot] != 0


def _gathers(nest: Nest, slot: int, lane: Dim | None) -> bool:
    if lane is None or nest.sources[slot].what != "memory":
        return False
    return lane.strides[slot] not in (0, FLOAT)


def _lines(nest: Nest, slot: int, lane: Dim | None, lanes: int) -> int:
    """The cache lines that a load of an operand touches: one for each lane where they lie apart, two for a vector that begins anywhere."""
    if _gathers(nest, slot, lane):
        return lanes
    across = lane is not None and lane.strides[slot] == FLOAT and nest.sources[slot].what == "memory"
    return 2 if across and any(dim.strides[slot] % (FLOAT * lanes) for dim in nest.dims if dim is not lane) else 1


@lru_cache(maxsize=4096)
def _tile_size(
    target: Target,
    rows_extent: int,
    vectors_extent: int,
    masked: bool,
    moved: tuple[tuple[bool, bool, int], ...],
    contraction: bool,
    depth: int,
    summed: bool,
    gathered_ends: int,
    read: tuple[tuple[Stream, ...], ...],
    most: int,
) -> tuple[int, int, float]:
    """Rows, vectors and cycles per useful step. `moved`: whether rows and vectors move each operand, and the lines of a load."""
    registers, lanes, caches = target.registers, target.lanes, (target.l1, target.l2)
    best = (1, 1, float("inf"))
    sizes = sorted(COMMON + OTHER) if contraction else (1, WIDE)
    for vectors in (item for item in sizes if item <= min(vectors_extent, most)):
        for rows in (item for item in sizes if item <= min(rows_extent, most // vectors)):
            if contraction and rows * vectors + min(rows, vectors) + 1 > registers:
                continue
            cells = rows * vectors
            loads = sum((rows if r else 1) * (vectors if v else 1) * lines for r, v, lines in moved)
            step = max(LOAD * loads, cells / 2, 4.0 if depth > 4 else 0.0, arrival(read, rows, vectors, caches, depth)) + 0.5
            ends = 30 + cells * (2 + (8 if summed else 0) + lanes * gathered_ends)
            useful = cells * (rows_extent / (-(-rows_extent // rows) * rows)) * (vectors_extent / (-(-vectors_extent // vectors) * vectors))
            cycles = (step + ends / depth) / useful * (1.0 if rows in COMMON and vectors in COMMON else 1.05)
            if cycles < best[2] * 0.995:
                best = rows, vectors, cycles
    return best


class _Assembly:
    """Turns a choice into a tile, its operands and its loops."""

    def __init__(self, nest: Nest, choice: Choice, target: Target, batch: int) -> None:
        by_name = {dim.name: dim for dim in nest.dims}
        self.nest, self.choice, self.target, self.batch = nest, choice, target, batch
        self.lane = by_name.get(choice.lane or "")
        self.row = by_name.get(choice.row or "")
        self.vector = by_name.get(choice.vector or "")
        self.lanes = target.lanes if self.lane is not None else 1
        self.sources = list(nest.sources)
        self.extra: list[tuple[Source, dict[str, int]]] = []

    def launch(self, name: str, origin: str) -> Launch:
        """All of it."""
        nest, choice = self.nest, self.choice
        inside = [dim for dim in nest.dims if dim.inside and dim is not self.lane]
        if self.lane is not None and not self.lane.kept and self.lane.extent != self.lanes:
            inside.append(_blocked(self.lane, self.lanes))
        if nest.combine == "sum" and factors_of(nest) is None:
            inside = _in_runs(inside)
        if nest.body is not None and not inside:  # a loop of one step, so that the kernel is that of longer sums
            inside.append(Dim("once", 1, False, (0,) * len(nest.sources)))
        inside.sort(key=self._reading_order)
        around = self._ordered(self._around(), inside)
        assert len(inside) <= DEPTH, f"{name}: {len(inside)} loops in a tile"
        assert len(around) <= LOOPS, f"{name}: {len(around)} loops around a tile"
        ragged_rows = self._left("rows", self.row, choice.rows)
        ragged_vectors = self.vector is not self.lane and self._left("vectors", self.vector, choice.vectors)
        tail = self._tail()
        kinds, operands = self._operands()
        tile = Tile(
            lanes=self.lanes,
            rows=choice.rows,
            vectors=choice.vectors,
            kinds=kinds,
            results=tuple(nest.results),
            combine=nest.combine,  # pyright: ignore[reportArgumentType]
            depth=len(inside),
            body=nest.body,
            position=nest.position,
            lane_sum=self.lane is not None and not self.lane.kept,
            tail=tail,
            fills=tail and self._fills(),
            ragged_rows=ragged_rows,
            ragged_vectors=ragged_vectors,
            clipped=tuple(self._loop_number(inside, clip) for clip in nest.clips),
            fma=self.target.fma,
        )
        loops, reduce = (tuple(map(self._loop, dims)) for dims in (around, inside))
        cut = next((number for number, dim in enumerate(around) if dim.chunk), len(around))
        return Launch(name, tile, operands, loops, reduce, origin, choice.cost, cut)

    def _reading_order(self, dim: Dim) -> int:
        first = self.nest.position if self.nest.position is not None else len({slot_of(place) for place, _ in self.nest.results})
        return -max(abs(stride) for stride in dim.strides[first : first + 2] or (0,))

    def _loop_number(self, inside: list[Dim], clip: Clip) -> int:
        return next(i for i, dim in enumerate(inside) if dim.name == clip.dim)

    def _around(self) -> list[Dim]:
        """The loops around the tile, outermost first: whole dimensions by how far the result moves, then blocks of vectors, then of
        rows.
        """
        plain = [dim for dim in self.nest.dims if not dim.inside and dim not in (self.lane, self.row, self.vector)]
        plain.sort(key=lambda dim: (isinstance(dim.extent, int), -abs(dim.strides[0])))
        blocks: list[Dim] = []
        if self.lane is not None and self.lane.kept:
            step = self.lanes * (self.choice.vectors if self.vector is self.lane else 1)
            blocks.append(_blocked(self.lane, step))
        if self.vector is not None and self.vector is not self.lane:
            blocks.append(_blocked(self.vector, self.choice.vectors))
        if self.row is not None:
            blocks.append(_blocked(self.row, self.choice.rows))
        return [dim for dim in plain + blocks if dim.extent != 1]

    def _ordered(self, around: list[Dim], inside: list[Dim]) -> list[Dim]:
        """The loops around the tile in the order that moves the fewest bytes."""
        memory = [number for number, source in enumerate(self.nest.sources) if source.what == "memory"]

        def plain(dims: list[Dim]) -> Loops:
            return tuple((resolve(dim.extent, self.batch), tuple(dim.strides[number] for number in memory)) for dim in dims)

        tile = [replace(dim, extent=extent) for dim, extent in self._tile_dims()]
        chunks = frozenset(number for number, dim in enumerate(around) if dim.chunk)
        order = best_order(plain(around), plain(inside + tile), (self.target.l1, self.target.l2), chunks)
        return [around[number] for number in order]

    def _tile_dims(self) -> list[tuple[Dim, int]]:
        """What a tile itself runs through: lanes, rows, vectors."""
        choice = self.choice
        lanes = self.lanes * (choice.vectors if self.vector is self.lane else 1)
        vector = None if self.vector is self.lane else self.vector
        return [(dim, extent) for dim, extent in ((self.lane, lanes), (self.row, choice.rows), (vector, choice.vectors)) if dim is not None]

    def _left(self, what: str, dim: Dim | None, step: int) -> bool:
        """Add the operand that tells how many rows or vectors are left, when they do not come out even."""
        even = dim is not None and isinstance(dim.extent, int) and dim.extent % step == 0
        if dim is None or step == 1 or (even and factors_of(self.nest) is not None):
            return False
        self.extra.append((Source("index", None, dim.extent), {dim.name: -1}))
        return True

    def _tail(self) -> bool:
        """Add the operand that tells how many lanes are left, when the last vector is not full or memory ends with the batch."""
        lane = self.lane
        if lane is None:
            return False
        if lane.name.endswith(".lane"):
            if not self.nest.ends_with_batch(lane):
                return False
            block = next((dim.name for dim in self.nest.dims if dim.name == lane.name.removesuffix(".lane") + ".block"), None)
            moves = {lane.name: -1} | ({block: -self.lanes} if block else {})
            self.extra.append((Source("index", None, Count(), block=0 if block else -self.lanes), moves))
            return True
        step = self.lanes * (self.choice.vectors if self.vector is self.lane else 1)
        if (isinstance(lane.extent, int) and lane.extent % step == 0) or (step <= ALIGN and self.nest.may_overrun(lane)):
            return False
        self.extra.append((Source("index", None, lane.extent), {lane.name: -1}))
        return True

    def _fills(self) -> bool:
        """Images that are not there become zeros on their way in: what an earlier batch left in their lanes could be no number."""
        assert self.lane is not None
        external = any(self.sources[slot_of(place)].external for place, _ in self.nest.results)
        return self.lane.kept and self.nest.ends_with_batch(self.lane) and not external

    def _operands(self) -> tuple[tuple[Kind, ...], tuple[Operand, ...]]:
        kinds: list[Kind] = []
        operands: list[Operand] = []
        for number, source in enumerate(self.sources):
            lane, row, vector = (self._stride(dim, number) for dim in (self.lane, self.row, self.vector))
            vector *= self.lanes if self.vector is self.lane else 1
            unit = FLOAT if source.what == "memory" else 1
            kinds.append(kind_of(source, lane, unit, row if self.choice.rows > 1 else 0, vector if self.choice.vectors > 1 else 0))
            clip = next((clip for clip in self.nest.clips if clip.operand == number), None)
            size, step = (clip.size, clip.dilation) if clip else (0, 0)
            operands.append(Operand(source.buffer, source.offset, row, vector, lane, source.block, source.part, size, step, source.near))
        for source, moves in self.extra:
            row, vector = (moves.get(dim.name, 0) if dim else 0 for dim in (self.row, self.vector))
            vector *= self.lanes if self.vector is self.lane else 1
            kinds.append(Kind("index", "same", False, vector != 0 and self.choice.vectors > 1))
            operands.append(Operand(None, source.offset, 0, vector, 0, source.block))
        return tuple(kinds), tuple(operands)

    def _stride(self, dim: Dim | None, number: int) -> int:
        return 0 if dim is None else dim.strides[number]

    def _loop(self, dim: Dim) -> Loop:
        strides = list(dim.strides)
        for _, moves in self.extra:
            name, *factors = dim.name.split("/")
            strides.append(moves.get(name, 0) * prod(map(int, factors)))
        return Loop(dim.name, dim.extent, tuple(strides))


def _in_runs(dims: list[Dim]) -> list[Dim]:
    """The loops with long ones in two, as far as a tile has room for them."""
    result: list[Dim] = []
    for k, dim in enumerate(dims):
        room = DEPTH - len(result) - len(dims[k:])
        result += _runs(dim) if room > 0 else [dim]
    return result


def _runs(dim: Dim) -> list[Dim]:
    """A long loop as two, so that its sum is formed in runs."""
    if not isinstance(dim.extent, int) or dim.extent <= RUN:
        return [dim]
    length = max(item for item in range(1, RUN + 1) if dim.extent % item == 0)
    if length == 1:
        return [dim]
    outer = Dim(f"{dim.name}/{length}", dim.extent // length, dim.kept, tuple(stride * length for stride in dim.strides))
    return [outer, replace(dim, extent=length)]


def _blocked(dim: Dim, step: int) -> Dim:
    extent: Size
    match dim.extent:
        case int():
            extent = -(-dim.extent // step)
        case Count():
            extent = replace(dim.extent, divide=dim.extent.divide * step)
    return Dim(f"{dim.name}/{step}", extent, dim.kept, tuple(stride * step for stride in dim.strides))
