"""The plan of memory against what a process really takes, and the largest batch that it allows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from netspec import ahead
from netspec.model import load
from netspec.runtime import room

SPEC = """net A { input image[16, 48, 48]
  conv(32, 3x3, pad=1) -> relu -> conv(32, 3x3, pad=1) -> relu -> maxpool(2) -> conv(16, 3x3, pad=1) -> relu -> gap -> dense(10) }
train A { data = npz("none.npz"); loss = cross_entropy; optimizer = sgd(lr=0.1, momentum=0.9); epochs = 1; batch = 96 }
"""
PROGRAM = """
import gc, json, sys
import numpy as np
from netspec.bench.timing import forget_peak, peak, resident
from netspec.model import load

def run(batch):
    net = load(sys.argv[1]).compile("train", batch, threads=2, target="avx2")
    x = np.full((batch, 16, 48, 48), 0.5, np.float32)
    net.step(x, np.arange(batch) % 10)
    net.evaluate(x, np.arange(batch) % 10)
    return net

run(64)  # libraries, code and threads are there now
gc.collect()
before = resident()
forget_peak()
net = run(136)
print(json.dumps([peak() - before, net.need("train", 136)]))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of a part of a process")
def test_a_process_takes_what_is_planned() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, SPEC], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    taken, planned = json.loads(done.stdout)
    assert 150 << 20 < planned < 250 << 20
    assert abs(taken - planned) <= 0.05 * planned, f"{taken >> 20} MiB taken, {planned >> 20} MiB planned"


def test_the_largest_batch_fits_and_the_next_one_does_not() -> None:
    net = load(SPEC).uncompiled(64, target="avx2", threads=2)
    free = 500 << 20
    found = room.largest(free, lambda batch: net.need("train", batch))
    assert found > 64
    assert net.need("train", found) <= free < net.need("train", found + 1)


def test_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free", lambda: 500 << 20)
    monkeypatch.setenv("NETSPEC_THREADS", "1")
    told = ahead.largest_batches(load(SPEC), target="avx2")
    assert told.startswith("A, avx2, 1 thread: the largest batch in 500.0 MiB of free memory: inference ")
    assert ", training " in told
    monkeypatch.setattr(room, "free", lambda: 1 << 10)
    assert ahead.largest_batches(load(SPEC), "infer", "avx2").endswith("inference none")


def test_another_batch_is_planned_as_it_would_be_compiled() -> None:
    """Winograd's tiles are chosen for a batch, and need memory of their own."""
    spec = "net A { input image[64, 56, 56]; conv(64, 3x3, pad=1) -> relu -> gap -> dense(10) }"
    small, large = (load(spec).uncompiled(batch, target="avx512", threads=2) for batch in (1, 48))
    assert small.need("infer", 48) == large.need("infer", 48)
    assert large.need("infer", 1) == small.need("infer", 1)
