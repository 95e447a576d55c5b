"""Limited-memory BFGS (Liu & Nocedal 1989), a program over steps: compiled code gives the loss of all samples and its gradient, no more.

Every step is a line search along a direction that the last gradients suggest (two loops over what is remembered), until the strong Wolfe
conditions hold (Nocedal & Wright 2006, algorithms 3.5 and 3.6; cubic interpolation). The arithmetic is float64 and equals that of PyTorch's
LBFGS(line_search_fn="strong_wolfe"), decision by decision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netspec.training.optimizers import Lbfgs

Array = NDArray[np.float64]
Objective = Callable[[Array], tuple[float, Array]]
"""From weights to the loss and its gradient."""

DECREASE, CURVE = 1e-4, 0.9
"""The constants of the Wolfe conditions: how much of the promised decrease is enough, how much of the slope may be left."""
TRIALS = 25
"""Points that a line search looks at, at most."""
LEAST_CURVATURE = 1e-10
"""Changes of the gradient along a step that are smaller are not remembered."""
LEAST_PROGRESS = 1e-9
"""A part of a line along which no weight moves further is not looked into."""
PREFIX = "lbfgs/"


@dataclass(slots=True)
class Memory:
    """What one step leaves to the next: the last steps, how the gradient changed along them, the direction and how far that was taken."""

    steps: list[Array] = field(default_factory=list[Array])
    changes: list[Array] = field(default_factory=list[Array])
    direction: Array = field(default_factory=lambda: np.zeros(0))
    gradient: Array = field(default_factory=lambda: np.zeros(0))
    length: float = 0.0
    scale: float = 1.0
    count: int = 0

    def tensors(self) -> dict[str, NDArray[Any]]:
        """For a checkpoint."""
        size = len(self.direction)
        rows = {"steps": np.array(self.steps).reshape(-1, size or 1), "changes": np.array(self.changes).reshape(-1, size or 1)}
        numbers = np.array([self.length, self.scale, self.count])
        found = {**rows, "direction": self.direction, "gradient": self.gradient, "numbers": numbers}
        return {PREFIX + name: value for name, value in found.items()}

    @classmethod
    def restored(cls, tensors: Mapping[str, NDArray[Any]]) -> Memory:
        """What `tensors` gave."""
        found = {name.removeprefix(PREFIX): value.astype(np.float64) for name, value in tensors.items()}
        length, scale, count = found["numbers"].tolist()
        return cls(list(found["steps"]), list(found["changes"]), found["direction"], found["gradient"], length, scale, int(count))

    def copy(self) -> Memory:
        """Another with the same content; arrays are never written to."""
        return Memory(list(self.steps), list(self.changes), self.direction, self.gradient, self.length, self.scale, self.count)

    def turn(self, gradient: Array, history: int) -> None:
        """Remember what the last step showed, and choose the next direction."""
        if self.count:
            change, step = gradient - self.gradient, self.direction * self.length
            if (along := float(change @ step)) > LEAST_CURVATURE:
                self.steps, self.changes = [*self.steps, step][-history:], [*self.changes, change][-history:]
                self.scale = along / float(change @ change)
            self.direction = self._descent(gradient)
        else:
            self.direction = -gradient
        self.gradient = gradient
        self.count += 1

    def _descent(self, gradient: Array) -> Array:
        """Minus the inverse Hessian, as far as it is known, times the gradient: the two-loop recursion."""
        found, shares = -gradient, list[float]()
        pairs = list(zip(self.steps, self.changes, strict=True))
        for step, change in reversed(pairs):
            shares.append(float(step @ found) / float(change @ step))
            found = found - shares[-1] * change
        found = found * self.scale
        for (step, change), share in zip(pairs, reversed(shares), strict=True):
            found = found + step * (share - float(change @ found) / float(change @ step))
        return found


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the line: how far along it, the loss, its gradient, and its slope along the line."""

    t: float
    value: float
    gradient: Array
    slope: float


