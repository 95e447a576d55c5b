"""Preparation: what is done to every sample, in training, evaluation, prediction and export alike. It travels with the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

from netspec.graph.types import Shape, ShapeError
from netspec.records import record
from netspec.schema import above, at_least
from netspec.training.declaration import Declaration

Positive = Annotated[float, above(0)]
PerChannel = tuple[float, ...]


@record
class Prepared:
    """All steps as one: sample*scale + offset per channel, inside rings of a fixed value, innermost first.

    `shape` is what the net sees. Shapes other than [c, h, w] have one channel here and no rings.
    """

    shape: Shape
    scale: PerChannel
    offset: PerChannel
    rings: tuple[tuple[int, PerChannel], ...] = ()

    @property
    def pad(self) -> int:
        """Pixels added on each side."""
        return sum(width for width, _ in self.rings)

    def mapped(self, scale: PerChannel, offset: PerChannel) -> Prepared:
        """Followed by value*scale + offset."""
        return replace(
            self,
            scale=_times(self.scale, scale),
            offset=_plus(_times(self.offset, scale), offset),
            rings=tuple((width, _plus(_times(value, scale), offset)) for width, value in self.rings),
        )


def _times(a: PerChannel, b: PerChannel) -> PerChannel:
    return tuple(x * y for x, y in zip(a, b, strict=True))


def _plus(a: PerChannel, b: PerChannel) -> PerChannel:
    return tuple(x + y for x, y in zip(a, b, strict=True))


class Preparation(Declaration):
    """One step of `prepare`."""

    def apply(self, before: Prepared) -> Prepared:
        """The steps before it and this one; raises ShapeError."""
        raise NotImplementedError


class Pad(Preparation):
    """Adds pixels of value 0 on each side."""

    name: ClassVar[str] = "pad"
    pixels: Annotated[int, at_least(0)]

    def apply(self, before: Prepared) -> Prepared:
        """One ring more."""
        if len(before.shape) != 3:
            raise ShapeError(f"`pad` needs pictures [c, h, w], the data has {list(before.shape)}")
        c, h, w = before.shape
        ring = (self.pixels, (0.0,) * len(before.scale))
        return replace(before, shape=(c, h + 2 * self.pixels, w + 2 * self.pixels), rings=(*before.rings, ring))


class Normalize(Preparation):
    """(value - mean) / std, numbers for all channels or a list with one for each."""

    name: ClassVar[str] = "normalize"
    mean: float | tuple[float, ...]
    std: Positive | tuple[Positive, ...]

    def apply(self, before: Prepared) -> Prepared:
        """In the form value*scale + offset."""
        mean, std = (self._channels(value, before) for value in (self.mean, self.std))
        scale = tuple(1 / value for value in std)
        return before.mapped(scale, tuple(-m * s for m, s in zip(mean, scale, strict=True)))

    def _channels(self, value: float | tuple[float, ...], before: Prepared) -> PerChannel:
        count = len(before.scale)
        if not isinstance(value, tuple):
            return (value,) * count
        if len(value) != count:
            raise ShapeError(f"`normalize` lists {len(value)} channels, the data has {count}", help="a single number serves all channels")
        return value


class Range(Preparation):
    """Maps [0, 1] to [low, high]."""

    name: ClassVar[str] = "range"
    low: float
    high: float

    def conflict(self) -> str | None:
        """It rises."""
        falls = self.low >= self.high
        return f"range rises from its first number to its second, got {self.low:g} and {self.high:g}" if falls else None

    def apply(self, before: Prepared) -> Prepared:
        """low + value*(high - low)."""
        count = len(before.scale)
        return before.mapped((self.high - self.low,) * count, (self.low,) * count)


def prepared(steps: tuple[Preparation, ...], shape: Shape) -> Prepared:
    """All steps on samples of this shape, in order; raises ShapeError."""
    channels = shape[0] if len(shape) == 3 else 1
    result = Prepared(shape, (1.0,) * channels, (0.0,) * channels)
    for step in steps:
        result = step.apply(result)
    return result


def prepared_inputs(steps: tuple[Preparation, ...], shapes: Mapping[str, Shape]) -> dict[str, Prepared]:
    """All steps on the inputs of these shapes. Beside pictures [c, h, w], other inputs are taken as they are. Raises ShapeError."""
    pictures = any(len(shape) == 3 for shape in shapes.values())
    return {name: prepared(() if pictures and len(shape) != 3 else steps, shape) for name, shape in shapes.items()}
