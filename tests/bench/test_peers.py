"""Each candidate in its process, on a net with every kind of layer, and the rounds of a whole case."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from netspec.bench.candidates import ALL, DIRECT, NETSPEC, PEERS, REFERENCE, WINOGRAD
from netspec.bench.channel import Failed, Worker
from netspec.bench.job import Job, Mode
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


def test_peers_by_name() -> None:
    assert [item.name for item in named(())] == list(PEERS)
    assert [item.name for item in named(("jax", "torch", "jax"))] == ["jax", "torch"]
    with pytest.raises(UsageError, match="unknown peer `toch`"):
        named(("toch",))
