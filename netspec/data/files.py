"""Reading bytes that claim a size: the claim is compared with the file before anything is allocated."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from netspec.diagnostics import UserError

LIMIT = 16 << 30
"""Bytes that one array may take, unpacked."""

DEFLATE = 1032
"""The most that one packed byte can stand for: a claim beyond it is false, whatever follows."""

_CHUNK = 1 << 20


def plausible(path: Path, what: str, announced: int, packed: int) -> None:
    """Refuse an announced size that `packed` bytes of deflate cannot hold, or that is beyond the limit. Raises UserError."""
    if announced > LIMIT:
        raise UserError(f"{path}: {what} announces {announced:,} bytes, the limit is {LIMIT:,}")
    if announced > packed * DEFLATE + _CHUNK:
        raise UserError(
            f"{path}: {what} announces {announced:,} bytes, more than its {packed:,} packed bytes can hold", "fetch the file again"
        )


def fill(stream: BinaryIO, array: NDArray[Any]) -> int:
    """Read until the contiguous array is full or the stream ends; how many bytes were read."""
    buffer, done = array.reshape(-1).view(np.uint8).data, 0
    while done < len(buffer):
        piece = stream.read(min(_CHUNK, len(buffer) - done))
        if not piece:
            break
        buffer[done : done + len(piece)] = piece
        done += len(piece)
    return done


def unreadable(path: Path, error: Exception) -> UserError:
    """The error for a file that the system does not give."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path}: no such file", f"looked in {path.parent.absolute()}")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UserError(f"{path}: cannot be read: {reason}")
