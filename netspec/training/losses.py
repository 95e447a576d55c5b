"""Losses as declared: which tensor, which target, which options. Their formulas are the layers of netspec.layers.loss."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from netspec.records import record
from netspec.schema import at_least, below
from netspec.training.declaration import Declaration
from netspec.training.quantity import number


class Loss(Declaration):
    """A mean over the batch.

    `output` is an output or a label, None for the net's one output; `target` a field, an input or a label, None for the field `y`.
    """

    targets: ClassVar[Literal["classes", "values"]]
    """What the target holds: class numbers, or numbers in the output's shape."""
    output: str | None = None
    target: str | None = None

    def options(self) -> dict[str, object]:
        """The arguments of the loss layer of the same name."""
        return {name: value for name, value in self.given() if name not in ("output", "target")}


class CrossEntropy(Loss):
    """-log softmax(output)[target]; smoothing spreads that share of the target evenly over all classes (Szegedy et al. 2016)."""

    name: ClassVar[str] = "cross_entropy"
    targets: ClassVar[Literal["classes", "values"]] = "classes"
    label_smoothing: Annotated[float, at_least(0), below(1)] = 0.0


class Mse(Loss):
    """The mean of (output - target)^2 over all elements."""

    name: ClassVar[str] = "mse"
    targets: ClassVar[Literal["classes", "values"]] = "values"


@record
class Term:
    """`0.3 * cross_entropy(aux1)`."""

    scale: float
    loss: Loss

    def __str__(self) -> str:
        return str(self.loss) if self.scale == 1 else f"{number(self.scale)} * {self.loss}"
