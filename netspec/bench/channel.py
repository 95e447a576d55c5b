"""How the bench and its processes talk: a JSON object a line, on pipes. Arrays go through files.

    {"do": "time", "least": 0.03}   ->   {"ok": true, "seconds": 0.0017, "calls": 18}
                                    or   {"ok": false, "reason": "RuntimeError: .."}

A library may print whatever it likes: its process's standard output is led to standard error, which goes into a file.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from netspec import settings

PATIENCE = 3600.0
"""Seconds until an answer is given up: torch.compile takes minutes for a large net on a few cores."""


class Failed(Exception):
    """A process could not do what it was asked, and says why."""


class Worker:
    """A process that runs one candidate."""

    def __init__(self, name: str, folder: Path, threads: int) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        command = [sys.executable, "-m", "netspec.bench.worker", name, str(folder), str(threads)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=settings.of_worker(threads)
            )  # fmt: skip

    def ask(self, do: str, **arguments: object) -> dict[str, Any]:
        """What the process answers. Raises Failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self._death()) from None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        if not ready:
            self._process.kill()
            raise Failed(f"`{do}` was given up after {PATIENCE / 60:.0f} minutes")
        line = self._process.stdout.readline()
        if not line:
            raise Failed(self._death())
        answer: dict[str, Any] = json.loads(line)
        if not answer.pop("ok"):
            raise Failed(str(answer["reason"]))
        return answer

    def _death(self) -> str:
        """How the process ended, with the last line that it wrote."""
        code = self._process.wait(timeout=10)
        how = (
            f"ended by signal {-code}{', as the system does when memory runs out' if code == -9 else ''}"
            if code < 0
            else f"ended with {code}"
        )
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"its process {how}: {lines[-1]}" if lines else f"its process {how}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if it has not ended."""
        self._process.kill()
        self._process.communicate()  # which also closes the pipes
