"""The bench itself: start the candidates, compare what they compute, then time them in turns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netspec.bench.candidates import NETSPEC, PEAK, REFERENCE, Candidate
from netspec.bench.channel import Failed, Worker
from netspec.bench.job import Job, Mode
from netspec.bench.results import Case, Entry, Memory
from netspec.diagnostics import UserError
from netspec.elaborate import Setting
from netspec.model import Model
from netspec.records import record
from netspec.runtime import room

Tell = Callable[[str], None]
TRAINED = 1e-3
"""Relative error that the loss after a few steps may have: where a sum of about zero rounds to the other side, relu passes another
gradient, in every library.
"""


@record
class Plan:
    """How to measure: `rounds` times, each candidate in turn repeats its call for `least` seconds, after a `pause` in which the threads of
    the one before fall asleep.
    """

    rounds: int = 9
    least: float = 0.03
    pause: float = 0.25


@record
class Question:
    """What to run: a net with the parameters it was made with."""

    model: Model
    mode: Mode
    batch: int
    threads: int
    target: str | None = None


def run(question: Question, peers: Sequence[Candidate], plan: Plan, tell: Tell) -> Case:
    """Netspec and its peers on one net and batch. Whoever cannot take part is in the result with the reason.

    Raises UserError where the results cannot be judged.
    """
    with tempfile.TemporaryDirectory(prefix="netspec-bench-") as folder, ExitStack() as stack:
        job = _job(question, Path(folder))
        tell("drawing weights and samples")
        job.write()
        expected = _reference(job, tell)
        group = _Group(job, expected, stack, tell)
        for candidate in (NETSPEC, *peers):
            group.add(candidate)
        group.add_peak()
        group.time(plan)
        return group.case()


def _job(question: Question, folder: Path) -> Job:
    made, source = question.model, question.model.source
    params: Mapping[str, Setting] = made.params
    return Job(source.file, source.text, made.name, params, question.mode, question.batch, question.threads, question.target, folder)


def _reference(job: Job, tell: Tell) -> NDArray[np.float64]:
    """What float64 gives, from a process that ends before others begin."""
    tell("computing what float64 gives")
    with Worker(REFERENCE.name, job.folder, job.threads) as worker:
        try:
            worker.ask("build")
            return np.load(worker.ask("results")["file"])
        except Failed as failure:
            raise UserError(f"{job.net}: no reference to compare results with: {failure}") from failure


class _Group:
    """The candidates of one case."""

    def __init__(self, job: Job, expected: NDArray[np.float64], stack: ExitStack, tell: Tell) -> None:
        self._job, self._expected, self._stack, self._tell = job, expected, stack, tell
        self._entries: dict[str, Entry] = {}
        self._running: dict[str, Worker] = {}
        self._peak: list[float] = []
        self._peak_operations = 0
        self._largest = 0

    def add(self, candidate: Candidate) -> None:
        """Start a candidate and compare what it computes; who is not there, fails or is wrong is not timed."""
        name = candidate.name
        if self._job.mode not in candidate.modes:
            entry = Entry(name, "unsuited", "inference only")
        elif not candidate.installed:
            entry = Entry(name, "missing", f"pip install {candidate.package}")
        elif (free := room.free()) is not None and free < self._largest:
            entry = Entry(name, "failed", f"only {free / 2**30:.1f} GiB are free beside the others: run it with `--against {name}` alone")
        else:
            entry = self._started(name)
        self._entries[name] = entry

    def _started(self, name: str) -> Entry:
        self._tell(f"{name}: building")
        worker = self._stack.enter_context(Worker(name, self._job.folder, self._job.threads))
        try:
            built = worker.ask("build")
            found = worker.ask("results")
        except Failed as failure:
            worker.close()
            return Entry(name, "failed", str(failure))
        error = self._error(np.load(found["file"]))
        self._largest = max(self._largest, found["resident"])
        entry = Entry(name, "timed", "", built["version"], built["settings"], error)
        allowed = TRAINED if self._job.training else found["tolerance"]
        if not error <= allowed:
            worker.close()
            return replace(entry, state="wrong", reason=f"relative error {error:.1e}, at most {allowed:.0e} is allowed")
        self._running[name] = worker
        return entry

    def _error(self, found: NDArray[np.floating]) -> float:
        """Of inference the largest deviation relative to the largest element; of training the relative error of the last loss."""
        expected = self._expected
        if found.shape != expected.shape:
            return float("inf")
        if self._job.training:
            return abs(float(found[-1]) - float(expected[-1])) / abs(float(expected[-1]))
        return float(np.abs(found - expected).max() / np.abs(expected).max())

    def add_peak(self) -> None:
        """Start what measures the machine; where that fails, shares of the peak are left out."""
        worker = self._stack.enter_context(Worker(PEAK.name, self._job.folder, self._job.threads))
        try:
            self._peak_operations = worker.ask("build")["operations"]
            self._running[PEAK.name] = worker
        except Failed:
            worker.close()

    def time(self, plan: Plan) -> None:
        """In every round each candidate once; who begins changes from round to round."""
        for k in range(plan.rounds):
            names = list(self._running)
            first = k % max(1, len(names))
            for name in names[first:] + names[:first]:
                self._tell(f"round {k + 1} of {plan.rounds}: {name}")
                time.sleep(plan.pause)
                self._measure(name, plan.least)
        for name in set(self._running) - {PEAK.name}:
            self._ask_memory(name)

    def _measure(self, name: str, least: float) -> None:
        try:
            seconds = float(self._running[name].ask("time", least=least)["seconds"])
        except Failed as failure:
            self._drop(name, str(failure))
            return
        if name == PEAK.name:
            self._peak.append(self._peak_operations / seconds)
        else:
            entry = self._entries[name]
            self._entries[name] = replace(entry, seconds=(*entry.seconds, seconds))

    def _ask_memory(self, name: str) -> None:
        try:
            self._entries[name] = replace(self._entries[name], memory=Memory(**self._running[name].ask("memory")))
        except Failed as failure:
            self._drop(name, str(failure))

    def _drop(self, name: str, reason: str) -> None:
        self._running.pop(name).close()
        if name in self._entries:
            self._entries[name] = replace(self._entries[name], state="failed", reason=reason)

    def case(self) -> Case:
        """What was found."""
        job = self._job
        return Case(job.net, job.mode, job.batch, job.threads, job.operations, tuple(self._entries.values()), tuple(self._peak))
