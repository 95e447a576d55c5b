"""Axes and affine indices: `h*2 + a - 1`, the only kind of index a formula has."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import cast

from netspec.records import record
from netspec.schema import Whole

N = "N"
"""The batch: the one extent that is not known before a program runs."""

Extent = int | str


@record
class Axis:
    """A loop variable that runs over [0, extent)."""

    name: str
    extent: Extent

    def __add__(self, other: Affine | Axis | int) -> Affine:
        return affine(self) + other

    def __radd__(self, other: int) -> Affine:
        return affine(self) + other

    def __sub__(self, other: Affine | Axis | int) -> Affine:
        return affine(self) - other

    def __mul__(self, factor: int) -> Affine:
        return affine(self) * factor

    def __str__(self) -> str:
        return self.name


@record
class Affine:
    """constant + sum of coefficient * axis. Terms keep the order in which they were written and are never zero."""

    terms: tuple[tuple[Axis, int], ...] = ()
    constant: int = 0

    def coefficient(self, axis: Axis) -> int:
        """The factor of `axis`, 0 when it does not occur."""
        return next((factor for item, factor in self.terms if item == axis), 0)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes that occur."""
        return tuple(axis for axis, _ in self.terms)

    @property
    def single(self) -> Axis | None:
        """The axis, when this index is just one axis and nothing else."""
        return self.terms[0][0] if self.constant == 0 and len(self.terms) == 1 and self.terms[0][1] == 1 else None

    def substitute(self, values: Mapping[Axis, Affine]) -> Affine:
        """Replace axes by affine values, all at once."""
        result = Affine((), self.constant)
        for axis, factor in self.terms:
            result += values.get(axis, affine(axis)) * factor
        return result

    def range(self) -> tuple[int, int] | None:
        """The smallest and largest value, None when an axis of unknown extent occurs."""
        low = high = self.constant
        for axis, factor in self.terms:
            if isinstance(axis.extent, str):
                return None
            reach = factor * (axis.extent - 1)
            low, high = (low + reach, high) if factor < 0 else (low, high + reach)
        return low, high

    def __add__(self, other: Affine | Axis | int) -> Affine:
        other = affine(other)
        factors = dict(self.terms)
        for axis, factor in other.terms:
            factors[axis] = factors.get(axis, 0) + factor
        return Affine(tuple((axis, factor) for axis, factor in factors.items() if factor), self.constant + other.constant)

    __radd__ = __add__

    def __sub__(self, other: Affine | Axis | int) -> Affine:
        return self + affine(other) * -1

    def __mul__(self, factor: int) -> Affine:
        return Affine(tuple((axis, item * factor) for axis, item in self.terms if factor), self.constant * factor)

    def __str__(self) -> str:
        text = ""
        for axis, factor in self.terms:
            sign = " - " if factor < 0 else " + " if text else ""
            text += (sign if text else sign.strip()) + (axis.name if abs(factor) == 1 else f"{axis.name}*{abs(factor)}")
        if self.constant or not text:
            text += f" - {-self.constant}" if text and self.constant < 0 else f" + {self.constant}" if text else str(self.constant)
        return text


def affine(value: Affine | Axis | int | Whole) -> Affine:
    """An index from an axis or a number."""
    match value:
        case Affine():
            return value
        case Axis():
            return Affine(((value, 1),))
        case int():
            return Affine((), value)
        case Whole():
            return Affine((), cast("int", value))  # it calculates like one


def axes(**extents: Extent) -> tuple[Axis, ...]:
    """`n, c = axes(n=N, c=6)`."""
    return tuple(Axis(name, extent) for name, extent in extents.items())


def size_of(shape: tuple[Extent, ...], batch: int = 1) -> int:
    """The number of elements, with `batch` for N."""
    return prod(batch if isinstance(extent, str) else extent for extent in shape)


def common_refinement(a: tuple[Extent, ...], b: tuple[Extent, ...]) -> tuple[Extent, ...] | None:
    """The coarsest dimensions that both can be joined from: (6, 4) and (3, 8) of 24 elements give (3, 2, 4), (6, 4) and (4, 6) none."""
    result: list[Extent] = []
    left, right = list(reversed(a)), list(reversed(b))
    while left and right:
        x, y = left.pop(), right.pop()
        if isinstance(x, str) or isinstance(y, str) or x == y:
            result.append(x)
        elif x < y and y % x == 0:
            result.append(x)
            right.append(y // x)
        elif y < x and x % y == 0:
            result.append(y)
            left.append(x // y)
        else:
            return None
    return tuple(result) + tuple(item for item in (*left[::-1], *right[::-1]) if item != 1)