def minimise(memory: Memory, x: Array, objective: Objective, settings: Lbfgs, lr: float) -> Array:
    """The weights after one step of up to `settings.iterations` line searches, which begin with steps of length `lr`."""
    value, gradient = objective(x)
    evaluations = 1
    if _flat(gradient, settings):
        return x
    for iteration in range(1, settings.iterations + 1):
        memory.turn(gradient, settings.history)
        direction = memory.direction
        memory.length = lr if memory.count > 1 else min(1.0, 1 / float(np.abs(gradient).sum())) * lr
        start = Point(0.0, value, gradient, float(gradient @ direction))
        if start.slope > -settings.tolerance_change:
            break
        line = _Line(x, direction, objective, start)
        end = line.search(memory.length)
        memory.length, evaluations = end.t, evaluations + line.evaluations
        x, gradient, before, value = x + end.t * direction, end.gradient, value, end.value
        moved = _largest(direction * end.t)
        done = iteration == settings.iterations or evaluations >= settings.iterations * 5 // 4 or _flat(gradient, settings)
        if done or moved <= settings.tolerance_change or abs(value - before) < settings.tolerance_change:
            break
    return x


def _largest(x: Array) -> float:
    return float(np.abs(x).max())


def _flat(gradient: Array, settings: Lbfgs) -> bool:
    return _largest(gradient) <= settings.tolerance_gradient


class _Line:
    """A search along a line. First it goes on until a part of the line must hold what is looked for, then it makes that part smaller."""

    def __init__(self, x: Array, direction: Array, objective: Objective, start: Point) -> None:
        self.x, self.direction, self.objective, self.start = x, direction, objective, start
        self.evaluations = 0
        self.trials = 0

    def search(self, t: float) -> Point:
        """The point that the search ends at."""
        ends = self._bracket(t)
        return ends[0] if len(ends) == 1 else self._zoom(*ends)

    def _at(self, t: float) -> Point:
        value, gradient = self.objective(self.x + t * self.direction)
        self.evaluations += 1
        return Point(t, value, gradient, float(gradient @ self.direction))

    def _too_high(self, point: Point) -> bool:
        return point.value > self.start.value + DECREASE * point.t * self.start.slope

    def _level(self, point: Point) -> bool:
        return abs(point.slope) <= -CURVE * self.start.slope

    def _bracket(self, t: float) -> tuple[Point, ...]:
        """A point that will do, or two between which one lies."""
        before, here = self.start, self._at(t)
        while self.trials < TRIALS:
            if self._too_high(here) or (self.trials > 1 and here.value >= before.value):
                return before, here
            if self._level(here):
                return (here,)
            if here.slope >= 0:
                return before, here
            bounds = here.t + 0.01 * (here.t - before.t), here.t * 10
            before, here = here, self._at(_between(before, here, bounds))
            self.trials += 1
        return self.start, here

    def _zoom(self, first: Point, second: Point) -> Point:
        """The lowest point found while the part between the two gets smaller."""
        low, high = (first, second) if first.value <= second.value else (second, first)
        size = _largest(self.direction)
        slow = False
        while self.trials < TRIALS and abs(high.t - low.t) * size >= LEAST_PROGRESS:
            t, slow = _inside(low, high, slow)
            here = self._at(t)
            self.trials += 1
            if self._too_high(here) or here.value >= low.value:
                low, high = (low, here) if low.value <= here.value else (here, low)
                continue
            if self._level(here):
                return here
            if here.slope * (high.t - low.t) >= 0:
                high = low
            low = here
        return low


def _inside(low: Point, high: Point, slow: bool) -> tuple[float, bool]:
    """Where to look next between two points, and whether that is close to one of them: the second time in a row, a tenth is left to it."""
    left, right = min(low.t, high.t), max(low.t, high.t)
    first, second = (low, high) if low.t <= high.t else (high, low)
    t, margin = _between(first, second), 0.1 * (right - left)
    if min(right - t, t - left) >= margin:
        return t, False
    if not (slow or t >= right or t <= left):
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False


def _between(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """The lowest point of the cubic through two points with their slopes, within bounds; without any, between the two."""
    least, most = bounds or (min(a.t, b.t), max(a.t, b.t))
    first = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = first * first - a.slope * b.slope
    if square < 0:
        return (least + most) / 2
    second = sqrt(square)
    if a.t <= b.t:
        t = b.t - (b.t - a.t) * ((b.slope + second - first) / (b.slope - a.slope + 2 * second))
    else:
        t = a.t - (a.t - b.t) * ((a.slope + second - first) / (a.slope - b.slope + 2 * second))
    return min(max(t, least), most)
