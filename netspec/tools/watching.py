"""`netspec check --watch`: a file is checked again whenever it, or what it imports, changes."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from pathlib import Path

_State = tuple[int, int, int] | None

PAUSE = 0.3
"""Seconds between two looks at the file's time and size: no work at all while nothing changes."""


def changes(path: Path, others: Collection[Path], pause: float = PAUSE) -> Iterator[None]:
    """Once at the beginning, then whenever the file is another one, or one of the others, which may become more in between.

    While the file is gone, as editors do when they save, nothing comes.
    """
    seen: dict[Path, _State] = {}
    while True:
        now = {item: _state(item) for item in (path, *others)}
        changed = path not in seen or any(state != seen.get(item, state) for item, state in now.items())
        if changed and now[path] is not None:
            yield
        else:
            time.sleep(pause)
        if now[path] is not None:
            seen = now


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
