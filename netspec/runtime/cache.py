"""Numba's on-disk cache, kept in netspec's private folder whatever the rest of the process uses."""
# pyright: reportUnknownMemberType=false, reportAttributeAccessIssue=false, reportUnknownVariableType=false, reportMissingTypeStubs=false

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba import config, njit

from netspec.kernels import random
from netspec.settings import cache_folder


@cache
def _sources() -> str:
    digest = hashlib.sha256()
    for path in (*sorted(Path(__file__).parent.glob("*.py")), Path(random.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def private_cache() -> Generator[Path]:
    """Functions decorated with `cache=True` inside keep their compiled code in the private folder. Yields that folder.

    Numba chooses the folder when it decorates, so its global setting is only borrowed: the user's own functions are not moved.
    Numba's key is the text of the function's file, not of what that imports: the folder's name therefore tells the text of this package
    and of the random numbers, all that a compiled function here may call.
    """
    before = config.CACHE_DIR
    folder = cache_folder() / f"numba-{numba.__version__}-{llvmlite.__version__}-{_sources()}"
    config.CACHE_DIR = str(folder)
    try:
        yield folder
    finally:
        config.CACHE_DIR = before


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of this package: nopython, without the GIL, cached. IEEE arithmetic, division by zero gives infinity."""
    with private_cache():
        return njit(cache=True, nogil=True, error_model="numpy")(function)
