"""Long lists of paths, folded where a block has them all: `stage.0.basic.2` for its seven layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

FEWEST: Final = 3
"""Paths that a line for all of them is shorter than."""


def folded(paths: Sequence[str], others: Sequence[str] = ()) -> Iterator[tuple[str | None, range]]:
    """Runs of paths, by their numbers: with the call of a block, or pass of a loop, that has them and none of the `others`; else alone."""
    known = {prefix for path in others for prefix in _prefixes(path)}
    start = 0
    for block, run in groupby(paths, lambda path: next((prefix for prefix in _prefixes(path) if prefix not in known), None)):
        numbers = range(start, start + len(list(run)))
        start = numbers.stop
        if block is not None and len(numbers) >= FEWEST:
            yield block, numbers
        else:
            yield from ((None, range(at, at + 1)) for at in numbers)


def _prefixes(path: str) -> Iterator[str]:
    """The blocks and passes that a path leads through, from the outside in: what ends with a number."""
    segments = path.split(".")
    for k in range(2, len(segments)):
        if segments[k - 1].isdecimal():
            yield ".".join(segments[:k])
