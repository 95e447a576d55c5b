"""What a tile waits for: the cycles in which the vectors that it reads arrive from the caches."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from netspec.schedule.nest import FLOAT, Dim, Nest
from netspec.schedule.order import LINE, window
from netspec.schedule.program import resolve
from netspec.schedule.targets import Target

SECOND, BEYOND = 2.5, 6.0
"""Cycles for a cache line from the second cache, and from beyond it, measured."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a tile reads as vectors of one factor, while the outermost `times` steps of its loops run inside: so many bytes with one row and
    vector, and more with each further row, each further vector, and each pair of those.
    """

    times: int
    one: int
    row: int
    vector: int
    both: int

    def size(self, rows: int, vectors: int) -> int:
        """The bytes of a tile of that size."""
        return self.one + (rows - 1) * self.row + (vectors - 1) * self.vector + (rows - 1) * (vectors - 1) * self.both


def streams(
    nest: Nest, target: Target, batch: int, factors: tuple[int, int], lane: Dim, row: Dim | None, vector: Dim | None
) -> tuple[tuple[Stream, ...], ...]:  # fmt: skip
    """Of each factor that is loaded as vectors: all that a tile reads of it, then what it reads per step of its outermost loop, and so on
    inwards.
    """
    found: list[tuple[Stream, ...]] = []
    for slot in (slot for slot in factors if lane.strides[slot] == FLOAT):
        inside = [(resolve(dim.extent, batch), dim.strides) for dim in nest.dims if dim.inside and dim is not lane]
        inside.sort(key=lambda loop: -abs(loop[1][slot]))

        def size(body: list[tuple[int, tuple[int, ...]]], rows: int, vectors: int, slot: int = slot) -> int:
            along = target.lanes * (vectors if vector is lane else 1)
            moved = [(rows, row), (1 if vector is lane else vectors, vector)]
            return window([*body, (along, lane.strides), *((count, dim.strides) for count, dim in moved if dim is not None)], slot)

        levels: list[Stream] = []
        for k in range(len(inside) + 1):
            one, by_row, by_vector = size(inside[k:], 1, 1), size(inside[k:], 2, 1), size(inside[k:], 1, 2)
            both = size(inside[k:], 2, 2) - by_row - by_vector + one
            levels.append(Stream(prod(extent for extent, _ in inside[:k]), one, by_row - one, by_vector - one, both))
        found.append(tuple(levels))
    return tuple(found)


def arrival(read: tuple[tuple[Stream, ...], ...], rows: int, vectors: int, caches: tuple[int, int], depth: int) -> float:
    """The cycles per step in which the vectors of a tile arrive. What its inner loops read stays in the first cache if it fits there, and
    is read again with every step of the loops around; how much the tile reads in all decides from which cache. What fits whole is there.
    """
    total = 0.0
    for levels in read:
        size = levels[0].size(rows, vectors)
        level = next((item for item in levels if item.size(rows, vectors) <= caches[0]), levels[-1])
        if level is not levels[0]:
            total += level.times * level.size(rows, vectors) / LINE * (SECOND if size <= 2 * caches[1] else BEYOND) / depth
    return total
