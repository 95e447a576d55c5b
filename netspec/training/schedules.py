"""Schedules: the learning rate of every step. Phases chain; each starts from the rate at which the one before it ended."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import cos, pi
from typing import Annotated, ClassVar

from netspec.records import record
from netspec.schema import at_least
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
    return "5 epochs, " + ", ".join(f"{name}={written(value)}" for name, value in phase.given()) if any(phase.given()) else "5 epochs"
