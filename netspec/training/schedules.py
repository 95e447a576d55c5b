"""Schedules: the learning rate of every step. Phases chain; each starts from the rate at which the one before it ended."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import cos, pi
from typing import Annotated, ClassVar

from netspec.records import record
from netspec.schema import above, at_least, at_most, below
from netspec.training.control import Epochs, Metric, rises
from netspec.training.declaration import Declaration, Duration, written
from netspec.training.quantity import EPOCHS, Quantity, number

NonNegative = Annotated[float, at_least(0)]


@record
class Run:
    """How long training lasts, in steps, and how many of them make an epoch."""

    total: int
    per_epoch: int

    def steps(self, duration: Quantity | float) -> Fraction:
        """A duration in steps, not yet rounded."""
        match duration:
            case Quantity(value, unit):
                return value * self.per_epoch if unit in EPOCHS else value
            case _:
                return Fraction(str(duration)) * self.total


@record
class Place:
    """Where a phase stands: its first step from 0, how many it has, the rate it starts from and the optimizer's own rate."""

    first: int
    count: int
    start: float
    peak: float
    run: Run


class Phase(Declaration):
    """A part of the run; without a duration, all that is left of it."""

    duration: Duration | None = None

    def rates(self, place: Place) -> Iterator[float]:
        """The rate of each of the phase's steps."""
        raise NotImplementedError

    def end(self, place: Place) -> float:
        """The rate from which the next phase starts."""
        raise NotImplementedError


class Constant(Phase):
    """Keeps the rate that it starts from."""

    name: ClassVar[str] = "constant"

    def rates(self, place: Place) -> Iterator[float]:
        """The same, over and over."""
        return (place.start for _ in range(place.count))

    def end(self, place: Place) -> float:
        """Where it started."""
        return place.start


class Warmup(Phase):
    """Linear from nearly nothing to the optimizer's rate: step i of n has (i + 1)/n of it, the last one all of it (Goyal et al. 2017)."""

    name: ClassVar[str] = "warmup"

    def rates(self, place: Place) -> Iterator[float]:
        """PyTorch's LinearLR(start_factor=1/n, end_factor=1, total_iters=n - 1), called every step."""
        return (place.peak * ((i + 1) / place.count) for i in range(place.count))

    def end(self, place: Place) -> float:
        """The optimizer's rate."""
        return place.peak


class Linear(Phase):
    """Linear to `to`, which the step after the phase would have."""

    name: ClassVar[str] = "linear"
    to: NonNegative = 0.0

    def rates(self, place: Place) -> Iterator[float]:
        """PyTorch's LinearLR(start_factor=1, end_factor=to/start, total_iters=n), called every step."""
        return (place.start + (self.to - place.start) * (i / place.count) for i in range(place.count))

    def end(self, place: Place) -> float:
        """`to`."""
        return self.to


class Cosine(Phase):
    """Half a cosine wave to `to`, which the step after the phase would have (Loshchilov & Hutter 2017)."""

    name: ClassVar[str] = "cosine"
    to: NonNegative = 0.0

    def rates(self, place: Place) -> Iterator[float]:
        """PyTorch's CosineAnnealingLR(T_max=n, eta_min=to), called every step."""
        half = (place.start - self.to) / 2
        return (self.to + half * (1 + cos(pi * i / place.count)) for i in range(place.count))

    def end(self, place: Place) -> float:
        """`to`."""
        return self.to


