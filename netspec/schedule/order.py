"""In which order loops go around a tile: the one that moves the fewest bytes through the caches.

Bytes are counted from the inside outwards. What a loop's body touches in all stays in the cache if it fits there: an operand that the loop
does not move is then read once; otherwise again with every step. (Reuse distances as in Wolf and Lam, A data locality optimizing algorithm,
PLDI 1991, on whole operands.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations, takewhile
from math import prod

FLOAT, LINE = 4, 64
FULL = 0.75
"""Share of a cache that can be counted on."""
NEAR = 1 / 8
"""What a byte from the second cache costs, of one from beyond it."""
MOST = 5
"""Loops of which every order is tried; of more, the outermost stay where they are."""
TASKS = 4
"""Tasks that threads should have to share, where there are so many."""
WORTH = 0.9
"""Another order must move fewer bytes than this share of what the given one moves."""

Loops = tuple[tuple[int, tuple[int, ...]], ...]
"""Extent, and bytes that each operand moves per step."""


@lru_cache(maxsize=4096)
def best_order(loops: Loops, inside: Loops, caches: tuple[int, int], chunks: frozenset[int] = frozenset()) -> tuple[int, ...]:
    """The order of `loops` (outermost first, by number) around a tile whose own loops are `inside`; sizes of the two caches in bytes.

    `chunks`: loops that are not cut among threads; outside them must be others to cut.
    """
    given = tuple(number for number in range(len(loops)) if number not in chunks) + tuple(sorted(chunks))
    enough = min(TASKS, prod(extent for number, (extent, _) in enumerate(loops) if number not in chunks))
    free = given[-MOST:]
    fixed = given[: len(given) - len(free)]

    def cost(order: tuple[int, ...]) -> float:
        ordered = [loops[number] for number in order]
        return NEAR * _traffic(ordered, inside, caches[0]) + _traffic(ordered, inside, caches[1])

    best, least = given, cost(given) * WORTH
    for order in permutations(free):
        outside = takewhile(lambda number: number not in chunks, (*fixed, *order))
        if prod(loops[number][0] for number in outside) < enough:
            continue
        if (found := cost((*fixed, *order))) < least:
            best, least = (*fixed, *order), found
    return best


def _traffic(loops: Sequence[tuple[int, tuple[int, ...]]], inside: Loops, cache: int) -> float:
    """Bytes that come into a cache while all loops run."""
    operands = range(len(inside[0][1]) if inside else len(loops[0][1]) if loops else 0)
    body = list(inside)
    bytes_moved = [float(footprint(body, n)) for n in operands]
    for extent, strides in reversed(loops):
        before = [footprint(body, n) for n in operands]
        fits = sum(before) <= FULL * cache
        body.append((extent, strides))
        for n in operands:
            if not fits:
                bytes_moved[n] *= extent
            elif strides[n]:
                bytes_moved[n] *= footprint(body, n) / before[n]
    return sum(bytes_moved)


def footprint(body: Sequence[tuple[int, Sequence[int]]], operand: int) -> int:
    """Bytes of memory that some loops touch of an operand, in whole cache lines: steps may overlap, as those of a window do."""
    moving = [(extent, abs(strides[operand])) for extent, strides in body if strides[operand]]
    unit = FLOAT if any(stride < LINE for _, stride in moving) else LINE
    span = sum((extent - 1) * stride for extent, stride in moving) + LINE
    return min(prod(extent for extent, _ in moving) * unit, span)


def window(body: Sequence[tuple[int, Sequence[int]]], operand: int) -> int:
    """As `footprint`, but what windows have in common counts once: where larger steps stay within the reach of smaller ones."""
    merged: list[tuple[int, int]] = []
    for stride, extent in sorted((abs(strides[operand]), extent) for extent, strides in body if strides[operand]):
        count, step = merged[-1] if merged else (0, 1)
        if stride % step == 0 and stride // step <= count:
            merged[-1] = (extent - 1) * (stride // step) + count, step
        else:
            merged.append((extent, stride))
    return footprint([(extent, (stride,)) for extent, stride in merged], 0)
