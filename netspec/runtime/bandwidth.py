"""How fast this machine moves bytes: `a = a + factor * b` over arrays of some size, in every thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from netspec.runtime.cache import compiled

Floats = NDArray[np.float32]
FAR = 32 << 20
"""Bytes of an array that no cache holds beside another one."""
SWEPT = 96 << 20
"""Bytes that a thread moves in a measurement, at least: once over what lies in memory."""


@compiled
def _sweep(a: Floats, b: Floats, factor: np.float32, repeats: int) -> None:
    for _ in range(repeats):
        for k in range(len(a)):
            a[k] = a[k] + factor * b[k]


class Bandwidth:
    """Threads that sweep over arrays of their own: `near` of them fit into a cache of so many bytes, others are in memory."""

    def __init__(self, threads: int, cache: int) -> None:
        self._threads, self._pool = threads, ThreadPoolExecutor(threads)
        self._near, self._far = (self._arrays(size) for size in (cache // 4, FAR))
        self.near()

    def near(self) -> float:
        """Bytes per second of all threads together, from and to their second-level caches."""
        return self._measured(self._near)

    def far(self) -> float:
        """Bytes per second from and to memory."""
        return self._measured(self._far)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _arrays(self, size: int) -> list[tuple[Floats, Floats]]:
        return [(np.ones(size // 4, np.float32), np.ones(size // 4, np.float32)) for _ in range(self._threads)]

    def _measured(self, arrays: list[tuple[Floats, Floats]]) -> float:
        moved = 3 * arrays[0][0].nbytes  # two arrays are read, one is written
        repeats = -(-SWEPT // moved)
        start = perf_counter()
        list(self._pool.map(lambda pair: _sweep(*pair, np.float32(1e-9), repeats), arrays))
        return moved * repeats * self._threads / (perf_counter() - start)
