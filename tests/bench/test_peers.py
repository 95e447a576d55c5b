"""Each candidate in its process, on a net with every kind of layer, and the rounds of a whole case."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from netspec.bench import rounds
from netspec.bench.candidates import ALL, DIRECT, NETSPEC, PEERS, REFERENCE, WINOGRAD, Candidate
from netspec.bench.channel import Failed, Worker
from netspec.bench.job import Job, Mode
from netspec.bench.results import Entry
from netspec.bench.rounds import Plan, Question, run
from netspec.bench.session import named
from netspec.diagnostics import UsageError
from netspec.model import load
from tests.bench.nets import kinds
from tests.tolerances import error

pytestmark = pytest.mark.parity

LONG = {"torch-compile", "tensorflow", "jax"}
EACH = [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in (NETSPEC.name, *PEERS)]


@dataclass(frozen=True)
class Task:
    job: Job
    expected: NDArray[np.float64]


@pytest.fixture(scope="module", params=["infer", "train"])
def task(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Task]:
    pytest.importorskip("torch")
    made, mode = kinds(), cast("Mode", request.param)
    job = Job(made.source.file, made.source.text, "Kinds", {}, mode, 4, 1, None, tmp_path_factory.mktemp(mode))
    job.write()
    with Worker(REFERENCE.name, job.folder, 1) as worker:
        worker.ask("build")
        yield Task(job, np.load(worker.ask("results")["file"]))


@pytest.mark.parametrize("name", EACH)
def test_each_computes_what_the_net_says(task: Task, name: str) -> None:
    candidate = ALL[name]
    if not candidate.installed:
        pytest.skip(f"{candidate.package} is not installed")
    if task.job.mode not in candidate.modes:
        pytest.skip("it does not train")
    with Worker(name, task.job.folder, 1) as worker:
        built = worker.ask("build")
        found = worker.ask("results")
        timed = worker.ask("time", least=0.001)
        memory = worker.ask("memory")
    assert error(np.load(found["file"]), task.expected) < (DIRECT if task.job.training else WINOGRAD)
    assert built["version"][0].isdigit() and built["settings"]
    assert timed["seconds"] > 0 and timed["calls"] >= 1
    assert memory["most"] >= memory["running"]


def worker_of_lenet(folder: Path, name: str) -> Worker:
    made = load("lenet")
    Job(made.source.file, made.source.text, made.name, {}, "infer", 2, 1, None, folder).write()
    return Worker(name, folder, 1)


def test_a_process_that_dies_says_how(tmp_path: Path) -> None:
    with worker_of_lenet(tmp_path, NETSPEC.name) as worker:
        process: Any = worker._process
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(Failed, match="ended by signal 9, as the system does when memory runs out"):
            worker.ask("build")


def test_an_error_in_a_process_is_its_answer(tmp_path: Path) -> None:
    with worker_of_lenet(tmp_path, NETSPEC.name) as worker:
        (tmp_path / "x.npy").unlink()
        with pytest.raises(Failed, match="FileNotFoundError"):
            worker.ask("build")


def test_a_case_of_netspec_and_pytorch() -> None:
    pytest.importorskip("torch")
    told: list[str] = []
    case = run(Question(load("lenet"), "infer", 4, 1), [PEERS["torch"]], Plan(1, 0.001, 0.0), told.append)
    assert [entry.state for entry in case.entries] == ["timed", "timed"], case
    assert all(entry.error is not None and entry.error < 1e-5 for entry in case.entries)
    assert case.ratio(case.peers[0]) is not None and case.best is case.peers[0]
    assert case.operations == 2 * 4 * 416_520
    assert len(case.peak) == 1
    assert told[-1].startswith("round 1 of 1: ")


class Group(rounds._Group):
    """Starts no process: whoever is started is timed, each round takes as many seconds as groups were made before."""

    made: ClassVar[list[Group]] = []

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.made.append(self)

    def _started(self, name: str) -> Entry:
        self._running[name] = cast("Worker", None)
        return Entry(name, "timed")

    def _add_peak(self) -> None: ...

    def time(self, plan: Plan) -> None:
        for name in self._running:
            self.entries[name] = replace(self.entries[name], seconds=(float(len(self.made)),) * plan.rounds)


def test_peers_that_do_not_fit_together_run_in_groups_with_netspec_in_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no room for a second peer, and never any for ncnn."""

    def lacking(candidate: Candidate, _job: Job) -> str:
        return "too little" if candidate.name == "ncnn" or len(Group.made[-1]._running) > 1 else ""

    monkeypatch.setattr(Group, "made", [])
    monkeypatch.setattr(rounds, "_Group", Group)
    monkeypatch.setattr(rounds, "_lacking", lacking)
    monkeypatch.setattr(rounds, "_reference", lambda job, tell: np.zeros(1))
    monkeypatch.setattr(Candidate, "installed", True)
    peers = [PEERS[name] for name in ("torch", "ncnn", "openvino")]
    case = rounds.run(Question(load("lenet"), "infer", 1, 1), peers, Plan(2), lambda text: None)
    assert [set(group._running) for group in Group.made] == [{"netspec", "torch"}, {"netspec", "openvino"}]
    assert case.ours.seconds == (1.0, 1.0, 2.0, 2.0)
    assert [(entry.name, entry.state, entry.beside) for entry in case.peers] == [
        ("torch", "timed", (1.0, 1.0)),
        ("ncnn", "failed", ()),
        ("openvino", "timed", (2.0, 2.0)),
    ]


def test_peers_by_name() -> None:
    assert [item.name for item in named(())] == list(PEERS)
    assert [item.name for item in named(("jax", "torch", "jax"))] == ["jax", "torch"]
    with pytest.raises(UsageError, match="unknown peer `toch`"):
        named(("toch",))
