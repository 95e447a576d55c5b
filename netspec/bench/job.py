"""What one process of the bench is to run, in a folder that all of them read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netspec.bench.weights import Floats, likely_weights, samples
from netspec.diagnostics import Source, UserError
from netspec.elaborate import Setting
from netspec.graph.graph import Graph, Node
from netspec.model import Model, model

Mode = Literal["infer", "train"]
STEPS = 3
"""Training steps after which losses are compared."""


@dataclass(frozen=True)
class Job:
    """A net of a spec, for inference or training, with one batch of samples. `folder` holds its weights and samples."""

    file: str
    text: str
    net: str
    params: Mapping[str, Setting]
    mode: Mode
    batch: int
    threads: int
    target: str | None
    folder: Path

    @cached_property
    def model(self) -> Model:
        """The checked net without its dropout, which every library would draw differently."""
        whole = model(Source(self.file, self.text), self.net, self.params)
        graph = without_dropout(whole.graph)
        plan = whole.plan
        if plan is not None:  # data and augmentation are what the bench does not use
            loss = tuple(replace(term, output=None if term.output in whole.graph.outputs else term.output) for term in plan.loss)
            plan = replace(plan, deferred=(), loss=loss)
        outputs = dict(zip(whole.net.outputs, graph.outputs, strict=True))
        return replace(whole, net=replace(whole.net, graph=graph, outputs=outputs, plan=plan))

    @property
    def graph(self) -> Graph:
        """Its layers."""
        return self.model.graph

    @property
    def training(self) -> bool:
        """Whether it trains."""
        return self.mode == "train"

    @cached_property
    def x(self) -> Floats:
        """The samples [N, ...]."""
        return np.load(self.folder / "x.npy")

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Their classes."""
        return np.load(self.folder / "labels.npy")

    @property
    def weights(self) -> Mapping[str, Floats]:
        """The weights by name, each read when it is asked for: none of them stays in memory because of this."""
        return Saved(self.folder / "weights", tuple(weight.name for weight in self.graph.weights))

    @property
    def rate(self) -> float:
        """A tenth of the spec's learning rate, for a smaller batch in proportion (Goyal et al. 2017).

        At the full rate and without a warm-up each of the first steps multiplies rounding errors by ten, in every library.
        """
        plan = self.model.plan
        if plan is None or plan.optimizer is None:
            raise UserError(f"{self.net} has no `train` block", "the bench can run it with `--mode infer`")
        return plan.optimizer.lr / 10 * min(1.0, self.batch / plan.batch)

    @property
    def operations(self) -> int:
        """Floating-point operations of a call: two per multiplication; in training also for both gradients, where there is one by x."""
        net, (source,) = self.model.net, (value.name for value in self.graph.inputs)
        first = {node.name for node in self.graph.layers if source in node.inputs}
        passes = [(row.macs, 1 if not self.training else 2 if row.path in first else 3) for row in net.rows]
        return 2 * self.batch * sum(macs * times for macs, times in passes)

    def write(self) -> None:
        """Draw weights and samples, and put all of it into the folder."""
        (self.folder / "weights").mkdir()
        for name, value in likely_weights(self.graph).items():
            np.save(_place(self.folder / "weights", name), value)
        x, labels = samples(self.graph, self.batch)
        np.save(self.folder / "x.npy", x)
        np.save(self.folder / "labels.npy", labels)
        plain = {key: value for key, value in asdict(self).items() if key != "folder"}
        (self.folder / "job.json").write_text(json.dumps(plain), encoding="utf-8")


def read(folder: Path) -> Job:
    """The job of a folder."""
    return Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")), folder=folder)


class Saved(Mapping[str, Floats]):
    """Arrays by name, in a folder."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self._folder, self._names = folder, names

    def __getitem__(self, name: str) -> Floats:
        return np.load(_place(self._folder, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _place(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def without_dropout(graph: Graph) -> Graph:
    """The graph in which what reads a dropout's result reads its input."""
    given: dict[str, str] = {}
    kept: list[Node] = []
    for node in graph.layers:
        inputs = tuple(given.get(name, name) for name in node.inputs)
        if node.layer.name == "dropout":
            given[node.output.name] = inputs[0]
        else:
            kept.append(replace(node, inputs=inputs))
    outputs = tuple(given.get(name, name) for name in graph.outputs)
    return replace(graph, nodes=tuple(kept), outputs=outputs) if given else graph
