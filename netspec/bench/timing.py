"""The time of a call, and the memory of a process."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from netspec.records import record

LONG = 0.5
"""Seconds from which a call is its own warm-up: it goes through all its memory anyway."""


@record
class Timing:
    """A measurement: seconds per call, and how many calls it is the mean of."""

    seconds: float
    calls: int


def time_per_call(call: Callable[[], object], least: float) -> Timing:
    """Repeat a call until `least` seconds are spent. The clock is read after 1, 2, 4, .. calls, so that it costs nothing."""
    calls, chunk, start = 0, 1, perf_counter()
    while True:
        for _ in range(chunk):
            call()
        calls += chunk
        spent = perf_counter() - start
        if spent >= least:
            return Timing(spent / calls, calls)
        chunk = max(1, min(chunk * 2, int((least - spent) * calls / spent) + 1))


def warm(call: Callable[[], object]) -> float:
    """Call once, and again where that was short; the last call's seconds."""
    spent = 0.0
    for _ in range(2):
        start = perf_counter()
        call()
        spent = perf_counter() - start
        if spent > LONG:
            break
    return spent


def resident() -> int:
    """The bytes of memory that this process holds now."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return peak()


def peak() -> int:
    """The most bytes that this process has held, since it began or since the peak was forgotten."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def forget_peak() -> None:
    """Let the peak begin anew at what is held now, where Linux lets a process do so (proc(5), clear_refs)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return
