"""One candidate in its process: made, compared, timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from netspec.bench.candidates import ALL, Built
from netspec.bench.job import STEPS, Job, read
from netspec.bench.timing import forget_peak, peak, resident, time_per_call, warm

Answer = dict[str, Any]


class Process:
    """The candidate and what was measured so far."""

    def __init__(self, name: str, folder: Path) -> None:
        self.candidate, self.folder = ALL[name], folder
        self._job: Job | None = None
        self._built: Built | None = None
        self._before = self._most = 0

    def answer(self, do: str, arguments: dict[str, Any]) -> Answer:
        """Do what is asked; any error is the answer then."""
        ways: dict[str, Callable[..., Answer]] = {"build": self.build, "results": self.results, "time": self.time, "memory": self.memory}
        try:
            return {"ok": True, **ways[do](**arguments)}
        except Exception as error:
            import traceback

            traceback.print_exc()
            first = str(error).strip().partition("\n")[0]
            return {"ok": False, "reason": f"{type(error).__name__}: {first}" if first else type(error).__name__}

    def build(self) -> Answer:
        """Make the net; memory is counted from here, when the library and the samples are loaded."""
        make = self.candidate.load()
        self._job = read(self.folder)
        _ = self._job.model, self._job.x, self._job.labels
        self._before = resident()
        forget_peak()
        self._built = make(self._job)
        return {"settings": self._built.settings, "version": self.candidate.version(), "operations": self._built.operations}

    def results(self) -> Answer:
        """What is to be compared: the result of inference, or the losses before training and after each of a few steps."""
        assert self._built is not None
        assert self._job is not None
        built = self._built
        if self._job.training:
            found = np.array([built.read(built.call()) for _ in range(STEPS + 1)], np.float64)
        else:
            found = np.asarray(built.read(built.call()))
        place = self.folder / f"{self.candidate.name}.npy"
        np.save(place, found)
        return {"file": str(place), "tolerance": built.tolerance}

    def time(self, least: float) -> Answer:
        """Seconds of a call. A process that did nothing for a while warms up first."""
        assert self._built is not None
        if not self._most:
            self._most = peak()
            forget_peak()
        warm(self._built.call)
        timing = time_per_call(self._built.call, least)
        return {"seconds": timing.seconds, "calls": timing.calls}

    def memory(self) -> Answer:
        """Bytes above those before the net was built: the most while it was timed, and the most at all, its compiler included."""
        running = peak()
        return {"running": running - self._before, "most": max(self._most, running) - self._before}
