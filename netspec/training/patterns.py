"""Patterns that choose weights: `weight`, `c1.bias`, `stage.0`, `*.bias`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

Patterns = str | tuple[str, ...]
"""One pattern or several, of which any may match; none at all matches everything."""


def matches(pattern: str, path: str) -> bool:
    """Whether the pattern's segments stand in a row in the path; `*` is any text within one segment."""
    return _compiled(pattern).search(path) is not None


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
def _compiled(pattern: str) -> re.Pattern[str]:
    row = r"\.".join("[^.]*".join(map(re.escape, segment.split("*"))) for segment in pattern.split("."))
    return re.compile(rf"(?:^|(?<=\.)){row}(?=\.|$)")
