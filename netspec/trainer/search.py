"""Steps along searches on all samples: where the optimizer is a program over steps, and compiled code only adds up gradients."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from netspec.data import Samples
from netspec.model import Net
from netspec.runtime.engine import DONE, STOP, TROUBLE
from netspec.trainer.feed import Counters, Feed
from netspec.trainer.lbfgs import Array, Memory, minimise
from netspec.training.optimizers import Lbfgs


class _Ended(Exception):
    """The step is given up: it was asked to stop, or a loss was not finite."""


class Search:
    """Makes steps for one run; `memory` is what they leave to each other, and a part of the run's checkpoint."""

    def __init__(self, net: Net, feed: Feed, settings: Lbfgs) -> None:
        self.net, self.feed, self.settings = net, feed, settings
        self.memory = Memory()
        kept = net.state_shapes()
        self.shapes = {weight.name: kept[weight.name] for weight in net.model.graph.weights if f"{weight.name}/sum" in kept}
        """Those of the weights that are trained."""
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="netspec-search")

    def step(self, samples: Samples, epoch: int, rates: NDArray[np.float32], before: int, counters: Counters) -> Future[None]:
        """One step. `counters` then hold the loss and right answers before it; where it is given up, the weights are what they were."""
        return self.worker.submit(self._step, samples, epoch, rates, before, counters)

    def close(self) -> None:
        """End the thread, once its step has ended."""
        self.worker.shutdown(wait=False)

    def _step(self, samples: Samples, epoch: int, rates: NDArray[np.float32], before: int, counters: Counters) -> None:
        memory, start = self.memory.copy(), self._read("")

        def objective(x: Array) -> tuple[float, Array]:
            self._write(x)
            own = Counters()
            own.control[STOP] = counters.control[STOP]
            self.feed.epoch(samples, samples.rows, (0, 1), epoch, rates, before, own).result()
            counters.control[TROUBLE] = own.control[TROUBLE]
            if not own.control[DONE]:
                raise _Ended
            if not counters.samples:
                counters.sums[:] = own.sums
            return own.loss, self._read("/sum")

        try:
            end = minimise(memory, start, objective, self.settings, float(rates[0]))
        except _Ended:
            counters.sums[:] = 0
            self._write(start)
            return
        self._write(end)
        self.memory = memory
        counters.control[DONE] = 1

    def _read(self, state: str) -> Array:
        """All trained weights in a row, or a tensor kept beside each."""
        train = self.net.executable("train")
        parts = [train.read(name + state, shape).ravel() for name, shape in self.shapes.items()]
        return np.concatenate(parts).astype(np.float64)

    def _write(self, x: Array) -> None:
        train, place = self.net.executable("train"), 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            train.write(name, x[place : place + size].reshape(shape).astype(np.float32))
            place += size
