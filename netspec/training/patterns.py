"""Patterns that choose weights: `weight`, `c1.bias`, `stage.0`, `*.bias`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

Patterns = str | tuple[str, ...]
"""One pattern or several, of which any may match; none at all matches everything."""


def matches(pattern: str, path: str) -> bool:
    """Whether the pattern's segments stand in a row in the path; `*` is any text within one segment."""
    row, segments = _row(pattern), path.split(".")
    return any(
        all(_fits(pieces, segment) for pieces, segment in zip(row, segments[at:], strict=False))
        for at in range(len(segments) - len(row) + 1)
    )


def selected(paths: Iterable[str], on: Patterns = (), excluded: Patterns = ()) -> list[str]:
    """The paths that a pattern of `on` matches (all, when there is none) and none of `excluded`, in their order."""
    return [path for path in paths if matching(path, on, excluded)]


def matching(path: str, on: Patterns = (), excluded: Patterns = ()) -> bool:
    """Whether a pattern of `on` matches (or there is none) and none of `excluded`."""
    wanted, unwanted = listed(on), listed(excluded)
    return (not wanted or any(matches(item, path) for item in wanted)) and not any(matches(item, path) for item in unwanted)


def listed(patterns: Patterns) -> tuple[str, ...]:
    """Patterns as a tuple."""
    return (patterns,) if isinstance(patterns, str) else patterns


@lru_cache(maxsize=1024)
def _row(pattern: str) -> tuple[tuple[str, ...], ...]:
    """Of each segment the texts between its stars."""
    return tuple(tuple(segment.split("*")) for segment in pattern.split("."))


def _fits(pieces: tuple[str, ...], segment: str) -> bool:
    """Each piece at its first place behind the one before: if that does not fit, nothing does. A regex tries all places of all stars."""
    if len(pieces) == 1:
        return segment == pieces[0]
    first, *between, last = pieces
    at, end = len(first), len(segment) - len(last)
    if at > end or not segment.startswith(first) or not segment.endswith(last):
        return False
    for piece in between:
        if (found := segment.find(piece, at, end)) < 0:
            return False
        at = found + len(piece)
    return True
