"""The training loop: epochs, validation, early stopping, what is saved and when."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import numpy as np

from netspec.data import Dataset, Samples, check_input, check_targets, read
from netspec.diagnostics import SpecError, UserError
from netspec.graph.types import ShapeError
from netspec.model import Model, Net
from netspec.runtime.engine import DONE, STOP, TROUBLE
from netspec.trainer.checkpoint import check_weights, load, save, versions
from netspec.trainer.feed import Feed
from netspec.trainer.feed import Progress as Counters
from netspec.trainer.files import Json, create_run, write
from netspec.trainer.metrics import EpochRecord, MetricsFile, Progress, Result, RunInfo, Silent, StepRecord
from netspec.trainer.trouble import explain
from netspec.training import TrainPlan, problems
from netspec.training.control import Best, Metric, Patience, rises
from netspec.training.preparation import prepared

POLL = 0.1
"""Seconds between two looks at a running epoch."""
BEST, LAST = "best.safetensors", "last.safetensors"


@dataclass(frozen=True, slots=True)
class Options:
    """How to train, beside what the spec says. `runs` None: nothing is written. `resume`: a run folder to go on with."""

    runs: Path | None = Path("runs")
    threads: int | None = None
    device: str = "cpu"
    target: str | None = None
    max_epochs: int | None = None
    resume: Path | None = None


@dataclass(slots=True)
class State:
    """Where a run stands; with the tensors all that a checkpoint needs to go on with the same bits. `step` counts within the epoch."""

    epoch: int = 0
    step: int = 0
    steps: int = 0
    sums: tuple[float, float, float] = (0.0, 0.0, 0.0)
    best: tuple[float, ...] | None = None
    best_epoch: int | None = None
    watched: tuple[float, ...] | None = None
    since: int = 0

    def as_json(self) -> dict[str, Json]:
        """For the checkpoint's metadata."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Json]) -> State:
        """What `as_json` gave."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()})  # pyright: ignore[reportArgumentType]


class Training:
    """One run. `run()` trains; afterwards `net` holds the weights that the plan wants kept and `folder` the files."""

    def __init__(self, model: Model, options: Options, progress: Progress | None = None) -> None:
        """Read and check the data and compile, before anything is written. Raises SpecError, UserError."""
        self.started = time.perf_counter()
        self.model, self.options = model, options
        self.progress = progress or Silent()
        self.plan = usable_plan(model)
        self.data = read_data(model, self.plan)
        per_epoch = -(-len(self.data.train) // self.plan.batch)
        _check_plan(model, self.plan, per_epoch)
        self.per_epoch = per_epoch
        self.rates = np.asarray(self.plan.rates(per_epoch), np.float32)
        self.state = State()
        begin = time.perf_counter()
        self.net: Net = model.compile(
            "train", self.plan.batch, options.device, options.threads, self.plan.seed, target=options.target  # pyright: ignore
        )
        self.feed = Feed(self.net, self.plan, prepared(self.plan.prepare, self.data.train.shape))
        self.feed.warm(self.data.train, self.rates)
        self.compile_seconds = time.perf_counter() - begin
        self.counters = Counters()
        self.train_seconds, self.trained_samples = 0.0, 0
        self.ended = "finished"
        self.signal: int | None = None
        self.folder = self._folder()
        self.last_record: EpochRecord | None = None

    # ── the run ──────────────────────────────────────────────────────────────────────────────────

    def run(self) -> Result:
        """Train to the end, to the patience's end or to an interruption; save; test. Raises UserError when a step is not finite."""
        try:
            self.progress.start(self._info())
            with self._signals():
                while self._more():
                    self._epoch()
                    if self.signal is not None:
                        break
            return self._finish()
        finally:
            self.progress.close()
            self.feed.close()

    def _more(self) -> bool:
        limit = len(self.rates)
        if self.options.max_epochs is not None:
            limit = min(limit, self.options.max_epochs * self.per_epoch)
        patience = self.plan.stop
        if isinstance(patience, Patience) and self.state.since >= int(patience.epochs.value):
            self.ended = "patience"
            return False
        return self.state.steps < limit

    def _epoch(self) -> None:
        """One epoch, or the rest of one: steps, validation, one line, checkpoints."""
        state, begin = self.state, time.perf_counter()
        order = self.data.train.order(self.plan.seed, state.epoch)
        before = state.steps - state.step
        last = min(self.per_epoch, len(self.rates) - before)
        rates = self.rates[before : before + self.per_epoch]
        counters = self.counters = Counters()
        counters.sums[:] = state.sums
        seen = counters.sums[2]
        running = self.feed.epoch(self.data.train, order, (state.step, last), state.epoch, rates, before, counters)
        counters.control[DONE] = state.step
        self._watch(running, counters, begin, float(seen))
        spent = time.perf_counter() - begin
        done = int(counters.control[DONE])
        self.net.advanced(done - state.step)
        state.steps, state.step = before + done, done
        state.sums = (float(counters.sums[0]), float(counters.sums[1]), float(counters.sums[2]))
        self.train_seconds += spent
        self.trained_samples += int(counters.sums[2] - seen)
        if counters.control[TROUBLE]:
            self._trouble(order, int(counters.control[TROUBLE]) - 1)
        if done < last:
            self._save_last()
            return
        self._close_epoch(counters, float(rates[last - 1]), (counters.sums[2] - seen) / max(spent, 1e-9), begin)

    def _close_epoch(self, counters: Counters, lr: float, rate: float, begin: float) -> None:
        state = self.state
        val_loss, val_accuracy = self._evaluated(self.data.val)
        record = EpochRecord(
            state.epoch + 1, state.steps, lr, counters.loss, counters.accuracy(self.feed.counted), val_loss, val_accuracy, rate,
            time.perf_counter() - begin,
        )  # fmt: skip
        self.last_record = record
        state.epoch, state.step, state.sums = state.epoch + 1, 0, (0.0, 0.0, 0.0)
        self._judge(record)
        if self.folder is not None:
            self.metrics.append(record)
        self._save_last()
        self.progress.epoch(record)

    def _watch(self, running: Future[None], counters: Counters, begin: float, seen: float) -> None:
        """Show how the epoch moves on until it ends; a signal asks it to stop after the step it is in."""
        while True:
            wait([running], timeout=POLL)
            if self.signal is not None:
                counters.control[STOP] = 1
            done = self.state.steps - self.state.step + int(counters.control[DONE])
            rate = (counters.sums[2] - seen) / max(time.perf_counter() - begin, 1e-9)
            self.progress.step(StepRecord(self.state.epoch + 1, done, counters.loss, counters.accuracy(self.feed.counted), float(rate)))
            if running.done():
                running.result()
                return

    def _evaluated(self, samples: Samples | None) -> tuple[float | None, float | None]:
        if samples is None or not len(samples):
            return None, None
        counters = Counters()
        self.feed.evaluate(samples, samples.rows, counters).result()
        return counters.loss, counters.accuracy(self.feed.counted)

    def _judge(self, record: EpochRecord) -> None:
        """Keep the best weights; count the epochs without improvement."""
        state, keep, patience = self.state, self.plan.save, self.plan.stop
        merit = _merit(record, keep.on) if isinstance(keep, Best) else None
        if merit is not None and (state.best is None or merit > state.best):
            state.best, state.best_epoch = merit, record.epoch
            self.best_weights = self.net.weights
            if self.folder is not None:
                save(self.folder / BEST, self.best_weights, self._metadata())
        if isinstance(patience, Patience) and (watched := _merit(record, patience.on)) is not None:
            improved = state.watched is None or watched > state.watched
            state.since = 0 if improved else state.since + 1
            state.watched = watched if improved else state.watched

    def _finish(self) -> Result:
        if self.signal is not None:
            self.ended = "interrupted"
        elif isinstance(self.plan.save, Best) and self.state.best_epoch is not None:
            self.net.load_weights(self.best_weights)
        interrupted = self.ended == "interrupted"
        test_loss, test_accuracy = (None, None) if interrupted else self._evaluated(self.data.test)
        record = self.last_record
        result = Result(
            net=self.model.name,
            ended=self.ended,
            epochs=self.state.epoch,
            steps=self.state.steps,
            best_epoch=self.state.best_epoch,
            train_loss=record.train_loss if record else self.counters.loss,
            val_accuracy=record.val_accuracy if record else None,
            test_accuracy=test_accuracy,
            test_loss=test_loss,
            test_samples=len(self.data.test) if self.data.test is not None and not interrupted else None,
            train_images_per_second=self.trained_samples / max(self.train_seconds, 1e-9),
            compile_seconds=self.compile_seconds,
            train_seconds=self.train_seconds,
            total_seconds=time.perf_counter() - self.started,
            params=self.model.net.params,
            seed=self.plan.seed,
            batch=self.plan.batch,
            threads=self.net.threads,
            target=self.net.target.name,
            data_fingerprint=self.data.fingerprint,
        )
        if self.folder is not None:
            result.write(self.folder / "result.json")
        self.progress.finish(result)
        return result

    # ── files ────────────────────────────────────────────────────────────────────────────────────

    def _folder(self) -> Path | None:
        """A new run folder with the spec and the first checkpoint, or the folder to go on in."""
        self.best_weights = self.net.weights
        if self.options.resume is not None:
            self._resume(self.options.resume)
            return self.options.resume
        if self.options.runs is None:
            return None
        folder = create_run(self.options.runs, self.model.name)
        write(folder / "spec.net", resolved(self.model).encode())
        self.metrics = MetricsFile(folder / "metrics.csv")
        return folder

    def _metadata(self) -> dict[str, Json]:
        return {
            "spec": self.model.source.text,
            "net": self.model.name,
            "params": {name: str(value) for name, value in self.model.params.items()},
            "plan": str(self.plan),
            "seed": self.plan.seed,
            "batch": self.plan.batch,
            "target": self.net.target.name,
            "data": self.data.fingerprint,
            "state": self.state.as_json(),
            "versions": versions(),
        }

    def _save_last(self) -> None:
        """The checkpoint to go on from: weights, what the optimizer keeps, where the run stands. A full disk is a warning, not the end."""
        if self.folder is None:
            return
        run = self.net.executable("train")
        tensors = {name: run.read(name, shape) for name, shape in self.net.state_shapes().items()}
        try:
            save(self.folder / LAST, tensors, self._metadata())
        except UserError as error:
            self.progress.warn(f"{error.message}; training goes on, the checkpoint before it stays")

    def _resume(self, folder: Path) -> None:
        found = load(folder / LAST)
        shapes = self.net.state_shapes()
        check_weights(folder / LAST, found.tensors, shapes)
        for name, now in (("data", self.data.fingerprint), ("plan", str(self.plan)), ("target", self.net.target.name)):
            if found.metadata.get(name) != now:
                raise UserError(
                    f"{folder}: the run was made with another {name}", f"it was {found.metadata.get(name)}, now it is {now}"
                )
        run = self.net.executable("train")
        for name, value in found.tensors.items():
            run.write(name, value)
        kept = found.metadata["state"]
        assert isinstance(kept, dict)
        self.state = State.from_json(kept)
        self.net.advanced(self.state.steps)
        self.metrics = MetricsFile(folder / "metrics.csv", kept=self.state.epoch)
        if self.state.best_epoch is not None:
            self.best_weights = load(folder / BEST).tensors

    # ── the rest ─────────────────────────────────────────────────────────────────────────────────

    def _info(self) -> RunInfo:
        device = f"{self.net.target.name}, {self.net.threads} threads"
        epochs = len(self.rates) / self.per_epoch
        return RunInfo(
            self.model.name, epochs, len(self.rates), self.plan.batch, len(self.data.train), self.model.net.params, device, self.folder
        )

    def _trouble(self, order: np.ndarray, step: int) -> None:
        """Replay the step that was not finite in the reference and say where it began. The weights are those before it."""
        self._save_last()
        x, y = self.feed.load(self.data.train, order, step * self.plan.batch, self.state.epoch)
        rows = order[step * self.plan.batch : step * self.plan.batch + len(x)]
        place = f"epoch {self.state.epoch + 1}, step {self.state.steps + 1}"
        raise explain(self.model.graph, self.plan, self.net.weights, x, y, rows, place)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first Ctrl-C (or SIGTERM) ends the run after the step it is in and saves; the second one ends it at once."""

        def stop(number: int, _frame: FrameType | None) -> None:
            if self.signal is not None:
                raise SystemExit(128 + number)
            self.signal = number
            self.counters.control[STOP] = 1

        try:
            before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: signals are somebody else's
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def resolved(model: Model) -> str:
    """The spec as it ran: its text, and the settings that were given beside it."""
    given = "".join(f"# --set {name}={value}\n" for name, value in model.params.items())
    return given + model.source.text


def usable_plan(model: Model) -> TrainPlan:
    """The net's train block. Raises UserError when there is none, SpecError when it uses what is not built yet."""
    plan = model.plan
    if plan is None:
        raise UserError(
            f"{model.name} has no `train` block", f"add `train {model.name} {{ data = ..; loss = ..; optimizer = ..; epochs = .. }}`"
        )
    if plan.deferred:
        raise SpecError(plan.deferred, [model.source])
    return plan


