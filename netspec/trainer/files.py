"""Files that are whole or not there: written beside their place, flushed to disk, then moved over what was there before."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from netspec.diagnostics import UserError

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def write(path: Path, content: bytes) -> None:
    """Replace a file as a whole: after a crash at any moment, `path` holds the old content or the new.

    Raises UserError where that cannot be done, a full disk among it; the old content then stays.
    """
    beside = path.with_name(f".{path.name}.tmp")  # always the same name: a killed writer leaves at most one, and the next one takes it
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        _sync_folder(path.parent)
    except OSError as error:
        beside.unlink(missing_ok=True) if beside.is_file() else None
        raise unwritable(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Make the move itself last through a power cut. Windows cannot open a folder and needs no such thing."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, content: Mapping[str, Json]) -> None:
    """A readable JSON file, whole or not there. Raises UserError."""
    write(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def unwritable(path: Path, error: OSError) -> UserError:
    """The error for a place that cannot be written."""
    reason = (error.strerror or str(error)).lower()
    return UserError(f"cannot write {path}: {reason}", "free some space" if "space" in reason else "choose another folder with `--runs`")


def parent_of_runs(root: Path, net: str) -> Path:
    """Make `root/net`. Raises UserError where no run can be saved in it."""
    assert re.fullmatch(r"\w+", net), net
    parent = root / net
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(parent, error) from error
    if not os.access(parent, os.W_OK | os.X_OK):
        raise unwritable(parent, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return parent


def create_run(root: Path, net: str) -> Path:
    """Make `root/net/n` with the next free number, from 1; two processes never get the same. Raises UserError where it cannot be made."""
    parent = parent_of_runs(root, net)
    try:
        number = 1 + max((int(item.name) for item in parent.iterdir() if item.name.isdecimal()), default=0)
        while True:
            try:
                folder = parent / str(number)
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
    except OSError as error:
        raise unwritable(parent, error) from error
