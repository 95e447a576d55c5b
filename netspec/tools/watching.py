"""`netspec check --watch`: a file is checked again whenever it changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

PAUSE = 0.3
"""Seconds between two looks at the file's time and size: no work at all while nothing changes."""


def changes(path: Path, pause: float = PAUSE) -> Iterator[None]:
    """Once at the beginning, then whenever the file is another one. While it is gone, as editors do when they save, nothing comes."""
    seen: tuple[int, int, int] | None = None
    while True:
        now = _state(path)
        if now is not None and now != seen:
            seen = now
            yield
        else:
            time.sleep(pause)


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
