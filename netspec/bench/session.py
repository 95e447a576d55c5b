"""A run of the command: several batches of one net, told as they are done, kept as one document."""

from __future__ import annotations

import json
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from netspec.bench.candidates import PEERS, Candidate
from netspec.bench.job import Mode
from netspec.bench.machine import machine
from netspec.bench.results import Case, Json, as_json
from netspec.bench.rounds import Plan, Question, Tell, run
from netspec.diagnostics import UsageError, UserError, did_you_mean
from netspec.model import Model
from netspec.records import record
from netspec.runtime.host import host_target

BATCHES: dict[Mode, tuple[int, ...]] = {"infer": (1, 8), "train": (8,)}
"""What is run where no batch is named."""


@record
class Session:
    """What to run. `batches` and `peers` may be empty: then those above, and every peer."""

    model: Model
    mode: Mode
    batches: tuple[int, ...]
    peers: tuple[str, ...]
    threads: int
    plan: Plan
    target: str | None = None

    def cases(self, tell: Tell) -> Iterator[Case]:
        """One case after the other. `tell` hears what is being done.

        Raises UsageError for a peer that does not exist, UserError for a net that cannot be run so, and as `run`.
        """
        peers = named(self.peers)
        check(self.model, self.mode, self.target)
        with tidily():
            for batch in self.batches or BATCHES[self.mode]:
                question = Question(self.model, self.mode, batch, self.threads, self.target)
                yield run(question, peers, self.plan, lambda what, batch=batch: tell(f"{self.model.name}, batch {batch}: {what}"))


@contextmanager
def tidily() -> Generator[None]:
    """SIGTERM ends what is inside as Ctrl-C does: with its processes, and without leaving files."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def named(names: Sequence[str]) -> list[Candidate]:
    """Peers by their names, each once; all of them where none is named. Raises UsageError."""
    for name in names:
        if name not in PEERS:
            raise UsageError(f"unknown peer `{name}`", did_you_mean(name, list(PEERS)) or f"there are {', '.join(PEERS)}")
    return [PEERS[name] for name in dict.fromkeys(names)] or list(PEERS.values())


def check(model: Model, mode: Mode, target: str | None) -> None:
    """Raise UserError for a net or a target that the bench cannot run."""
    if (chosen := host_target(target)).kind != "cpu":
        raise UserError(f"the bench runs on the CPU, not on {chosen.name}")
    graph = model.graph
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        several = f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs"
        raise UserError(f"{model.name} has {several}: the bench runs nets of one input and one output")
    if turned := next((name for node in graph.layers for name in node.turned), None):
        raise UserError(f"{model.name} takes `{turned}` with rows as columns: the bench runs nets whose weights are taken as they are")
    if mode == "train" and model.net.trained is not None:
        raise UserError(f"{model.name} is trained with more than it has when deployed", "the bench can run it with `--mode infer`")
    if mode == "train" and model.plan is None:
        raise UserError(f"{model.name} has no `train` block", "the bench can run it with `--mode infer`")


def document(cases: Sequence[Case], session: Session, command: str) -> dict[str, Json]:
    """The JSON form: the command, the machine, how it was measured, and the cases."""
    plan = session.plan
    how: dict[str, Json] = {"rounds": plan.rounds, "least_seconds": plan.least, "pause_seconds": plan.pause}
    return {"command": command, "machine": machine(), "method": how, "cases": [as_json(case) for case in cases]}


def as_text(found: dict[str, Json]) -> str:
    """A document as text."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def write(found: dict[str, Json], path: Path) -> None:
    """Put a document into a file. Raises UserError."""
    try:
        path.write_text(as_text(found) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