def read_data(model: Model, plan: TrainPlan) -> Dataset:
    """The samples that a plan names, checked against the net. Raises UserError."""
    assert plan.data is not None
    (term,) = plan.loss
    (image,) = model.graph.inputs
    base = Path(model.source.file).parent
    target = term.loss.target or "y"
    data = read(plan.data, image.name, target, plan.seed, base)
    try:
        seen = prepared(plan.prepare, data.train.shape).shape
    except ShapeError as error:
        raise UserError(error.message, error.help) from error
    check_input(data, image.name, image.type.sample, seen)
    output = model.graph.types[term.loss.output or model.graph.outputs[0]].type.sample
    check_targets(data, term.loss.name, term.loss.targets, output)
    return data


def _check_plan(model: Model, plan: TrainPlan, per_epoch: int) -> None:
    """What can only be judged when the length of an epoch is known."""
    for problem in problems(plan, per_epoch=per_epoch):
        raise UserError(f"{model.source.file}: {problem.message}", problem.help)


def _merit(record: EpochRecord, metric: Metric) -> tuple[float, ...] | None:
    """How good an epoch is, larger is better; of equally accurate ones that with the smaller loss."""
    value = record.metric(metric)
    if value is None:
        return None
    if not rises(metric):
        return (-value,)
    loss = record.val_loss if metric.startswith("val") else record.train_loss
    return (value, -(loss or 0.0))
