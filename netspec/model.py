"""Nets in Python: `load` a spec, `compile` it, call it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Literal, Union

import numpy as np
from numpy.typing import ArrayLike

from netspec import settings as environment
from netspec import sources
from netspec.compiler import Terms, curvature_graph, evaluation_graph, frozen_weights, gradient_graph, inference_graph, training_graph
from netspec.diagnostics import Source, SpecError, UserError
from netspec.elaborate import CheckedNet, Setting, elaborate
from netspec.elaborate.choice import chosen
from netspec.graph.graph import Graph
from netspec.graph.types import Shape, Weight
from netspec.kernels.affine import size_of
from netspec.kernels.formula import d
from netspec.passes.attach_loss import CORRECT, LOSS, field_input, field_shapes
from netspec.runtime import room
from netspec.runtime.border import Arrays, Border, Floats, Results
from netspec.runtime.executable import Executable
from netspec.runtime.host import host_target
from netspec.runtime.stock import Stock
from netspec.schedule.cuda import schedule_cuda
from netspec.schedule.layout import Order
from netspec.schedule.program import Program
from netspec.schedule.schedule import schedule
from netspec.schedule.staging import OUTSIDE
from netspec.schedule.targets import Target
from netspec.syntax.parse import parse
from netspec.training import TrainPlan
from netspec.training.losses import CrossEntropy, Term

if TYPE_CHECKING:
    from netspec.runtime.cuda import CudaExecutable

FLOAT = 4
"""Bytes of a number."""
Stage = Literal["infer", "train", "gradients", "evaluate", "curvature"]
TILED: tuple[Stage, ...] = ("infer", "evaluate")
"""Stages that may compute by Winograd's tiles."""
Code = Union[Executable, "CudaExecutable"]


def load(path_or_text: str, net: str | None = None, *, train: str | None = None, **params: Setting) -> Model:
    """A net of a spec, given as a path, a bundled net's name or the text itself. `params` set its parameters.

    `net` chooses among several, `train` among its train blocks. Raises SpecError with all errors of the spec, UserError for a file, net or
    block that does not exist.
    """
    found = sources.resolve(path_or_text)
    return model(found.source, net or found.net, params, block=train)


def find_model(
    file: str, net: str | None, params: Mapping[str, Setting], *, trained: bool = False, block: str | None = None, seed: int | None = None
) -> Model:
    """A net of a path or a bundled name; `trained` and `block` as `model`, `seed` replaces that of the train block. Raises as `load`."""
    found = sources.find(file)
    return model(found.source, net or found.net, params, trained=trained, block=block).seeded(seed)


def model(source: Source, net: str | None, params: Mapping[str, Setting], *, trained: bool = False, block: str | None = None) -> Model:
    """The net of a source; `trained` prefers one that has a train block, `block` names one of these. Raises as `load`."""
    found = elaborate(parse(source.text, source.file), source, params, net=net)
    return Model(chosen(found, named=net is not None, trained=trained, block=block), found.source, dict(params))


