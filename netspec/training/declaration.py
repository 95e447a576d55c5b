"""What all declarations of a train block share: frozen, strictly typed, printable as the language writes them."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, cast

from netspec.schema import Schema
from netspec.training.quantity import DEGREES, EPOCHS, STEPS, Quantity, number


class Declaration(Schema):
    """One call of a train block, `sgd(lr=0.1)`: its fields are the arguments of the language, positional in the order they stand."""

    def __str__(self) -> str:
        """As the language writes it, keywords throughout; a call without arguments is its bare name."""
        arguments = ", ".join(f"{name}={written(value)}" for name, value in self.given())
        return f"{self.name}({arguments})" if arguments else self.name


def written(value: object) -> str:
    """A value as the language writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(written(item) for item in cast('tuple[object, ...]', value))}]"
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float() | Fraction():
            return number(value)
        case str():
            return f'"{value}"'
        case _:
            return str(value)


def _duration(value: object) -> object:
    match value:
        case Quantity(amount, unit) if unit in EPOCHS + STEPS:
            if amount <= 0:
                raise ValueError(f"a duration must be positive, got {value}")
            return value
        case Quantity(amount, unit):
            raise ValueError(f"a duration counts epochs or steps, not {unit}: `{number(amount)} epochs`")
        case float() if 0 < value < 1:
            return value
        case int() | float() if not isinstance(value, bool) and value > 0:
            raise ValueError(
                f"what does {number(value)} count? `{number(value)} epochs` or `{number(value)} steps`; all of the run needs no duration"
            )
        case _:
            raise ValueError("a duration is `2 epochs`, `500 steps` or `5%` of the run")


Duration = Annotated[Quantity | float, _duration]
"""`2 epochs`, `500 steps`, or a share of the run in (0, 1)."""


def _degrees(value: object) -> object:
    match value:
        case Quantity(amount, unit) if unit in DEGREES:
            return float(amount)
        case Quantity(amount, unit):
            raise ValueError(f"an angle is in degrees, not {unit}: `{number(amount)} deg`")
        case _:
            return value


Degrees = Annotated[float, _degrees]
"""`10 deg`, or a plain number of degrees."""
