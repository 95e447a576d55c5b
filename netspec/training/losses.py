"""Losses as declared: which tensor, which target, which options. Their formulas are the layers of netspec.layers.loss."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from netspec.records import record
from netspec.schema import above, at_least, at_most, below
from netspec.training.declaration import Declaration
from netspec.training.quantity import number

Positive = Annotated[float, above(0)]
Natural = Annotated[float, at_least(0)]

FIELD = "y"
"""The field of the data that a loss compares with when it names no target."""


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
    """-log softmax(output)[target]; smoothing spreads that share of the target evenly over all classes (Szegedy et al. 2016).

    `class_weights`, one per class: the mean is one by the weights of the samples' classes.
    """

    name: ClassVar[str] = "cross_entropy"
    targets: ClassVar[Literal["classes", "values"]] = "classes"
    label_smoothing: Annotated[float, at_least(0), below(1)] = 0.0
    class_weights: tuple[Natural, ...] = ()


class Hinge(Loss):
    """For several classes (Weston & Watkins 1999): the mean over classes of max(0, margin - output[target] + output)^power."""

    name: ClassVar[str] = "hinge"
    targets: ClassVar[Literal["classes", "values"]] = "classes"
    margin: Positive = 1.0
    power: Annotated[int, at_least(1), at_most(2)] = 1


class MapRbf(Loss):
    """The distance to the target's code and a penalty for others that are near (LeCun et al. 1998, eq. 9); the smallest distance wins."""

    name: ClassVar[str] = "map_rbf"
    targets: ClassVar[Literal["classes", "values"]] = "classes"
    j: Natural = 0.1


class Mse(Loss):
    """The mean of (output - target)^2 over all elements."""

    name: ClassVar[str] = "mse"
    targets: ClassVar[Literal["classes", "values"]] = "values"


class Mae(Loss):
    """The mean of |output - target| over all elements."""

    name: ClassVar[str] = "mae"
    targets: ClassVar[Literal["classes", "values"]] = "values"


class Huber(Loss):
    """Half the squared error up to `delta`, linear beyond it (Huber 1964), over all elements."""

    name: ClassVar[str] = "huber"
    targets: ClassVar[Literal["classes", "values"]] = "values"
    delta: Positive = 1.0


class Bce(Loss):
    """Binary cross-entropy of logits against probabilities in [0, 1], over all elements."""

    name: ClassVar[str] = "bce"
    targets: ClassVar[Literal["classes", "values"]] = "values"


@record
class Term:
    """`0.3 * cross_entropy(aux1)`, and what it is known to read once it was checked against a net.

    `output`: a value of the graph, None for the net's only result. `target`: a `field` of the data, else a value of the graph.
    """

    scale: float
    loss: Loss
    output: str | None = None
    target: str = FIELD
    field: bool = True

    def __str__(self) -> str:
        return str(self.loss) if self.scale == 1 else f"{number(self.scale)} * {self.loss}"
