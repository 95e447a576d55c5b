"""Which library runs Numba's threads. A parallel region costs 3 us with OpenMP and ten times that with Numba's own work queue."""
# pyright: reportAttributeAccessIssue=false, reportPrivateImportUsage=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from threading import RLock

import numba
from numba import config

from netspec import settings

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


def alone() -> AbstractContextManager[object]:
    """Around a parallel call: one at a time where the library may not bear two (the work queue ends the process)."""
    return nullcontext() if choose() else _LOCK


def layer() -> str:
    """`omp`, `tbb` or `workqueue`, once something has run in parallel."""
    return str(numba.threading_layer())
