"""Augmentation: random affine maps of one sample's picture, on [0, 1] pixels, in training only.

Every step is one row of the same table, so the pipeline knows no step by name: a picture is flipped left to right with a probability,
scaled by a factor, turned by an angle about its centre, then moved, each amount uniform in its range. Chained steps compose into one map,
which is sampled once (bilinear, zero outside): a chain blurs no more than a single step.
"""

from __future__ import annotations

from dataclasses import astuple
from math import radians
from typing import Annotated, ClassVar

from netspec.records import record
from netspec.schema import at_least, at_most
from netspec.training.declaration import Declaration, Degrees


@record
class Move:
    """The ranges of one step: pixels in [-shift, shift] per axis, radians in [-angle, angle], a factor, a probability."""

    shift: float = 0.0
    angle: float = 0.0
    smallest: float = 1.0
    largest: float = 1.0
    flip: float = 0.0

    def row(self) -> tuple[float, ...]:
        """The step as the pipeline's table holds it."""
        return astuple(self)


class Augmentation(Declaration):
    """One step of `augment`."""

    def move(self) -> Move:
        """What it does."""
        raise NotImplementedError


class Shift(Augmentation):
    """Moves by a uniform real number of pixels in [-pixels, pixels], each axis its own."""

    name: ClassVar[str] = "shift"
    pixels: Annotated[float, at_least(0)]

    def move(self) -> Move:
        """Both axes."""
        return Move(shift=self.pixels)


class Rotate(Augmentation):
    """Turns by a uniform angle in [-angle, angle] about the centre."""

    name: ClassVar[str] = "rotate"
    angle: Annotated[Degrees, at_least(0), at_most(180)]

    def move(self) -> Move:
        """In radians."""
        return Move(angle=radians(self.angle))


def _factors(value: object) -> object:
    match value:
        case (int() | float() as low, int() | float() as high) if 0 < low <= high:
            return (float(low), float(high))
        case int() | float() if 0 < value < 1:
            return (1 - value, 1 + value)
        case _:
            raise ValueError("zoom takes a share, `zoom(10%)` for factors in 0.9..1.1, or a range of positive factors, `zoom(0.8..1.25)`")


class Zoom(Augmentation):
    """Enlarges by a uniform factor: `zoom(10%)` is `zoom(0.9..1.1)`."""

    name: ClassVar[str] = "zoom"
    factor: Annotated[tuple[float, float], _factors]

    def move(self) -> Move:
        """The range of factors."""
        return Move(smallest=self.factor[0], largest=self.factor[1])


class Hflip(Augmentation):
    """Mirrors left and right with a probability."""

    name: ClassVar[str] = "hflip"
    probability: Annotated[float, at_least(0), at_most(1)] = 0.5

    def move(self) -> Move:
        """The probability."""
        return Move(flip=self.probability)
