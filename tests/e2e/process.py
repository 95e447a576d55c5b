"""netspec as a user runs it: a process of its own, its exit code, what it prints, what it leaves on disk."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netspec.trainer.checkpoint import Checkpoint, load

ROOT = Path(__file__).parents[2]
TIMED = 2
"""Columns of metrics.csv, the last ones, that measure time."""


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NETSPEC_TARGET", "NETSPEC_THREADS", "NUMBA_NUM_THREADS")}
    return kept | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | changes


def netspec(*arguments: str | Path, cwd: Path, largest_file: int | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `changes` of the environment. No file may grow larger than `largest_file` KiB."""
    command = [sys.executable, "-m", "netspec", *map(str, arguments)]
    limited = command if largest_file is None else ["bash", "-c", f'ulimit -f {largest_file}; exec "$@"', "bash", *command]
    found = subprocess.run(limited, capture_output=True, cwd=cwd, env=_environment(changes), check=False, timeout=300)
    return subprocess.CompletedProcess(command, found.returncode, found.stdout.decode(), found.stderr.decode())


@contextmanager
def started(*arguments: str | Path, cwd: Path) -> Generator[subprocess.Popen[str]]:
    """A command under way; it does not outlive the block."""
    command = [sys.executable, "-m", "netspec", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, cwd=cwd, env=_environment({})) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], beginning: str) -> None:
    """Wait for a line of its output."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f"no line {beginning!r}: {process.stderr.read() if process.stderr else ''}")


def interrupt(process: subprocess.Popen[str], number: signal.Signals, after: float) -> tuple[str, str]:
    """Send a signal so many seconds from now and wait for the end: the rest of what it prints."""
    time.sleep(after)
    process.send_signal(number)
    return process.communicate(timeout=60)


def epochs(run: Path) -> list[list[str]]:
    """metrics.csv without what measures time."""
    with (run / "metrics.csv").open(newline="") as file:
        return [row[:-TIMED] for row in csv.reader(file)]


def last(run: Path) -> Checkpoint:
    """The checkpoint that a run goes on from."""
    return load(run / "last.safetensors")


def same_bits(one: Path, other: Path) -> bool:
    """Whether two runs have the same weights, optimizer, best weights, place and figures, to the bit."""
    for name in ("last.safetensors", "best.safetensors"):
        first, second = load(one / name), load(other / name)
        assert list(first.tensors) == list(second.tensors)
        if any(value.tobytes() != second.tensors[key].tobytes() for key, value in first.tensors.items()):
            return False
        if first.metadata["state"] != second.metadata["state"]:
            return False
    return epochs(one) == epochs(other)


def idx(array: NDArray[np.integer]) -> bytes:
    """An IDX file of bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()
