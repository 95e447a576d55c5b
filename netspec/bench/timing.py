"""The time of a call, and the memory of a process."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
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
    """The most bytes that this process has held, since it began or since the peak was forgotten.

    On Linux by its own record: `ru_maxrss` of a new process begins with what its parent holds.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    except (OSError, StopIteration):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def forget_peak() -> None:
    """Let the peak begin anew at what is used now, where Linux lets a process do so (proc(5), clear_refs).

    What was used before and is free goes back to the system first: what a compiler left behind is not held against the net.
    """
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return
