"""Learning rates of single weights: factors of the schedule's rate, and weights that do not learn at all.

What an entry says is of the weights that `on` matches and `except` does not; of all trainable ones when neither is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from netspec.schema import above
from netspec.training.declaration import Declaration
from netspec.training.patterns import Patterns, matching


class Times(Declaration):
    """A factor of the learning rate; a decay that goes by the rate goes by this one too, as in a parameter group of PyTorch."""

    name: ClassVar[str] = "times"
    factor: Annotated[float, above(0)]
    on: Patterns = ()
    except_: Patterns = ()


class Frozen(Declaration):
    """Neither changed nor differentiated by. A normalisation all of whose weights are frozen uses its running statistics and keeps them, as
    PyTorch's does in `eval()`.
    """

    name: ClassVar[str] = "frozen"
    factor: ClassVar[float] = 0.0
    on: Patterns = ()
    except_: Patterns = ()


def factors(rates: tuple[Times | Frozen, ...], weights: Iterable[str]) -> dict[str, float]:
    """The factor of each weight, 0 for a frozen one: that of the last entry that is of it, else 1."""
    return {name: next((item.factor for item in reversed(rates) if matching(name, item.on, item.except_)), 1.0) for name in weights}


def frozen(rates: tuple[Times | Frozen, ...], weights: Iterable[str]) -> frozenset[str]:
    """The weights that keep their values."""
    return frozenset(name for name, factor in factors(rates, weights).items() if factor == Frozen.factor)
