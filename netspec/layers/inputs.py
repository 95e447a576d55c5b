"""What layers ask of their inputs: the kinds of shapes, the names of their dimensions, and the errors when they do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, sqrt
from typing import TypeVar

from netspec.graph.types import Init, Shape, ShapeError
from netspec.kernels.affine import Axis, N
from netspec.kernels.scalar import Expr, RuntimeScalar, call, select
from netspec.layers.arguments import divisors
from netspec.schema import Whole

T = TypeVar("T")
DIMENSIONS = {1: ("features",), 2: ("steps", "features"), 3: ("channels", "height", "width")}
"""What users call the dimensions of [f], [t, f] and [c, h, w]."""

LETTERS = {1: "f", 2: "tf", 3: "chw"}


def axes_of(shape: Shape) -> tuple[Axis, ...]:
    """The batch axis n and one axis for each dimension, named as the language names it."""
    return (Axis("n", N), *(Axis(letter, extent) for letter, extent in zip(LETTERS[len(shape)], shape, strict=True)))


def channel(shape: Shape) -> int:
    """Which dimension counts channels: f of [f] and [t, f], c of [c, h, w]."""
    return 1 if len(shape) == 2 else 0


BATCH = RuntimeScalar("N")
"""How many samples the batch really holds, of the places it was compiled for."""


def present(n: Axis, value: Expr) -> Expr:
    """The value for samples of the batch; 0 at the places beyond, which count nothing and get no gradient."""
    return select(call("lt", n, BATCH), value, 0.0)


def show(shape: Shape) -> str:
    """`[16, 12, 12]`."""
    return str(list(shape))


def windowed(layer: str, shape: Shape) -> tuple[int, tuple[int, ...]]:
    """Channels, and the sizes along which windows run: (h, w) of [c, h, w], (t,) of [t, f], whose channels are f."""
    match shape:
        case (c, h, w):
            return c, (h, w)
        case (t, f):
            return f, (t,)
        case _:
            help = f"put `{layer}` before `flatten`, `gap` and `dense`"
            raise ShapeError(f"`{layer}` needs [c, h, w] or [t, f], got {show(shape)}", code="E0202", help=help)


def in_order(channels: Sequence[T], places: Sequence[T]) -> tuple[T, ...]:
    """Channels and places as the dimensions of a sample: channels stand first in [c, h, w], last in [t, f]."""
    return (*channels, *places) if len(places) == 2 else (*places, *channels)


def dimension_of(shape: Shape, axis: str | None, code: str) -> int:
    """Which dimension of a sample the letter names; without one that of the channels: c, or f where there is no c."""
    letters = LETTERS[len(shape)]
    axis = axis or letters[channel(shape)]
    if axis not in letters:
        known = ", ".join(f"`{letter}`" for letter in letters)
        raise ShapeError(f"{show(shape)} has no dimension `{axis}`", code=code, argument="axis", help=f"its dimensions are {known}")
    return letters.index(axis)


def kaiming(fan_in: int) -> Init:
    """PyTorch's default for linear layers, weight and bias: uniform within 1/sqrt(fan_in) (He et al. 2015, with a = sqrt(5))."""
    scale = nan if isinstance(fan_in, Whole) else 1 / sqrt(fan_in)  # weights are drawn when all sizes are bound
    return Init("uniform", scale)


def grouped(shape: Shape, groups: int) -> Shape:
    """The shape, whose channels so many groups divide. Raises ShapeError (E0205)."""
    channels = shape[channel(shape)]
    if channels % groups:
        message = f"groups={groups} does not divide {channels} channels"
        raise ShapeError(message, code="E0205", argument="groups", help=f"divisors: {divisors(channels)}")
    return shape
