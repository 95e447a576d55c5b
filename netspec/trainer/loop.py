"""The training loop: epochs, validation, early stopping, what is saved and when."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from netspec.data import Samples
from netspec.model import Model
from netspec.runtime.engine import DONE, STOP, TROUBLE
from netspec.runtime.threads import layer
from netspec.trainer.checkpoint import check_weights, load, versions
from netspec.trainer.feed import Counters, Feed
from netspec.trainer.files import Json, parent_of_runs
from netspec.trainer.folder import BEST, LAST, RunFolder, last_checkpoint
from netspec.trainer.lbfgs import PREFIX, Memory
from netspec.trainer.metrics import EpochRecord, Progress, Result, RunInfo, Silent, StepRecord
from netspec.trainer.search import Search
from netspec.trainer.setup import check_plan, prepared_data, read_data, resolved, usable_plan
from netspec.trainer.signals import stopping
from netspec.trainer.start import starting_weights
from netspec.trainer.state import State
from netspec.trainer.trouble import explain
from netspec.training.optimizers import Lbfgs

POLL = 0.1
"""Seconds between two looks at a running epoch."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to train, beside what the spec says. `runs` None: nothing is written. `resume`: a run folder to go on with."""

    runs: Path | None = Path("runs")
    threads: int | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    target: str | None = None
    max_epochs: int | None = None
    resume: Path | None = None


