"""`netspec compile`: fill the cache of compiled code, so that training, evaluation and prediction begin at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from netspec.data import Samples
from netspec.diagnostics import SpecError, UserError
from netspec.model import Model, Net, Stage
from netspec.records import record
from netspec.runtime import room
from netspec.runtime.build import uncompiled
from netspec.runtime.executable import Executable
from netspec.schedule.layout import Order
from netspec.schedule.program import Program, Segment, Tile
from netspec.trainer.feed import Feed
from netspec.trainer.setup import prepared_data, read_data, usable_plan
from netspec.training.preparation import prepared_inputs

Wanted = Literal["infer", "train", "both"]
TILES, REGIONS = 40, 10
"""What a net should need at most: kernels, and parallel regions that are compiled."""
ENGINE = 3
"""Parallel regions of the compiled engine, which all nets share: blocks or images by thread, a launch by thread, loading samples."""


@record
class Ready:
    """A stage whose code is in the cache. `compiled`: drivers that were not there before; `regions`: parallel ones of a step."""

    stage: Stage
    batch: int
    tiles: frozenset[Tile]
    compiled: int
    launches: int
    regions: int


@record
class Filled:
    """What was done for a net."""

    net: str
    target: str
    stages: tuple[Ready, ...]
    seconds: float

    @property
    def tiles(self) -> int:
        """The different kernels of all stages."""
        return len(frozenset[Tile]().union(*(item.tiles for item in self.stages)))

    @property
    def compiled(self) -> int:
        """Drivers that were compiled."""
        return sum(item.compiled for item in self.stages)

    def text(self) -> str:
        """A line for each stage, and what all of them need."""
        rows = [HEADS, *map(_cells, self.stages)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(HEADS))]
        lines = [
            f"  {row[0]:<{widths[0]}}  " + "  ".join(f"{cell:>{w}}" for cell, w in zip(row[1:], widths[1:], strict=True)) for row in rows
        ]
        more = "" if self.tiles <= TILES else ", more"
        return "\n".join([
            f"{self.net}, {self.target}",
            "",
            *lines,
            "",
            f"  {self.tiles} tiles{more} (at most {TILES} are aimed at), {ENGINE} compiled parallel regions (at most {REGIONS})",
            f"  {_drivers(self.compiled)} compiled, {self.tiles - self.compiled} known, {self.seconds:.1f} s",
        ])  # fmt: skip


HEADS = ("stage", "batch", "tiles", "compiled", "known", "launches", "parallel regions of a step")


def _cells(item: Ready) -> tuple[str, ...]:
    count = len(item.tiles)
    return (item.stage, *map(str, (item.batch, count, item.compiled, count - item.compiled, item.launches, item.regions)))


def _drivers(count: int) -> str:
    return f"{count} driver{'' if count == 1 else 's'}"


def fill(model: Model, wanted: Wanted = "both", batch: int | None = None, target: str | None = None, layout: Order | None = None) -> Filled:
    """Compile what inference (without a named batch, that of a single sample too) and training need. Raises UserError.

    With `both`, a net without a train block is compiled for inference alone.
    """
    start = time.perf_counter()
    net = _compilable(model).uncompiled(batch, target=target, layout=layout)
    if net.target.kind != "cpu":
        raise UserError(f"code is compiled ahead for the CPU, not for {net.target.name}")
    stages: list[Ready] = []
    if wanted != "train":
        batches = (net.batch,) if batch is not None else (net.batch, 1)
        for one in (model.uncompiled(size, target=target, layout=layout) for size in dict.fromkeys(batches)):
            stages.append(_ready(one, "infer"))
            one({name: np.zeros((1, *shape), np.float32) for name, shape in one.input_shapes.items()})
    if wanted == "train" or (wanted == "both" and model.plan is not None):
        measured = model.plan is not None and model.plan.optimizer is not None and model.plan.optimizer.measured
        stages += [_ready(net, "train"), _ready(net, "evaluate"), *([_ready(net, "curvature")] if measured else [])]
        _warm(model, net)
    return Filled(net.model.name, net.target.name, tuple(stages), time.perf_counter() - start)


def largest_batches(model: Model, wanted: Wanted = "both", target: str | None = None, layout: Order | None = None) -> str:
    """The largest batches whose memory is free now, as a line. Raises UserError."""
    net = _compilable(model).uncompiled(target=target, layout=layout)
    free = room.free()
    if net.target.kind != "cpu" or free is None:
        raise UserError("how much memory is free is not known here")
    modes: tuple[Literal["infer", "train"], ...] = ("infer", "train")
    if wanted != "both":
        modes = (wanted,)
    elif model.plan is None:
        modes = ("infer",)
    found = [f"{_MODES[mode]} {_batch(room.largest(free, lambda batch, mode=mode: net.need(mode, batch)))}" for mode in modes]
    threads = f"{net.threads} thread{'s' if net.threads > 1 else ''}"
    return f"{net.model.name}, {net.target.name}, {threads}: the largest batch in {room.told(free)} of free memory: {', '.join(found)}"


_MODES = {"infer": "inference", "train": "training"}


def _batch(size: int) -> str:
    return "none" if size == 0 else f"{size:,}{' or more' if size == room.MOST else ''}"


def _compilable(model: Model) -> Model:
    """The net with a train block from which what is not built yet, data and augmentation, is left out."""
    plan = model.plan
    if plan is None or plan.optimizer is None or not plan.loss:
        return model
    return replace(model, net=replace(model.net, plan=replace(plan, deferred=())))


def _ready(net: Net, stage: Stage) -> Ready:
    program = net.program(stage)
    missing = len(uncompiled(program.tiles))
    net.executable(stage)
    launches = sum(len(segment.launches) for segment in program.segments)
    return Ready(stage, net.batch, frozenset(program.tiles), missing, launches, sum(_regions(program, net.threads)))


def _regions(program: Program, threads: int) -> Iterator[int]:
    """The parallel regions that each segment opens, for a full batch."""
    if threads == 1:
        return
    for segment in program.segments:
        match segment.mode:
            case "apart":
                yield 1
            case "by_image":
                yield (program.batch >= threads) + program.batch % threads * _shared(segment)
            case "together":
                yield _shared(segment)


def _shared(segment: Segment) -> int:
    return sum(launch.shared for launch in segment.launches)


def _warm(model: Model, net: Net) -> None:
    """Compile the loops over epochs, on the samples that the plan names; without these, on some of nothing."""
    try:
        plan = usable_plan(model)
    except SpecError:  # such a block cannot be trained yet
        return
    try:
        data = read_data(model, plan)
        samples, how = data.train, prepared_data(plan, data)
    except UserError:
        inputs = {name: np.zeros((1, *shape), np.uint8) for name, shape in net.input_shapes.items()}
        targets = {name: np.zeros((1, *shape), np.float32) for name, shape in net.field_shapes.items()}
        samples, how = Samples(inputs, targets, np.zeros(1, np.int64)), prepared_inputs((), net.input_shapes)
    assert isinstance(net.executable("train"), Executable)
    feed = Feed(net, plan, how)
    try:
        feed.warm(samples, np.zeros(1, np.float32))
    finally:
        feed.close()