class Exponential(Phase):
    """`exponential(0.96, every=8 epochs)`: the rate is multiplied by `gamma` after each `every`, and stays between."""

    name: ClassVar[str] = "exponential"
    gamma: Annotated[float, above(0), at_most(1)]
    every: Duration = Quantity(Fraction(1), "epoch")
    duration: Duration | None = None

    def rates(self, place: Place) -> Iterator[float]:
        """PyTorch's ExponentialLR(gamma), called at each `every`."""
        return (self._after(i, place) for i in range(place.count))

    def end(self, place: Place) -> float:
        """The rate of the step after the phase."""
        return self._after(place.count, place)

    def _after(self, steps: int, place: Place) -> float:
        return place.start * self.gamma ** (steps // place.run.steps(self.every))


class OneCycle(Phase):
    """Up to the optimizer's rate in the first `rise` of the phase and down to nearly nothing, in half cosine waves (Smith & Topin 2018).

    It begins at the optimizer's rate / `div` and ends at that / `final_div`. Momentum stays what it is.
    """

    name: ClassVar[str] = "one_cycle"
    rise: Annotated[float, above(0), below(1)] = 0.3
    div: Annotated[float, at_least(1)] = 25.0
    final_div: Annotated[float, at_least(1)] = 1e4

    def rates(self, place: Place) -> Iterator[float]:
        """PyTorch's OneCycleLR(max_lr, total_steps=n, cycle_momentum=False), called every step: the peak may lie between two steps."""
        top, last = max(self.rise * place.count - 1, 0.0), place.count - 1
        first = place.peak / self.div
        for i in range(place.count):
            if i <= top:
                yield _wave(first, place.peak, i / top if top else 1.0)
            else:
                yield _wave(place.peak, self.end(place), (i - top) / (last - top))

    def end(self, place: Place) -> float:
        """The rate of its last step."""
        return place.peak / self.div / self.final_div


def _wave(start: float, end: float, share: float) -> float:
    """Half a cosine wave from start to end."""
    return end + (start - end) / 2 * (1 + cos(pi * share))


class Plateau(Phase):
    """The rate it starts from, multiplied by `factor` whenever the metric has not improved for more than `patience` epochs.

    An improvement is one by more than the share `threshold`. After a reduction, `cooldown` epochs are not counted. The metric is looked at
    when an epoch ends.
    """

    name: ClassVar[str] = "plateau"
    factor: Annotated[float, above(0), below(1)] = 0.1
    patience: Epochs = Quantity(Fraction(10), "epochs")
    threshold: NonNegative = 1e-4
    cooldown: Epochs | None = None
    min: NonNegative = 0.0
    on: Metric = "val.loss"

    def rates(self, place: Place) -> Iterator[float]:
        """The rate it starts from: what it does to it is known when an epoch ends."""
        return (place.start for _ in range(place.count))

    def end(self, place: Place) -> float:
        """The rate it starts from: nothing may follow."""
        return place.start

    def judge(self, seen: Watch | None, start: float, value: float) -> Watch:
        """What is known after another epoch, whose metric is `value`: the steps of PyTorch's ReduceLROnPlateau. `start`: its first rate."""
        rate, best, bad, cooling = seen or (start, value, 0.0, 0.0)
        better = value > best * (1 + self.threshold) if rises(self.on) else value < best * (1 - self.threshold)
        best, bad = (value, 0.0) if better or seen is None else (best, bad + 1)
        if cooling > 0:
            cooling, bad = cooling - 1, 0.0
        if bad > self.patience.value:
            lower = max(rate * self.factor, self.min)
            rate, bad, cooling = lower if rate - lower > _LEAST else rate, 0.0, float(self.cooldown.value) if self.cooldown else 0.0
        return rate, best, bad, cooling


Watch = tuple[float, float, float, float]
"""What a plateau remembers: the rate, the best metric, the epochs without an improvement, the epochs that do not count yet."""
_LEAST = 1e-8
"""A smaller reduction is none."""


class Step(Declaration):
    """`step([2 epochs, 5 epochs], [1e-2, 1e-3, 1e-4])`: the rates between boundaries, which count from the start of the run."""

    name: ClassVar[str] = "step"
    boundaries: tuple[Duration, ...]
    values: tuple[NonNegative, ...]

    def conflict(self) -> str | None:
        """The first rate stands before the first boundary."""
        needed = len(self.boundaries) + 1
        return None if len(self.values) == needed else f"{needed - 1} boundaries need {needed} rates, got {len(self.values)}"

    @property
    def duration(self) -> None:
        """It takes what is left of the run."""
        return

    def rates(self, place: Place) -> Iterator[float]:
        """The value whose boundaries enclose the step."""
        bounds = [round(place.run.steps(item)) for item in self.boundaries]
        return (self.values[sum(bound <= step for bound in bounds)] for step in range(place.first, place.first + place.count))

    def end(self, place: Place) -> float:
        """The last value."""
        return self.values[-1]


AnyPhase = Phase | Step


def rates(phases: tuple[AnyPhase, ...], peak: float, run: Run) -> list[float]:
    """The learning rate of every step of the run. No phases: `peak` throughout. Raises ValueError for what `mismatch` describes."""
    if problem := mismatch(phases, run):
        raise ValueError(problem[0])
    found: list[float] = []
    start, clock = peak, Fraction(0)
    for phase in phases or (Constant(),):
        clock = Fraction(run.total) if phase.duration is None else clock + run.steps(phase.duration)
        # each end is rounded, not each length: the phases then add up whatever the lengths
        place = Place(len(found), round(clock) - len(found), start, peak, run)
        found += phase.rates(place)
        start = phase.end(place)
    return found


def mismatch(phases: tuple[AnyPhase, ...], run: Run, unit: str = "steps") -> tuple[str, str] | None:
    """Why the phases do not make up the run, and the mend; None when they do. `unit` is what messages count in."""
    for phase in phases[:-1]:
        if isinstance(phase, Plateau):
            return ("a phase follows `plateau`, whose last rate is only known when it is reached", "put `plateau` last")
        if phase.duration is None:
            return (f"`{phase.name}` has no duration, but a phase follows it", f"say how long: `{phase.name}({_example(phase)})`")
    if not phases:
        return None
    last, total = phases[-1], Fraction(run.total)
    covered = sum((run.steps(item.duration) for item in phases if item.duration is not None), Fraction(0))
    if last.duration is None and covered >= total:
        return (f"schedule leaves nothing of the {_count(total, unit, run)} for `{last.name}`", "shorten the phases before it")
    if last.duration is not None and covered != total:
        return _uncovered(last, covered, total, unit, run)
    return _boundary(last, covered, run, unit) if isinstance(last, Step) else None


def _uncovered(last: Phase | Step, covered: Fraction, total: Fraction, unit: str, run: Run) -> tuple[str, str]:
    assert last.duration is not None
    mine = run.steps(last.duration) + total - covered
    message = f"schedule covers {number(_in(covered, unit, run))} of {_count(total, unit, run)}"
    if covered < total:
        rest = _count(total - covered, unit, run)
        return message, f"extend `{last.name}` to {_count(mine, unit, run)}, or add `constant({rest})`"
    if mine > 0:
        return message, f"shorten `{last.name}` to {_count(mine, unit, run)}, or set `{unit} = {number(_in(covered, unit, run))}`"
    return message, f"set `{unit} = {number(_in(covered, unit, run))}`, or shorten its phases"


def _boundary(last: Step, first: Fraction, run: Run, unit: str) -> tuple[str, str] | None:
    ends = [first, *map(run.steps, last.boundaries), Fraction(run.total)]
    for i, (before, after) in enumerate(pairwise(ends)):
        if after <= before and not (i == 0 and after == before == 0):
            which = f"boundary {written(last.boundaries[min(i, len(last.boundaries) - 1)])} of `step`"
            place = (
                f"not after {_count(before, unit, run)}"
                if i < len(last.boundaries)
                else f"not within the {_count(after, unit, run)} of the run"
            )
            return f"{which} is {place}", "boundaries rise, count from the start of the run, and lie within it"
    return None


def _in(steps: Fraction, unit: str, run: Run) -> Fraction:
    return steps / run.per_epoch if unit in EPOCHS else steps


def _count(steps: Fraction, unit: str, run: Run) -> str:
    return f"{number(_in(steps, unit, run))} {unit}"


def _example(phase: AnyPhase) -> str:
    """Its arguments with a duration of five epochs, at its place or by its name."""
    first = next(iter(phase.arguments())) == "duration"
    given = [f"{name}={written(value)}" for name, value in phase.given()]
    return ", ".join(["5 epochs", *given] if first else [*given, "duration=5 epochs"])
