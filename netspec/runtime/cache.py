"""Numba's on-disk cache, kept in netspec's private folder whatever the rest of the process uses."""
# pyright: reportUnknownMemberType=false, reportAttributeAccessIssue=false, reportUnknownVariableType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba import config, njit

from netspec.settings import cache_folder


@contextmanager
def private_cache() -> Generator[Path]:
    """Functions decorated with `cache=True` inside keep their compiled code in the private folder. Yields that folder.

    Numba chooses the folder when it decorates, so its global setting is only borrowed: the user's own functions are not moved.
    Numba's key is the text of the function's file, not of what that imports: a compiled function calls only compiled functions of its
    own file, or of files whose name tells their content.
    """
    before = config.CACHE_DIR
    folder = cache_folder() / f"numba-{numba.__version__}-{llvmlite.__version__}"
    config.CACHE_DIR = str(folder)
    try:
        yield folder
    finally:
        config.CACHE_DIR = before


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of this package: nopython, without the GIL, cached. IEEE arithmetic, division by zero gives infinity."""
    with private_cache():
        return njit(cache=True, nogil=True, error_model="numpy")(function)
