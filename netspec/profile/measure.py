"""The measurement: compile, run a step, then time the whole and its parts in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netspec.bench import peak
from netspec.bench.weights import likely_weights
from netspec.diagnostics import UserError
from netspec.graph.types import ShapeError
from netspec.model import Model, Net, Stage
from netspec.passes.attach_loss import field_input, layer_of, output_of
from netspec.profile.layers import Owners
from netspec.profile.results import Machine, Profile, Timed, gather
from netspec.records import record
from netspec.runtime.bandwidth import Bandwidth
from netspec.runtime.executable import Executable
from netspec.runtime.single import Singles
from netspec.schedule.layout import Order
from netspec.schedule.program import Launch, Mode, Program
from netspec.schedule.staging import OUTSIDE

Floats = NDArray[np.float32]
Tell = Callable[[str], None]
ROUNDS, FEWEST, STEPS = 7, 3, 3
"""How often each launch is timed, how often at least where that takes long, and how many whole steps there are in each round."""
TRIES = 4
"""How often the peak is measured in each round: it is what the machine does while nothing else runs, so the best one counts."""
LONG = 15.0
"""Seconds after which there is no further round."""


@record
class Question:
    """What to profile, and how; what is None is chosen as when the net is compiled."""

    model: Model
    mode: Literal["infer", "train"] = "infer"
    batch: int | None = None
    threads: int | None = None
    target: str | None = None
    layout: Order | None = None
    rounds: int = ROUNDS


def profile(question: Question, tell: Tell = lambda _: None) -> Profile:
    """Where the time of a net goes. `tell` hears what is being done. Raises UserError for what cannot be compiled or run."""
    model, stage = _trainable(question.model, question.mode)
    tell("compiling")
    net = model.uncompiled(question.batch, threads=question.threads, target=question.target, layout=question.layout)
    if net.target.kind != "cpu":
        raise UserError(f"a profile is taken on the CPU, not on {net.target.name}")
    arrays = _samples(net, stage)
    graph = model.graph if stage == "infer" else model.trained_graph
    net.load_weights(likely_weights(graph))
    exe = net.executable(stage)
    assert isinstance(exe, Executable)
    exe.run(arrays, net.batch, {"step": 1})  # at a rate of 0: weights stay what they are, however often they are updated
    singles, owners = Singles(exe, exe.bind(arrays, net.batch), net.batch), Owners(graph, exe.program)
    machine, step, seconds, rounds = _measured(singles, net, len(owners.launches), question.rounds, tell)
    rows = gather(_timed(exe, owners, seconds), owners.kinds(), machine)
    layers = tuple(row for row in rows if row.kind)
    others = tuple(row for row in rows if not row.kind)
    return Profile(
        net.model.name, stage, net.batch, net.threads, net.target.name, exe.program.layout, rounds, machine, step,
        singles.loading(), layers, others, owners.free(),
    )  # fmt: skip


def _timed(exe: Executable, owners: Owners, seconds: Sequence[float]) -> list[Timed]:
    modes: list[Mode] = [segment.mode for segment in exe.program.segments for _ in segment.launches]
    found: list[Timed] = []
    for launch, mode, backward, spent in zip(owners.launches, modes, owners.backward, seconds, strict=True):
        cached = _at_a_time(launch, mode, exe.program, exe.threads) <= exe.program.target.l2
        found.append(Timed(launch, owners.owner(launch), backward, mode, cached, spent))
    return found


def _at_a_time(launch: Launch, mode: Mode, program: Program, threads: int) -> float:
    """The bytes that a thread moves before it takes up other images."""
    match mode:
        case "together":
            return launch.moved / threads
        case "apart":
            return launch.moved * min(1.0, program.target.lanes / program.batch)
        case "by_image":
            return launch.moved / program.batch


def _trainable(model: Model, mode: str) -> tuple[Model, Stage]:
    """The net with what of its train block can be timed, and the stage to time: data and augmentation are left out, built or not."""
    if mode == "infer":
        return model, "infer"
    plan = model.plan
    if plan is None or plan.optimizer is None or not plan.loss:
        return model, "gradients"
    return replace(model, net=replace(model.net, plan=replace(plan, deferred=()))), "train"


def _samples(net: Net, stage: Stage) -> dict[str, Floats]:
    """Inputs, and targets or room for the results."""
    model, random = net.model, np.random.default_rng(0)
    graph = model.graph if stage == "infer" else model.trained_graph
    arrays: dict[str, Floats] = {name: random.standard_normal((net.batch, *shape), np.float32) for name, shape in net.input_shapes.items()}
    if stage == "infer":
        return arrays | {name + OUTSIDE: np.empty((net.batch, *graph.types[name].type.sample), np.float32) for name in graph.outputs}
    for term in net.terms:
        output = graph.types[output_of(graph, term)].type.sample
        try:
            shape = (net.batch, *layer_of(term).target(output))
        except ShapeError as error:
            raise UserError(f"{net.model.name} cannot be trained by `{term}`: {error.message}", error.help) from error
        if term.field:
            classes = term.loss.targets == "classes"
            drawn = random.integers(0, output[0], shape).astype(np.float32) if classes else random.standard_normal(shape, np.float32)
            arrays[field_input(term.target)] = drawn
    return arrays


def _measured(singles: Singles, net: Net, count: int, rounds: int, tell: Tell) -> tuple[Machine, float, list[float], int]:
    """Peaks, the seconds of a step and of each launch, and in how many rounds they were measured."""
    burn, operations = peak.busy(net.target, net.threads)
    lanes = Bandwidth(net.threads, net.target.l2)
    steps: list[float] = []
    parts: list[list[float]] = [[] for _ in range(count)]
    most: list[tuple[float, float, float]] = []
    start = perf_counter()
    for k in range(rounds):
        if k >= FEWEST and perf_counter() - start > LONG:
            break
        tell(f"round {k + 1} of {rounds}")
        most += [(operations / _spent(burn), lanes.far() if again == 0 else 0.0, lanes.near()) for again in range(TRIES)]
        first = singles.step()  # wakes the threads, and leaves numbers of a step behind
        steps += [first] if first > LONG / 100 else [singles.step() for _ in range(STEPS)]
        for number, found in enumerate(parts):
            found.append(singles.launch(number))
    lanes.close()
    return Machine(*map(max, zip(*most, strict=True))), median(steps), [median(found) for found in parts], len(parts[0])


def _spent(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start
