"""What a graph is made of: tensors, weights, and the interface of a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar, Literal

from netspec.kernels.affine import Extent, N
from netspec.kernels.formula import Formula
from netspec.records import record
from netspec.schema import Schema

Shape = tuple[int, ...]
"""`[c, h, w]`, `[t, f]` or `[f]`: without the batch, as users write it."""

Role = Literal["trainable", "state", "constant"]


@record
class TensorType:
    """Extents, the batch as "N" among them where there is one, and the element type."""

    shape: tuple[Extent, ...]
    dtype: Literal["f32"] = "f32"

    @property
    def sample(self) -> Shape:
        """The shape without the batch."""
        return tuple(extent for extent in self.shape if not isinstance(extent, str))

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@record
class Value:
    """A tensor that a graph computes or is given."""

    name: str
    type: TensorType


@record
class Init:
    """How a weight starts: uniform in [-scale, scale], normal with deviation `scale`, everywhere `scale`, `scale` or -`scale` with even
    odds, or as the numbers of `values`: row-major, those of the last axes, repeated over the first ones.
    """

    kind: Literal["uniform", "normal", "constant", "sign", "values"]
    scale: float = 1.0
    values: tuple[float, ...] = ()


ZEROS, ONES = Init("constant", 0.0), Init("constant", 1.0)


@record
class Weight:
    """A tensor that outlives a step. `params` counts the trainable ones; running statistics are state, fixed kernels constant."""

    name: str
    type: TensorType
    init: Init
    role: Role = "trainable"


@record
class Computation:
    """What a layer computes, over its own names: inputs `x` (of a merge `x0`, `x1`, ..), its weights, the result `y`, and what it likes
    to name between.

    `gradients`, where given, replaces the derived gradient of all the formulas together: formulas that read d("y") and write d("x") and
    d(weight), for what is better conditioned so. `updates` gives state weights their next value.
    """

    formulas: tuple[Formula, ...]
    gradients: tuple[Formula, ...] | None = None
    updates: Mapping[str, str] = field(default_factory=dict[str, str])


@record
class Example:
    """Arguments and input shapes on which every contract test runs."""

    arguments: Mapping[str, object]
    inputs: tuple[Shape, ...]


class ShapeError(Exception):
    """A layer cannot take its input. `argument` is the one to point at; `code` one of E02xx."""

    def __init__(
        self,
        message: str,
        *,
        help: str | None = None,
        code: str = "E0204",
        argument: str | None = None,
        notes: tuple[str, ...] = (),
        label: str = "",
    ) -> None:
        super().__init__(message)
        self.message, self.help, self.code, self.argument, self.notes, self.label = message, help, code, argument, notes, label


class Layer(Schema):
    """One class is the whole meaning of a layer; its fields are the arguments of the language, positional in the order they stand.

    Frozen and hashable: what depends on a layer and its input shapes can be remembered.
    """

    linear: ClassVar[bool] = False
    """Whether `weight=` and `init=` may say where its first weight comes from, and how it starts."""
    merge: ClassVar[bool] = False
    """Whether it joins several tensors, which its formulas call `x0`, `x1`, .."""
    operands: ClassVar[tuple[str, ...]] = ("x",)
    """What its formulas call its inputs, when it is no merge."""
    result: ClassVar[str] = "y"
    """What its formulas call its result."""
    examples: ClassVar[tuple[Example, ...]] = ()

    def infer(self, *inputs: Shape) -> Shape:
        """The shape of the result; raises ShapeError."""
        raise NotImplementedError

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The weights by their own names (`weight`, `bias`), shapes in PyTorch's layout."""
        return ()

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """The formulas of the layer."""
        raise NotImplementedError

    def pads(self, *inputs: Shape) -> tuple[tuple[int, int], ...] | None:
        """The real padding per window axis, (before, after), None for what has no window."""
        return None


def batched(shape: Shape) -> TensorType:
    """The type of a value whose samples have this shape."""
    return TensorType((N, *shape))
