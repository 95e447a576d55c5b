"""A program's launches one at a time: what each of them takes by itself, as the engine runs it in its own mode."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter

import numpy as np

from netspec.runtime.executable import Executable
from netspec.runtime.table import Integers, Table, make_table
from netspec.runtime.threads import one_at_a_time

LEAST, MOST = 2e-4, 64
"""Seconds that a call should take, so that the way from Python costs no more than a hundredth of it, and the most repeats in one call."""


class Singles:
    """Times a whole step and its launches. The executable has run once, so that its memory holds numbers of a step."""

    def __init__(self, exe: Executable, table: Table, images: int) -> None:
        self._exe, self._table, self._images = exe, table, images
        self._calls: dict[int, tuple[Callable[[], None], int]] = {}
        self._loading = make_table(exe.program, exe.program.load, exe.drivers, exe.bases, 1) if exe.program.load else None

    def step(self) -> float:
        """The seconds of a step."""
        return _seconds(self._call(self._table.segments, self._table.launches, self._exe.part_bytes))

    def loading(self) -> float:
        """The seconds of what runs once when weights are loaded."""
        if self._loading is None:
            return 0.0
        return _seconds(self._call(self._loading.segments, self._loading.launches, 0))

    def launch(self, number: int) -> float:
        """The seconds of the launch of that number, counted through all segments."""
        if number not in self._calls:
            self._calls[number] = self._repeated(number)
        call, repeats = self._calls[number]
        return _seconds(call) / repeats

    def _repeated(self, number: int) -> tuple[Callable[[], None], int]:
        """As many in one call as make it long enough; two calls to know how many, the first of which wakes threads and caches."""
        once = self._of(number, 1)
        once()
        repeats = min(MOST, max(1, round(LEAST / _seconds(once))))
        return (once, 1) if repeats == 1 else (self._of(number, repeats), repeats)

    def _of(self, number: int, repeats: int) -> Callable[[], None]:
        """A segment of its mode with this launch alone. Sums of parts are not cleared: they go on growing until the next step."""
        segment = next(row for row in self._table.segments if row[1] <= number < row[2])
        segments = np.array([[segment[0], 0, repeats, segment[3]]], np.int64)
        return self._call(segments, np.repeat(self._table.launches[number : number + 1], repeats, axis=0), 0)

    def _call(self, segments: Integers, launches: Integers, part_bytes: int) -> Callable[[], None]:
        from netspec.runtime.engine import run

        *rest, _ = self._exe.surroundings(self._images)
        return partial(one_at_a_time(run), segments, launches, *rest, part_bytes)


def _seconds(call: Callable[[], None]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start
