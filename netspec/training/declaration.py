"""What all declarations of a train block share: frozen, strictly typed, printable as the language writes them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, ClassVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict

from netspec.training.quantity import DEGREES, EPOCHS, STEPS, Quantity, number


class Declaration(BaseModel):
    """One call of a train block, `sgd(lr=0.1)`: its fields are the arguments of the language, positional in the order they stand."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True, allow_inf_nan=False, arbitrary_types_allowed=True)

    name: ClassVar[str]

    @classmethod
    def arguments(cls) -> tuple[str, ...]:
        """The names of the arguments in the language (`except`, where the field is `except_`), in positional order."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    @classmethod
    def open(cls) -> bool:
        """Whether further keywords are taken, each a string."""
        return cls.model_config.get("extra") == "allow"

    def given(self) -> Iterator[tuple[str, object]]:
        """The arguments that differ from their defaults, by their names in the language."""
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if field.is_required() or value != field.default:
                yield field.alias or name, value
        yield from (self.model_extra or {}).items()

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


Duration = Annotated[Quantity | float, BeforeValidator(_duration)]
"""`2 epochs`, `500 steps`, or a share of the run in (0, 1)."""


def _degrees(value: object) -> object:
    match value:
        case Quantity(amount, unit) if unit in DEGREES:
            return float(amount)
        case Quantity(amount, unit):
            raise ValueError(f"an angle is in degrees, not {unit}: `{number(amount)} deg`")
        case _:
            return value


Degrees = Annotated[float, BeforeValidator(_degrees)]
"""`10 deg`, or a plain number of degrees."""
