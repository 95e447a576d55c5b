"""The types of arguments that several layers share, and what their short forms mean."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

PositiveInt = Annotated[int, Field(ge=1)]
Channels = Annotated[int, Field(ge=1, description="channels")]
Units = Annotated[int, Field(ge=1, description="units")]
NaturalInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]

Pair = PositiveInt | tuple[PositiveInt, PositiveInt]
"""`2`, the same for height and width, or `(2, 1)`."""

Window = Pair
"""`5x5`, `1x7`, or `3` for a square."""

Side = NaturalInt | tuple[NaturalInt, NaturalInt] | Literal["half", "same"]
"""The padding of one dimension: `1` on both sides, `(before, after)`, or a rule."""

Padding = (
    NaturalInt | Literal["half", "same"] | tuple[NaturalInt | tuple[NaturalInt, NaturalInt], NaturalInt | tuple[NaturalInt, NaturalInt]]
)
"""`1`, `(h, w)`, `((top, bottom), (left, right))`, `half` (dilation*(k-1)//2 on both sides) or `same` (ceil(in/stride) results)."""


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width from the short form."""
    return (value, value) if isinstance(value, int) else value
