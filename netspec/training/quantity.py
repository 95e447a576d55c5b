"""Numbers with a unit, as the language writes them: `2 epochs`, `500 steps`, `10 deg`."""

from __future__ import annotations

from fractions import Fraction

from netspec.records import record

EPOCHS = ("epochs", "epoch")
STEPS = ("steps", "step")
DEGREES = ("deg",)


@record
class Quantity:
    """An exact number and its unit as written."""

    value: Fraction
    unit: str

    def __str__(self) -> str:
        return f"{number(self.value)} {self.unit}"


def number(value: Fraction | float) -> str:
    """A number as the language writes it: whole ones without a point, others as their shortest decimal form."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value)).replace("e-0", "e-")
