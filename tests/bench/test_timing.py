"""The time of a call, on a clock that only moves when something is called."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from netspec.bench import timing


@pytest.mark.parametrize(("cost", "calls"), [(0.001, 30), (0.0021, 15), (0.04, 1), (7.0, 1)])
def test_calls_are_repeated_until_enough_time_is_spent(cost: float, calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0

    def call() -> None:
        nonlocal now
        now += cost

    monkeypatch.setattr(timing, "perf_counter", lambda: now)
    found = timing.time_per_call(call, 0.03)
    assert found.seconds == pytest.approx(cost)
    assert calls <= found.calls <= calls + 1


def test_a_long_call_warms_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now, count = 0.0, 0

    def call() -> None:
        nonlocal now, count
        now, count = now + cost, count + 1

    monkeypatch.setattr(timing, "perf_counter", lambda: now)
    for cost, wanted in ((0.6, 1), (0.01, 2)):  # noqa: B007 (the call reads it)
        count = 0
        timing.warm(call)
        assert count == wanted


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be forgotten on Linux alone")
def test_the_peak_of_memory_can_begin_anew() -> None:
    np.ones(8 << 20).sum()  # 64 MiB, given back
    before = timing.peak()
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this kernel keeps it")
    timing.forget_peak()
    held = timing.resident()
    if timing.peak() > before - (32 << 20):
        pytest.skip("this kernel does not let a process forget it")
    block = np.ones(4 << 20)
    assert timing.peak() >= held + block.nbytes - (4 << 20)