@dataclass(frozen=True)
class Model:
    """A checked net, not yet compiled."""

    net: CheckedNet
    source: Source
    params: dict[str, Setting]

    @property
    def name(self) -> str:
        """The net's name."""
        return self.net.name

    @property
    def plan(self) -> TrainPlan | None:
        """Its train block, if it has one."""
        return self.net.plan

    @property
    def graph(self) -> Graph:
        """Its graph of layers, as deployed. Raises UserError while sizes of its inputs are not bound."""
        return self.net.bound_graph

    def bound(self, **sizes: int) -> Model:
        """The same with sizes of its inputs bound. Raises as `load`."""
        alias, seed = (self.plan.alias, self.plan.seed) if self.plan else (None, None)
        return model(self.source, self.name, {**self.params, **sizes}, block=alias).seeded(seed) if sizes else self

    @property
    def trained_graph(self) -> Graph:
        """Its graph of layers as it is trained, with what stands in `if training`."""
        return self.net.in_training.bound_graph

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        """Its weights: those of training, then those that exist only when it is deployed."""
        trained = self.trained_graph.weights
        names = {weight.name for weight in trained}
        return (*trained, *(weight for weight in self.graph.weights if weight.name not in names))

    def seeded(self, seed: int | None) -> Model:
        """The same with another seed in its train block."""
        if seed is None or self.plan is None:
            return self
        return replace(self, net=replace(self.net, plan=replace(self.plan, seed=seed)))

    def compile(
        self,
        mode: Literal["infer", "train"] = "infer",
        batch: int | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
        threads: int | None = None,
        seed: int | None = None,
        *,
        target: str | None = None,
        layout: Order | None = None,
        winograd: bool = True,
        **sizes: int,
    ) -> Net:
        """Code for this machine (or a named target), for up to `batch` samples at once, with weights drawn by the seed.

        `mode` says what is compiled now; whatever else is asked of the net is compiled when it is first used. With `winograd`, inference
        takes large 3x3 convolutions by tiles where that is thought to be faster, within 1e-4 of the largest element instead of 1e-5, unless
        NETSPEC_WINOGRAD says no. `sizes` bind symbolic dimensions of the inputs: `compile(H=224, W=224)`. Raises UserError.
        """
        net = self.bound(**sizes).uncompiled(batch, device, threads, seed, target=target, layout=layout, winograd=winograd)
        net.executable("train" if mode == "train" else "infer")
        return net

    def uncompiled(
        self,
        batch: int | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
        threads: int | None = None,
        seed: int | None = None,
        *,
        target: str | None = None,
        layout: Order | None = None,
        winograd: bool = True,
    ) -> Net:
        """As `compile`, but nothing is compiled before it is used."""
        batch = batch if batch is not None else self.plan.batch if self.plan else 64
        if batch < 1:
            raise UserError(f"batch is at least 1, got {batch}")
        seed = seed if seed is not None else self.plan.seed if self.plan else 0
        winograd = environment.winograd() and winograd
        return Net(self, batch, threads or environment.threads(), seed, target=target, layout=layout, device=device, winograd=winograd)


def tiled_images(batch: int, target: Target, layout: Order | None) -> int | None:
    """The images for which Winograd's tiles are weighed against the direct way; None where only that is known: with images in lanes, and on
    GPUs.
    """
    return batch if target.kind == "cpu" and layout != "images" else None


