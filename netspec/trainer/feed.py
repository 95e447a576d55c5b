"""A compiled net and data in memory: epochs and evaluations in one call each, on a thread of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from netspec.data import Samples
from netspec.model import Net
from netspec.passes.apply_optimizer import NORM
from netspec.passes.attach_loss import CORRECT, LOSS, field_input
from netspec.runtime import engine
from netspec.runtime.executable import Executable
from netspec.runtime.input import Line, Stream, stream
from netspec.runtime.threads import one_at_a_time
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

    def __init__(self, net: Net, plan: TrainPlan, prepared: Mapping[str, Prepared]) -> None:
        self.net, self.seed, self.plan = net, plan.seed & INT64, plan
        self.measured = plan.optimizer.measured if plan.optimizer else 0
        """On how many samples second derivatives are estimated when an epoch begins."""
        self.prepared = prepared
        self.moves = [step.move().row() for step in plan.augment]
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="netspec-train")
        self.inputs = {name: np.zeros((net.batch, prod(shape)), np.float32) for name, shape in net.input_shapes.items()}
        self.targets = {name: np.zeros((net.batch, prod(shape)), np.float32) for name, shape in net.field_shapes.items()}
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
        call = self._call("train", len(order))
        stream, held = self._stream(samples, augment=True)
        rest = (self.plan.batches(len(order)), *steps, self.seed, epoch, rates, before, counters.control, counters.sums)
        return self.worker.submit(self._alone, held, engine.train, *call, stream, order, self.net.batch, *rest)

    def measure(self, samples: Samples, order: NDArray[np.int64], epoch: int, before: int) -> Future[None]:
        """Second derivatives of the loss on samples in this order, before the next step; the training code is given them when that ends."""
        run, train = self.net.executable("curvature"), self.net.executable("train")
        call = self._call("curvature", len(order))
        stream, held = self._stream(samples, augment=True)
        batches, rate, unseen = -(-len(order) // self.net.batch), np.zeros(1, np.float32), Counters()
        steps = 0, min(len(order), 1)
        rest = (*steps, self.seed, epoch, rate, before, unseen.control, unseen.sums)
        state = {name: shape for name, shape in self.net.state_shapes().items() if name.endswith(f"/{CURVATURE}")}

        def done() -> None:
            self._alone(held, engine.train, *call, stream, order, self.net.batch, batches, *rest)
            for name, shape in state.items():
                train.write(name, run.read(name, shape))

        return self.worker.submit(done)

    def evaluate(self, samples: Samples, order: NDArray[np.int64], counters: Counters) -> Future[None]:
        """The deployed net's loss and correct answers over the samples in this order."""
        call = self._call("evaluate", len(order))
        stream, held = self._stream(samples, augment=False)
        rest = (stream, order, self.net.batch, counters.control, counters.sums)
        return self.worker.submit(self._alone, held, engine.evaluate, *call, *rest)

    def load(self, samples: Samples, order: NDArray[np.int64], start: int, epoch: int) -> dict[str, NDArray[np.float32]]:
        """The batch that a training step which starts at `start` sees, by the inputs of the training graph."""
        stream, held = self._stream(samples, augment=True)
        count = min(self.net.batch, len(order) - start)
        engine.load_samples(stream, order, start, self.seed, epoch, 0, count)
        del held
        shapes = self.net.input_shapes | {field_input(name): shape for name, shape in self.net.field_shapes.items()}
        return {name: array[:count].reshape(count, *shapes[name]).copy() for name, array in self._external().items()}

    def close(self) -> None:
        """End the thread, once its call has ended."""
        self.worker.shutdown(wait=False)

    def _alone(self, _held: object, call: Callable[..., None], *arguments: object) -> None:
        """A method, so that the thread holds on to the memory it works in, also when nobody waits for it."""
        one_at_a_time(call)(*arguments)

    def _external(self) -> dict[str, NDArray[np.float32]]:
        return self.inputs | {field_input(name): array for name, array in self.targets.items()}

    def _stream(self, samples: Samples, augment: bool) -> tuple[Stream, object]:
        """Where the samples come from and go to, and the arrays that this speaks of. Only pictures are moved."""
        lines = [
            Line(samples.inputs[name], how.scale, how.offset, how.rings, len(how.shape) == 3, self.inputs[name])
            for name, how in self.prepared.items()
        ]
        fields = [(_rows(samples.targets[name]), out) for name, out in self.targets.items()]
        return stream(lines, fields, self.moves if augment else ()), (samples, fields)

    def _call(self, stage: Literal["train", "evaluate", "curvature"], samples: int) -> tuple[object, ...]:
        """The tables of a full and of the last batch, and the memory that the engine works in."""
        run, batch = self.net.executable(stage), self.net.batch
        assert isinstance(run, Executable), "epochs in one call are the CPU's"
        external = self._external()
        full = run.bind(external, batch)
        last = run.bind(external, samples % batch or batch)
        self.counted = CORRECT in run.program.buffers
        nothing = np.zeros(1, np.float32)
        results = tuple(run.view(name) if name in run.program.buffers else nothing for name in (LOSS, CORRECT, NORM))
        memory = (
            run.scalars, results, run.threads, run.bases.get("private", 0), run.private_bytes, run.bases.get("parts", 0), run.part_bytes,
            run.program.target.lanes,
        )  # fmt: skip
        return ((full.segments, full.launches), (last.segments, last.launches)), memory


def _rows(targets: NDArray[Any]) -> NDArray[np.float32]:
    """Targets [n, ..] in rows of float32: a view, but for class numbers."""
    return np.ascontiguousarray(targets.reshape(len(targets), -1), np.float32)
