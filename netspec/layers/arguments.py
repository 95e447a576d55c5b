"""The types of arguments that several layers share, and what their short forms mean."""

from __future__ import annotations

from typing import Annotated, Literal

from netspec.schema import above, at_least, below

PositiveInt = Annotated[int, at_least(1)]
Channels = Annotated[int, at_least(1), "channels"]
Units = Annotated[int, at_least(1), "units"]
NaturalInt = Annotated[int, at_least(0)]
PositiveFloat = Annotated[float, above(0)]
Share = Annotated[float, at_least(0), below(1)]

Letter = Literal["c", "h", "w", "t", "f"]
"""A dimension of [c, h, w], [t, f] or [f]."""

Pair = PositiveInt | tuple[PositiveInt, PositiveInt]
"""`2`, the same for height and width, or `(2, 1)`."""

Window = Pair
"""`5x5`, `1x7`, or `3` for a square."""

Side = NaturalInt | tuple[NaturalInt, NaturalInt] | Literal["half", "same"]
"""The padding of one dimension: `1` on both sides, `(before, after)`, or a rule."""

Margin = NaturalInt | tuple[NaturalInt | tuple[NaturalInt, NaturalInt], NaturalInt | tuple[NaturalInt, NaturalInt]]
"""`1` on all sides, `(h, w)` or `((top, bottom), (left, right))`; of [t, f] `(before, after)`."""

Padding = Margin | Literal["half", "same"]
"""`1`, `(h, w)`, `((top, bottom), (left, right))`, `half` (dilation*(k-1)//2 on both sides) or `same` (ceil(in/stride) results)."""


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width from the short form."""
    return value if isinstance(value, tuple) else (value, value)


def divisors(count: int) -> str:
    """The divisors of a number, for a message: `1, 2, 3, 6`."""
    return ", ".join(str(item) for item in range(1, min(count, 1024) + 1) if count % item == 0)
