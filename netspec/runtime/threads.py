"""Which library runs Numba's threads. A parallel region costs 3 us with OpenMP and ten times that with Numba's own work queue."""
# pyright: reportAttributeAccessIssue=false, reportPrivateImportUsage=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from threading import RLock
from typing import ParamSpec, TypeVar

import numba
from numba import config

from netspec import settings

P = ParamSpec("P")
R = TypeVar("R")
_LOCK = RLock()


@cache
def choose() -> bool:
    """Take OpenMP where the system's library is found; else Numba takes TBB, else its own work queue. Whether it is OpenMP.

    To be called before the first parallel region: Numba keeps to what that one used. NUMBA_THREADING_LAYER is obeyed.
    """
    settings.wait_briefly()
    if config.THREADING_LAYER == "default":
        try:
            import_module("numba.np.ufunc.omppool")
        except ImportError:
            return False
        config.THREADING_LAYER = "omp"
    return config.THREADING_LAYER == "omp"


def one_at_a_time(call: Callable[P, R]) -> Callable[P, R]:
    """A parallel function that may be called from several threads: one after the other where the library does not bear two at once (the
    work queue ends the process).
    """
    if choose():
        return call

    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        with _LOCK:
            return call(*args, **kwargs)

    return guarded


def layer() -> str:
    """`omp`, `tbb` or `workqueue`, once something has run in parallel."""
    return str(numba.threading_layer())
