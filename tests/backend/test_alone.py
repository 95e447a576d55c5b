"""Targets other than this machine's, forced; and the same bits for every number of threads. Each in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROCESSORS = {"avx2": "haswell", "plain": "x86-64"}
"""The processor that LLVM may assume: no instruction that the target lacks is there by luck."""


def alone(*arguments: str, **environment: str) -> Any:
    """The result of tests.backend.alone."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.backend.alone", *arguments],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("target", ["avx2", "neon", "plain"])
def test_lenet_on_other_targets(target: str) -> None:
    assert platform.machine() in {"x86_64", "AMD64"} or target not in PROCESSORS
    forced = {"NUMBA_CPU_NAME": PROCESSORS[target], "NUMBA_CPU_FEATURES": ""} if target in PROCESSORS else {}
    found = alone("target", target, **forced)
    assert found["logits"] < 1
    assert found["update"] < 10


def test_bits_do_not_depend_on_threads() -> None:
    runs = {threads: alone("bits", str(threads), NUMBA_NUM_THREADS="4") for threads in (1, 2, 4)}
    assert runs[1] == runs[2] == runs[4]
    assert len(set(runs[1].values())) == len(runs[1])
