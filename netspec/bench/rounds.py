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

BASE = 500 << 20
"""Bytes that a library takes before it holds a net."""


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

    Where memory does not hold all at once, there are several groups, netspec in each. Raises UserError where results cannot be judged.
    """
    with tempfile.TemporaryDirectory(prefix="netspec-bench-") as folder:
        job = _job(question, Path(folder))
        tell("drawing weights and samples")
        job.write()
        expected, groups, waiting = _reference(job, tell), list[_Group](), list(peers)
        while waiting or not groups:
            with ExitStack() as stack:
                group = _Group(job, expected, stack, tell)
                waiting = group.fill(waiting)
                group.time(plan)
            groups.append(group)
        return _joined(job, plan, groups, [peer.name for peer in peers])


def _joined(job: Job, plan: Plan, groups: Sequence[_Group], peers: Sequence[str]) -> Case:
    """All groups as one case; netspec's entry has its measurements from each of them."""
    found = [group.compared() for group in groups]
    ours = [entries[NETSPEC.name] for entries in found]
    first = next((entry for entry in ours if entry.state != "timed"), ours[0])
    if first.state == "timed":
        seconds, peak = (sum((getattr(entry, name) for entry in ours), ()) for name in ("seconds", "peak"))
        first = replace(first, seconds=seconds, peak=peak)
    others = {name: entry for entries in found for name, entry in entries.items()}
    machine = tuple(item for group in groups for item in group.peak)
    return Case(job.net, job.mode, job.batch, job.threads, job.operations, plan.rounds, (first, *(others[name] for name in peers)), machine)


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
    """Candidates that run side by side: netspec and some peers."""

    def __init__(self, job: Job, expected: NDArray[np.float64], stack: ExitStack, tell: Tell) -> None:
        self._job, self._expected, self._stack, self._tell = job, expected, stack, tell
        self._running: dict[str, Worker] = {}
        self._peak_operations = 0
        self.entries: dict[str, Entry] = {}
        self.peak: list[float] = []

    def fill(self, peers: Sequence[Candidate]) -> list[Candidate]:
        """Start netspec and as many peers as there is memory for; those that have to wait for another group."""
        self._add(NETSPEC)
        waiting: list[Candidate] = []
        for peer in peers:
            beside = set(self._running) - {NETSPEC.name}
            if beside and _lacking(peer, self._job):
                waiting.append(peer)
            else:
                self._add(peer)
        self._add_peak()
        return waiting

    def compared(self) -> dict[str, Entry]:
        """The entries; those that were timed with what else was measured in the same rounds."""
        ours, peak = self.entries[NETSPEC.name].seconds, tuple(self.peak)
        beside = {name: () if name == NETSPEC.name else ours for name in self.entries}
        return {name: replace(entry, beside=beside[name], peak=peak) if entry.seconds else entry for name, entry in self.entries.items()}

    def _add(self, candidate: Candidate) -> None:
        """Start a candidate and compare what it computes; who is not there, fails or is wrong is not timed."""
        name = candidate.name
        if self._job.mode not in candidate.modes:
            entry = Entry(name, "unsuited", "inference only")
        elif not candidate.installed:
            entry = Entry(name, "missing", f"pip install {candidate.package}")
        elif lacking := _lacking(candidate, self._job):
            entry = Entry(name, "failed", lacking)
        else:
            entry = self._started(name)
        self.entries[name] = entry

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

    def _add_peak(self) -> None:
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
            self.peak.append(self._peak_operations / seconds)
        else:
            entry = self.entries[name]
            self.entries[name] = replace(entry, seconds=(*entry.seconds, seconds))

    def _ask_memory(self, name: str) -> None:
        try:
            self.entries[name] = replace(self.entries[name], memory=Memory(**self._running[name].ask("memory")))
        except Failed as failure:
            self._drop(name, str(failure))

    def _drop(self, name: str, reason: str) -> None:
        self._running.pop(name).close()
        if name in self.entries:
            self.entries[name] = replace(self.entries[name], state="failed", reason=reason)


def _lacking(candidate: Candidate, job: Job) -> str:
    """What is missing where a candidate would not find the memory that it needs; empty where it does, or nobody knows."""
    net, free = job.model.net, room.free()
    if net.memory is None or free is None:
        return ""
    plan = net.memory.train if job.training else net.memory.infer
    need = BASE + 4 * net.params * candidate.appetite + (plan.fixed + plan.per_sample * job.batch if plan else 0)
    return "" if need <= free else f"it may need {need / 2**30:.1f} GiB, {free / 2**30:.1f} are free"
