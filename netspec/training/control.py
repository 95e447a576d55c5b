"""When training stops early and which weights it keeps."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from netspec.training.declaration import Declaration
from netspec.training.quantity import EPOCHS, Quantity

Metric = Literal["val.accuracy", "val.loss", "train.accuracy", "train.loss"]


def rises(metric: Metric) -> bool:
    """Whether more is better."""
    return metric.endswith("accuracy")


def _whole_epochs(value: object) -> object:
    match value:
        case Quantity(amount, unit) if unit in EPOCHS and amount >= 1 and amount.denominator == 1:
            return value
        case _:
            raise ValueError(f"epochs are counted whole, `5 epochs`, got {value}")


Epochs = Annotated[Quantity, _whole_epochs]
"""`5 epochs`."""


class Patience(Declaration):
    """Stops when the metric has not improved for so many epochs; an equal accuracy with a smaller loss is an improvement."""

    name: ClassVar[str] = "patience"
    epochs: Epochs
    on: Metric = "val.accuracy"


class Best(Declaration):
    """Keeps the weights of the epoch with the best metric; of equally accurate ones those with the smallest loss."""

    name: ClassVar[str] = "best"
    on: Metric = "val.accuracy"


class Last(Declaration):
    """Keeps the weights of the last epoch."""

    name: ClassVar[str] = "last"
