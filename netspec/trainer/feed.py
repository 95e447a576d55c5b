"""A compiled net and data in memory: epochs and evaluations in one call each, on a thread of their own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netspec.compiler import TARGET
from netspec.data import Samples
from netspec.model import Net
from netspec.passes.apply_optimizer import NORM
from netspec.passes.attach_loss import CORRECT, LOSS
from netspec.runtime import engine
from netspec.runtime.executable import Executable
from netspec.runtime.input import Source, Tables, source, tables
from netspec.runtime.threads import alone
from netspec.training import TrainPlan
from netspec.training.optimizers import CURVATURE
from netspec.training.preparation import Prepared

INT64 = (1 << 63) - 1


class Counters:
    """What a running call and its caller share: `control` (stop, steps done, trouble) and `sums` (loss times samples, correct, samples)."""

    def __init__(self) -> None:
        self.control = np.zeros(8, np.int64)
        self.sums = np.zeros(3, np.float64)

    @property
    def samples(self) -> int:
        """How many there were."""
        return int(self.sums[2])

    @property
    def totals(self) -> tuple[float, float, float]:
        """The sums, as a checkpoint keeps them."""
        return float(self.sums[0]), float(self.sums[1]), float(self.sums[2])

    @property
    def loss(self) -> float:
        """The mean loss so far."""
        return float(self.sums[0] / self.sums[2]) if self.sums[2] else float("nan")

    def accuracy(self, counted: bool) -> float | None:
        """The share of samples that were right, where that is counted."""
        return float(self.sums[1] / self.sums[2]) if counted and self.sums[2] else None


class Feed:
    """Feeds samples to a net's training and evaluation code. All compiled calls run on one thread, which keeps its pool of workers."""

    def __init__(self, net: Net, plan: TrainPlan, prepared: Prepared) -> None:
        self.net, self.seed, self.plan = net, plan.seed & INT64, plan
        self.measured = plan.optimizer.measured if plan.optimizer else 0
        """On how many samples second derivatives are estimated when an epoch begins."""
        self.prepared = prepared
        self.moves = [step.move().row() for step in plan.augment]
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="netspec-train")
        size = int(np.prod(net.input_shape))
        self.x = np.zeros((net.batch, size), np.float32)
        self.targets: dict[int, NDArray[np.float32]] = {}
        self.counted = False

    def warm(self, samples: Samples, rates: NDArray[np.float32]) -> None:
        """Compile what is not compiled yet, by making no step."""
        if self.measured:
            self.measure(samples, samples.rows[:0], 0, 0).result()
        self.epoch(samples, samples.rows[:0], (0, 0), 0, rates, 0, Counters()).result()
        self.evaluate(samples, samples.rows[:0], Counters()).result()

    def epoch(
        self, samples: Samples, order: NDArray[np.int64], steps: tuple[int, int], epoch: int, rates: NDArray[np.float32], before: int,
        counters: Counters,
    ) -> Future[None]:  # fmt: skip
        """Make the steps [first, last) of an epoch whose samples come in this order; `before` steps were made in earlier epochs."""
        run = self._code("train")
        feed, how, y = self._source(samples, augment=True)
        call = self._call(run, y, len(order))
        return self.worker.submit(
            self._alone,
            engine.train,
            *call,
            feed,
            how,
            order,
            self.net.batch,
            self.plan.batches(len(order)),
            *steps,
            self.seed,
            epoch,
            rates,
            before,
            counters.control,
            counters.sums,
        )

    def measure(self, samples: Samples, order: NDArray[np.int64], epoch: int, before: int) -> Future[None]:
        """Second derivatives of the loss on samples in this order, before the next step; the training code is given them when that ends."""
        run, train = self._code("curvature"), self._code("train")
        feed, how, y = self._source(samples, augment=True)
        batches, rate, unseen = -(-len(order) // self.net.batch), np.zeros(1, np.float32), Counters()
        call = self._call(run, y, len(order))
        steps = 0, min(len(order), 1)
        state = {name: shape for name, shape in self.net.state_shapes().items() if name.endswith(f"/{CURVATURE}")}

        def done() -> None:
            self._alone(
                engine.train, *call, feed, how, order, self.net.batch, batches, *steps, self.seed, epoch, rate, before, unseen.control,
                unseen.sums,
            )  # fmt: skip
            for name, shape in state.items():
                train.write(name, run.read(name, shape))

        return self.worker.submit(done)

    def evaluate(self, samples: Samples, order: NDArray[np.int64], counters: Counters) -> Future[None]:
        """The deployed net's loss and correct answers over the samples in this order."""
        run = self._code("evaluate")
        feed, how, y = self._source(samples, augment=False)
        call = self._call(run, y, len(order))
        return self.worker.submit(self._alone, engine.evaluate, *call, feed, how, order, self.net.batch, counters.control, counters.sums)

    def load(self, samples: Samples, order: NDArray[np.int64], start: int, epoch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The batch that a training step which starts at `start` sees."""
        feed, how, y = self._source(samples, augment=True)
        count = min(self.net.batch, len(order) - start)
        load: Callable[..., None] = engine.load_samples
        load(feed, how, order, start, self.seed, epoch, self.x, y, 0, count)
        return self.x[:count].reshape(count, *self.net.input_shape).copy(), y[:count].copy()

    def close(self) -> None:
        """End the thread, once its call has ended."""
        self.worker.shutdown(wait=False)

    def _alone(self, call: Callable[..., None], *arguments: object) -> None:
        """A method, so that the thread holds on to the memory it works in, also when nobody waits for it."""
        with alone():
            call(*arguments)

    def _code(self, stage: Literal["train", "evaluate", "curvature"]) -> Executable:
        run = self.net.executable(stage)
        assert isinstance(run, Executable), "epochs in one call are the CPU's"
        return run

    def _source(self, samples: Samples, augment: bool) -> tuple[Source, Tables, NDArray[np.float32]]:
        feed = source(samples.inputs, samples.targets)
        how = tables(samples.inputs, self.moves if augment else (), self.prepared.scale, self.prepared.offset, self.prepared.rings)
        width = feed.targets.shape[1]
        y = self.targets.setdefault(width, np.zeros((self.net.batch, width), np.float32))
        return feed, how, y

    def _call(self, run: Executable, y: NDArray[np.float32], samples: int) -> tuple[object, ...]:
        """The tables of a full and of the last batch, and the memory that the engine works in."""
        batch = self.net.batch
        external = {self.net.model.graph.inputs[0].name: self.x, TARGET: y}
        full = run.bind(external, batch)
        last = run.bind(external, samples % batch or batch)
        self.counted = CORRECT in run.program.buffers
        nothing = np.zeros(1, np.float32)
        results = tuple(run.view(name) if name in run.program.buffers else nothing for name in (LOSS, CORRECT, NORM))
        memory = (
            self.x, y, run.scalars, results, run.threads, run.bases.get("private", 0), run.private_bytes, run.bases.get("parts", 0),
            run.part_bytes, run.program.target.lanes,
        )  # fmt: skip
        return ((full.segments, full.launches), (last.segments, last.launches)), memory