class Net:
    """A compiled net: `net(x)` for x float32 [N, c, h, w] (or [N, t, f], [N, f]), N up to the batch.

    A net of several inputs takes an array for each, in their order or by name: `net(left, right)`, `net(left=a, right=b)`, or a mapping
    `net({"left": a, "right": b})`, which is also what `step`, `gradients` and `evaluate` take. One of several outputs gives a dictionary.
    Where the loss compares with several fields of the data, labels are a mapping too; where it compares with none, there are none.

    One set of weights serves inference and training. Bits depend on the target, the compiled batch and the seed, not on the threads.
    """

    def __init__(
        self, model: Model, batch: int, threads: int, seed: int, *, target: str | None, layout: Order | None, device: str, winograd: bool
    ) -> None:
        self.model, self.batch, self.threads, self.seed = model, batch, threads, seed
        self.device = device
        self.layout: Order | None = layout
        self.target = host_target("cuda_sm90" if device == "cuda" else target)
        self.tiled = tiled_images(batch, self.target, layout) if winograd else None
        """The images for which Winograd's tiles are weighed in inference; None where all is direct."""
        self.steps = 0
        """Training steps made."""
        self._ready: dict[Stage, Code] = {}
        self._graphs: dict[Stage, Graph] = {}
        self._programs: dict[Stage, Program] = {}
        self._room = room.free()
        self._fitted: list[Stage] = []
        self._stock = Stock(model.weights, seed)
        results = {name: (model.net.outputs[name] + OUTSIDE, shape) for name, shape in self.output_shapes.items()}
        self._border = Border(model.name, batch, self.input_shapes, results)

    # ── what it is for ───────────────────────────────────────────────────────────────────────────

    def __call__(self, /, *x: Arrays, **named: ArrayLike) -> Results:
        """The net's output [N, ...] for x [N, ...], as a deployed net computes it. Raises UserError for a shape that does not fit."""
        arrays, count = self._border.samples(x, named)
        results = self._border.results(count)
        self.executable("infer").run(arrays | results, count)
        return self._border.named(results)

    def step(self, x: Arrays, labels: Arrays | None = None, lr: float | None = None) -> float:
        """One training step on a batch; the loss before it. A step that is not finite changes nothing and raises UserError."""
        if (optimizer := self._plan().optimizer) is None or optimizer.whole:
            raise UserError(f"{self.model.name} has no optimizer that makes steps on batches", "`netspec.train` makes those on all samples")
        external, count = self._batch(x, labels)
        run = self.executable("train")
        self.steps += 1
        run.run(external, count, {"lr": optimizer.lr if lr is None else lr, "step": self.steps, "seed": self.seed})
        self._stock.changed("train")
        loss = float(run.read(LOSS, (1,))[0])
        if not np.isfinite(loss):
            raise UserError(f"step {self.steps}: the loss is {loss}; no weight was changed", "lower the learning rate, or look at the data")
        return loss

    def gradients(self, x: Arrays, labels: Arrays | None = None) -> tuple[float, dict[str, Floats]]:
        """The loss of a batch and its gradient by every weight that is trained and that it depends on, by name, in PyTorch's layout."""
        external, count = self._batch(x, labels)
        run = self.executable("gradients")
        run.run(external, count, {"seed": self.seed, "step": self.steps + 1})
        found = {
            weight.name: run.read(d(weight.name), _shape(weight)) for weight in self._trainable if d(weight.name) in run.program.buffers
        }
        return float(run.read(LOSS, (1,))[0]), found

    def evaluate(self, x: Arrays, labels: Arrays | None = None) -> tuple[float, float | None]:
        """The mean loss of a batch and, where targets are classes, the share that is right: by the first term of the loss that has some."""
        external, count = self._batch(x, labels)
        run = self.executable("evaluate")
        there = {value.name for value in self._graph("evaluate").inputs}
        run.run({name: value for name, value in external.items() if name in there}, count)
        known = CORRECT in run.program.buffers
        return float(run.read(LOSS, (1,))[0]), float(run.read(CORRECT, (1,))[0]) / count if known else None

    def _batch(self, x: Arrays, labels: Arrays | None) -> tuple[dict[str, Floats], int]:
        """Samples and what they are compared with, as training code takes them, and how many there are."""
        arrays, count = self._border.samples((x,), {})
        targets = self._border.targets(labels, self.field_shapes, count)
        return arrays | {field_input(name): value for name, value in targets.items()}, count

    @property
    def weights(self) -> dict[str, Floats]:
        """All weights and running statistics by name, those that exist only in training too: copies in PyTorch's layout."""
        return self._stock.read()

    def load_weights(self, weights: Mapping[str, ArrayLike]) -> None:
        """Replace weights by name; what is not named stays.

        Raises UserError for an unknown name or a wrong shape; then nothing is changed.
        """
        self._stock.load(self.model.name, weights)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all that a run goes on from: weights, running statistics, and what the optimizer keeps."""
        return {weight.name: _shape(weight) for weight in (*self.model.weights, *self._optimizers)}

    def state(self) -> dict[str, Floats]:
        """All that a run goes on from."""
        run = self.executable("train")
        return self.weights | {weight.name: run.read(weight, _shape(weight)) for weight in self._optimizers}

    def load_state(self, state: Mapping[str, Floats]) -> None:
        """What `state` gave."""
        own, run = {weight.name for weight in self._optimizers}, self.executable("train")
        self.load_weights({name: value for name, value in state.items() if name not in own})
        for name in own:
            run.write(name, state[name])

    @cached_property
    def _optimizers(self) -> list[Weight]:
        """What the optimizer keeps."""
        names = {weight.name for weight in self.model.weights}
        return [weight for weight in self._graph("train").weights if weight.name not in names]

    # ── how it is made ───────────────────────────────────────────────────────────────────────────

    def executable(self, stage: Stage) -> Code:
        """The code of a stage, compiled when first asked for, with the current weights."""
        if stage not in self._ready:
            code = self._compiled(stage)
            self._stock.add(stage, code)
            self._ready[stage] = code
        self._stock.refresh(stage)
        return self._ready[stage]

    def program(self, stage: Stage) -> Program:
        """What the CPU runs in a stage."""
        if stage not in self._programs:
            self._programs[stage] = schedule(self._graph(stage), self.target, self.batch, self.layout)
        return self._programs[stage]

    def _compiled(self, stage: Stage) -> Code:
        if self.target.kind == "cpu":
            return Executable(self._fitting(stage), self.threads)
        from netspec.runtime.cuda import CudaExecutable

        return CudaExecutable(schedule_cuda(self._graph(stage), self.target, self.batch))

    def _fitting(self, stage: Stage) -> Program:
        """The program, where it fits beside those that are there. Raises UserError where it does not."""
        program = self.program(stage)
        self._fitted.append(stage)
        if self._room is not None:
            room.check(
                self.batch, self._room, lambda batch: sum(room.needed(self._scheduled(item, batch), self.threads) for item in self._fitted)
            )
        return program

    def need(self, mode: Literal["infer", "train"], batch: int) -> int:
        """The bytes that inference, or training with its evaluation, takes for up to so many samples: these, weights, all in between."""
        stages: tuple[Stage, ...] = ("infer",) if mode == "infer" else ("train", "evaluate")
        results = sum(map(prod, self.output_shapes.values())) if mode == "infer" else 0
        sample = sum(size_of(value.type.shape) for value in self._graph(stages[0]).inputs) + results
        copies = len(stages)  # those that code begins with; in training also the best ones
        weights = copies * sum(size_of(weight.type.shape) for weight in self.model.weights)
        return FLOAT * (batch * sample + weights) + sum(room.needed(self._scheduled(stage, batch), self.threads) for stage in stages)

    def _scheduled(self, stage: Stage, batch: int) -> Program:
        """The program that a net compiled for another batch would have: its tiles, too, depend on that."""
        if batch == self.batch:
            return self.program(stage)
        graph = self._graph(stage) if self.tiled is None or stage not in TILED else self._made(stage, batch)
        return schedule(graph, self.target, batch, self.layout)

    def _graph(self, stage: Stage) -> Graph:
        if stage not in self._graphs:
            self._graphs[stage] = self._made(stage, self.batch)
        return self._graphs[stage]

    def _made(self, stage: Stage, batch: int) -> Graph:
        tiled = None if self.tiled is None else tiled_images(batch, self.target, self.layout)
        match stage:
            case "infer":
                return inference_graph(self.model.graph, tiled)
            case "train":
                return training_graph(self.model.trained_graph, self._plan())
            case "curvature":
                return curvature_graph(self.model.trained_graph, self._plan())
            case "gradients":
                graph = self.model.trained_graph
                return gradient_graph(graph, self.terms, frozen_weights(graph, self.model.plan))
            case "evaluate":
                return evaluation_graph(self.model.graph, self.terms, tiled)

    def advanced(self, steps: int) -> None:
        """The training code has made so many steps by itself: its weights are the current ones."""
        self.steps += steps
        self._stock.changed("train")

    def _plan(self) -> TrainPlan:
        plan = self.model.plan
        if plan is None:
            raise UserError(
                f"{self.model.name} has no `train` block", f"add `train {self.model.name} {{ loss = ..; optimizer = ..; epochs = .. }}`"
            )
        if plan.deferred:
            raise SpecError(plan.deferred, [self.model.source])
        return plan

    @cached_property
    def terms(self) -> Terms:
        """The loss. Without a train block, cross entropy."""
        plan = self.model.plan
        return plan.loss if plan and plan.loss else (Term(1.0, CrossEntropy()),)

    @cached_property
    def field_shapes(self) -> dict[str, Shape]:
        """The fields of the data that the loss compares with, and the shapes of their samples."""
        return field_shapes(self.model.trained_graph, self.terms)

    @cached_property
    def _trainable(self) -> list[Weight]:
        return [weight for weight in self.model.trained_graph.weights if weight.role == "trainable"]

    @cached_property
    def input_shapes(self) -> dict[str, Shape]:
        """The shapes of a sample, by input."""
        return {value.name: value.type.sample for value in self.model.graph.inputs}

    @cached_property
    def output_shapes(self) -> dict[str, Shape]:
        """The shapes of the results for a sample, by output."""
        return {name: self.model.graph.types[value].type.sample for name, value in self.model.net.outputs.items()}


def _shape(weight: Weight) -> tuple[int, ...]:
    return tuple(extent for extent in weight.type.shape if isinstance(extent, int))
