"""Where buffers lie in an arena: those that do not live at the same time share memory.

Tensors with a border share only with tensors of the same form: the zeros around them are written once, and nobody writes there again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from netspec.schedule.program import Mode
from netspec.schedule.steps import Step

ALIGN = 64
"""Floats: the largest tile of a kernel that may write whole vectors over the last image."""
SLACK = 128
"""Floats behind an arena that a vector may read over its end."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A buffer of so many floats, alive from launch `first` to launch `last`. Pieces of the same `form` may take turns; None: with all."""

    name: str
    size: int
    first: int
    last: int
    form: Hashable | None = None


Span = tuple[Mode, int, int]
"""A segment: its mode, its first and its last step."""


@dataclass(frozen=True, slots=True)
class Life:
    """First and last step that use a tensor; the mode of the segments that do, `together` where they differ."""

    first: int
    last: int
    mode: Mode


def lifetimes(segments: Sequence[tuple[Mode, Sequence[Step]]]) -> dict[str, Life]:
    """When every tensor is used. What passes from a segment that takes image by image to another one lives through the whole of it: the
    next image must not write there.
    """
    uses: dict[str, dict[Span, list[int]]] = {}
    begin = 0
    for mode, steps in segments:
        span = mode, begin, begin + len(steps) - 1
        for time, step in enumerate(steps, begin):
            for name in (*step.writes, *step.reads):
                uses.setdefault(name, {}).setdefault(span, []).append(time)
        begin += len(steps)
    return {name: _life(spans) for name, spans in uses.items()}


def _life(uses: Mapping[Span, Sequence[int]]) -> Life:
    if len(uses) == 1:
        ((mode, _, _), times) = next(iter(uses.items()))
        return Life(min(times), max(times), mode)
    times = [time for (mode, begin, end), inside in uses.items() for time in ((begin, end) if mode == "by_image" else inside)]
    return Life(min(times), max(times), "together")


def place(pieces: list[Piece]) -> tuple[dict[str, int], int]:
    """The offset of each buffer and the size of the arena, in floats. Larger pieces first, each at the lowest place that is free while it
    lives.
    """
    merged, members = _take_turns(pieces)
    placed: list[tuple[int, Piece]] = []
    offsets: dict[str, int] = {}
    for piece in sorted(merged, key=lambda item: (-item.size, item.first, item.name)):
        busy = sorted((offset, offset + other.size) for offset, other in placed if other.first <= piece.last and piece.first <= other.last)
        offset = 0
        for begin, end in busy:
            if offset + piece.size <= begin:
                break
            offset = max(offset, aligned(end))
        placed.append((offset, piece))
        offsets.update(dict.fromkeys(members[piece.name], offset))
    return offsets, max((aligned(offset + piece.size) for offset, piece in placed), default=0) + (SLACK if placed else 0)


def _take_turns(pieces: list[Piece]) -> tuple[list[Piece], Mapping[str, list[str]]]:
    """Pieces with a form become pools that live for ever, each used by one piece after the other."""
    free = [piece for piece in pieces if piece.form is None]
    members = {piece.name: [piece.name] for piece in free}
    pools: defaultdict[Hashable, list[list[Piece]]] = defaultdict(list)
    for piece in sorted((item for item in pieces if item.form is not None), key=lambda item: (item.first, item.name)):
        pool = next((pool for pool in pools[piece.form] if pool[-1].last < piece.first), None)
        if pool is None:
            pools[piece.form].append([piece])
        else:
            pool.append(piece)
    for pool in (pool for group in pools.values() for pool in group):
        members[pool[0].name] = [item.name for item in pool]
        free.append(Piece(pool[0].name, max(item.size for item in pool), 0, 1 << 60))
    return free, members


def aligned(offset: int) -> int:
    """The next place where a tensor may start."""
    return -(-offset // ALIGN) * ALIGN