class Training:
    """One run. `run()` trains; afterwards `net` holds the weights that the plan wants kept and `folder` the files."""

    def __init__(self, model: Model, options: Options, progress: Progress | None = None) -> None:
        """Read and check the data and compile, before anything is written. Raises SpecError, UserError."""
        self.started = time.perf_counter()
        self.model, self.options = model, options
        self.progress = progress or Silent()
        self.plan = usable_plan(model)
        self.data = read_data(model, self.plan)
        self.per_epoch = self.plan.steps_per_epoch(len(self.data.train))
        check_plan(model, self.plan, self.per_epoch)
        start = starting_weights(model, self.plan) if options.resume is None else {}
        self.rates = np.asarray(self.plan.learning_rates(self.per_epoch), np.float32)
        self.plateau = self.plan.plateau(self.per_epoch)
        self.limit = min(len(self.rates), self.per_epoch * (options.max_epochs or len(self.rates)))
        if options.resume is None and options.runs is not None:
            parent_of_runs(options.runs, model.name)
        self._compile()
        if start:
            self.net.load_weights(start)
        self.state, self.counters = State(), Counters()
        self.train_seconds, self.trained_samples = 0.0, 0
        self.ended = "finished"
        self.signal: int | None = None
        self.last_record: EpochRecord | None = None
        self.best_weights = self.net.weights
        self.files = self._files()

    def _compile(self) -> None:
        begin, options = time.perf_counter(), self.options
        self.net = self.model.compile("train", self.plan.batch, options.device, options.threads, self.plan.seed, target=options.target)
        self.feed = Feed(self.net, self.plan, prepared_data(self.plan, self.data))
        self.feed.warm(self.data.train, self.rates)
        self.search = Search(self.net, self.feed, self.plan.optimizer) if isinstance(self.plan.optimizer, Lbfgs) else None
        self.compile_seconds = time.perf_counter() - begin

    @property
    def folder(self) -> Path | None:
        """Where the run is saved."""
        return None if self.files is None else self.files.path

    # ── the run ──────────────────────────────────────────────────────────────────────────────────

    def run(self) -> Result:
        """Train to the end, to the patience's end or to an interruption; save; test.

        Raises UserError when a step is not finite, Interrupted (a KeyboardInterrupt) at a second signal.
        """
        try:
            self.progress.start(self._info())
            if layer() == "workqueue":
                self.progress.warn("neither OpenMP (libgomp) nor TBB is installed: threads take ten times as long to start")
            with stopping(self._stop):
                while self.signal is None and self._more():
                    self._epoch()
            return self._finish()
        finally:
            self.progress.close()
            if self.search is not None:
                self.search.close()
            self.feed.close()

    def _stop(self, number: int) -> None:
        self.signal = number
        self.counters.control[STOP] = 1

    def _more(self) -> bool:
        if self.state.steps >= self.limit:
            return False
        if self.state.out_of_patience(self.plan):
            self.ended = "patience"
            return False
        return True

    def _epoch(self) -> None:
        """One epoch, or the rest of one: steps, validation, one line, checkpoints."""
        state, begin = self.state, time.perf_counter()
        order = self.data.train.order(self.plan.seed, state.epoch)
        before = state.steps - state.step
        last = min(self.per_epoch, len(self.rates) - before)
        rates = self._rates(before)
        counters = self.counters = Counters()
        counters.sums[:] = state.sums
        counters.control[DONE] = state.step
        if self.signal is not None:  # it came between two epochs
            return
        if self.feed.measured and state.step == 0:
            self.feed.measure(self.data.train, order[: self.feed.measured], state.epoch, before).result()
        if self.search is None:
            running = self.feed.epoch(self.data.train, order, (state.step, last), state.epoch, rates, before, counters)
        else:
            running = self.search.step(self.data.train, state.epoch, rates, before, counters)
        self._watch(running, begin)
        spent, seen = time.perf_counter() - begin, counters.samples - int(state.sums[2])
        done = int(counters.control[DONE])
        self.net.advanced(done - state.step)
        state.steps, state.step, state.sums = before + done, done, counters.totals
        self.train_seconds += spent
        self.trained_samples += seen
        if counters.control[TROUBLE]:
            self._trouble(order, int(counters.control[TROUBLE]) - 1)
        if done < last:
            self._save_last()
        else:
            self._close_epoch(float(rates[last - 1]), seen / max(spent, 1e-9), begin)

    def _rates(self, before: int) -> NDArray[np.float32]:
        """The rates of the epoch that follows so many steps: those of the schedule, or what a plateau has made of them."""
        rates = self.rates[before : before + self.per_epoch].copy()
        if self.plateau is not None and self.state.plateau is not None:
            rates[max(self.plateau[1] - before, 0) :] = self.state.plateau[0]
        return rates

    def _watch(self, running: Future[None], begin: float) -> None:
        """Show how the epoch moves on until it ends."""
        state, counters = self.state, self.counters
        while True:
            wait([running], timeout=POLL)
            done = state.steps - state.step + int(counters.control[DONE])
            rate = (counters.samples - state.sums[2]) / max(time.perf_counter() - begin, 1e-9)
            self.progress.step(StepRecord(state.epoch + 1, done, counters.loss, counters.accuracy(self.feed.counted), rate))
            if running.done():
                running.result()
                return

    def _close_epoch(self, lr: float, rate: float, begin: float) -> None:
        state, counters = self.state, self.counters
        val_loss, val_accuracy = self._evaluated(self.data.val)
        record = EpochRecord(
            state.epoch + 1, state.steps, lr, counters.loss, counters.accuracy(self.feed.counted), val_loss, val_accuracy, rate,
            time.perf_counter() - begin,
        )  # fmt: skip
        self.last_record = record
        state.epoch, state.step, state.sums = state.epoch + 1, 0, (0.0, 0.0, 0.0)
        if self.plateau is not None and state.steps > self.plateau[1]:
            state.watch(record, self.plateau[0], float(self.rates[self.plateau[1]]))
        if state.judge(record, self.plan):
            self.best_weights = self.net.weights
            if self.files is not None:
                self.files.save(BEST, self.best_weights, state.as_json())
        if self.files is not None:
            self.files.append(record)
        self._save_last()
        self.progress.epoch(record)

    def _evaluated(self, samples: Samples | None) -> tuple[float | None, float | None]:
        if samples is None or not len(samples):
            return None, None
        counters = Counters()
        self.feed.evaluate(samples, samples.rows, counters).result()
        return counters.loss, counters.accuracy(self.feed.counted)

    def _finish(self) -> Result:
        interrupted = self.signal is not None
        if interrupted:
            self.ended = "interrupted"
        elif self.state.best_epoch is not None:
            self.net.load_weights(self.best_weights)
        test = None if interrupted else self.data.test
        test_loss, test_accuracy = self._evaluated(test)
        record = self.last_record
        result = Result(
            net=self.model.name,
            ended=self.ended,
            epochs=self.state.epoch,
            steps=self.state.steps,
            best_epoch=self.state.best_epoch,
            train_loss=record.train_loss if record else None,
            val_accuracy=record.val_accuracy if record else None,
            test_accuracy=test_accuracy,
            test_loss=test_loss,
            test_samples=len(test) if test is not None else None,
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
        if self.files is not None:
            self.files.finish(result)
        self.progress.finish(result)
        return result

    # ── files ────────────────────────────────────────────────────────────────────────────────────

    def _files(self) -> RunFolder | None:
        """A new run folder, or the one to go on in, from where that run stands."""
        about, options = self._about(), self.options
        if options.resume is not None:
            self._resume(options.resume, about)
            files = RunFolder.reopen(options.resume, self.state.epoch, about, self.progress.warn)
            self.last_record = files.metrics.last()
            return files
        if options.runs is None:
            return None
        return RunFolder.create(options.runs, self.model.name, resolved(self.model), about, self.progress.warn)

    def _about(self) -> dict[str, Json]:
        return {
            "spec": self.model.source.text,
            "imports": dict(self.model.source.carried or ()),
            "file": str(Path(self.model.source.file).absolute()),
            "net": self.model.name,
            "block": self.plan.alias,
            "params": {name: str(value) for name, value in self.model.params.items()},
            "plan": str(self.plan),
            "seed": self.plan.seed,
            "batch": self.plan.batch,
            "target": self.net.target.name,
            "data": self.data.fingerprint,
            "versions": versions(),
        }

    def _save_last(self) -> None:
        """The checkpoint to go on from: weights, what the optimizer keeps, where the run stands."""
        if self.files is not None:
            tensors: dict[str, NDArray[Any]] = dict(self.net.state())
            self.files.save(LAST, tensors | (self.search.memory.tensors() if self.search else {}), self.state.as_json())

    def _resume(self, folder: Path, about: dict[str, Json]) -> None:
        found = last_checkpoint(folder, about)
        tensors = {name: value for name, value in found.tensors.items() if not name.startswith(PREFIX)}
        check_weights(folder / LAST, tensors, self.net.state_shapes())
        self.net.load_state(tensors)
        if self.search is not None:
            self.search.memory = Memory.restored({name: value for name, value in found.tensors.items() if name not in tensors})
        kept = found.metadata["state"]
        assert isinstance(kept, dict)
        self.state = State.from_json(kept)
        self.net.advanced(self.state.steps)
        if self.state.best_epoch is not None:
            self.best_weights = load(folder / BEST).tensors

    # ── the rest ─────────────────────────────────────────────────────────────────────────────────

    def _info(self) -> RunInfo:
        return RunInfo(
            net=self.model.name,
            epochs=self.limit / self.per_epoch,
            total=self.limit,
            batch=self.plan.batch,
            samples=len(self.data.train),
            params=self.model.net.params,
            device=f"{self.net.target.name}, {self.net.threads} thread{'s' if self.net.threads > 1 else ''}",
            folder=self.folder,
        )

    def _trouble(self, order: NDArray[np.int64], batch: int) -> None:
        """Replay the epoch's batch that was not finite in the reference and say where it began. The weights are those before its step."""
        self._save_last()
        start = batch * self.plan.batch
        samples = self.feed.load(self.data.train, order, start, self.state.epoch)
        place = f"epoch {self.state.epoch + 1}, step {self.state.steps + 1}"
        raise explain(self.model.trained_graph, self.plan, self.net.weights, samples, order[start : start + self.plan.batch], place)
