"""The values of the language: exact numbers, words, lists, tensors and their addresses, layers as arguments."""

from __future__ import annotations

from collections.abc import Callable as Function
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias, TypeGuard

from netspec.diagnostics import Span
from netspec.elaborate.reach import Reach
from netspec.graph.types import Layer, Shape
from netspec.records import record
from netspec.schema import Whole
from netspec.syntax import tree
from netspec.training import Quantity

if TYPE_CHECKING:
    from netspec.elaborate.ops import Op
    from netspec.elaborate.scope import Context


class Poison(Enum):
    """What an erroneous expression or step gives: whatever uses it is silent, so one cause is one message."""

    POISON = "?"


class Wildcard(Enum):
    """`_` in a shape: anything."""

    ANY = "_"


POISON: Final = Poison.POISON
ANY: Final = Wildcard.ANY


@record
class Range:
    """`a..b`, both ends included."""

    low: int | Fraction
    high: int | Fraction


@record
class Word:
    """A bare word that means itself: `half` in `pad=half`."""

    text: str


@record
class Tensor:
    """A tensor of the net: its number among the net's values, the shape of a sample, the step that made it."""

    number: int
    shape: Shape
    span: Span
    reach: Reach | None = None

    def made_by(self, span: Span) -> Tensor:
        """The same value, as the result of another step."""
        return Tensor(self.number, self.shape, span, self.reach)


Current: TypeAlias = Tensor | Poison | None
"""The current tensor; None where there is none."""


@dataclass(slots=True)
class Pass:
    """One pass of a labelled loop: what it ended with, and its labels."""

    value: Current
    labels: dict[str, Labelled]


@dataclass(slots=True)
class Labelled:
    """What a label names: the value its line ends with, its loop's passes, the labels of the blocks called on it.

    Its layers are [first, last) of the net's. A label that several blocks of the line define is None in `inner`. `weights` are those whose
    names start with the label itself. `again` repeats the line's steps on another tensor; what is no line has none.
    """

    name: str
    span: Span
    value: Current = POISON
    passes: list[Pass] = field(default_factory=list[Pass])
    inner: dict[str, Labelled | None] = field(default_factory=dict[str, "Labelled | None"])
    first: int = 0
    last: int = 0
    weights: dict[str, Stored] = field(default_factory=dict[str, "Stored"])
    again: Function[..., Current] | None = None


@record
class Stored:
    """A weight of a step above: the step's number among the net's, the weight's name there, its shape (`turned`: that of its transpose)."""

    step: int
    name: str
    shape: Shape
    turned: bool = False

    @property
    def transposed(self) -> Stored:
        """Rows as columns."""
        return Stored(self.step, self.name, self.shape[::-1], not self.turned)


@record
class Given:
    """An evaluated argument, where it was written."""

    value: Value
    span: Span
    name: str | None = None


@record
class Callable:
    """A layer, an op, or a block or net with the file that it is read in, as a value, with the arguments given so far.

    None of them is set for `skip`.
    """

    name: str
    span: Span
    layer: type[Layer] | None = None
    block: tree.Block | tree.Net | tree.Alias | None = None
    arguments: tuple[Given, ...] = ()
    home: Context | None = None
    op: Op | None = None


Number: TypeAlias = int | Fraction
Value: TypeAlias = (
    "Number | Whole | str | Quantity | Range | Word | Wildcard | Tensor | Labelled | Pass | Stored | Callable | Poison | tuple[Value, ...]"
)


def is_number(value: object) -> TypeGuard[int | Fraction]:
    """Whether it is a number; yes and no are none."""
    return isinstance(value, int | Fraction) and not isinstance(value, bool)


def exact(value: int | Fraction) -> int | Fraction:
    """Whole numbers as int."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def tensor_of(value: Value) -> Current:
    """The tensor that a value stands for, None where it stands for none."""
    match value:
        case Tensor() | Poison():
            return value
        case Labelled() | Pass():
            return value.value
        case _:
            return None


def show(value: Value) -> str:
    """A value as messages write it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case Fraction():
            return f"{float(value):.6g}"
        case str():
            return f'"{value}"'
        case Word():
            return value.text
        case Range():
            return f"{show(value.low)}..{show(value.high)}"
        case tuple():
            text = ", ".join(map(show, value[:12]))
            return f"[{text}{', ..' if len(value) > 12 else ''}]" if len(text) <= 120 else f"[{text[:120]}..]"
        case Wildcard() | Poison():
            return value.value
        case int() | Quantity() | Whole():
            return str(value)
        case Tensor() | Labelled() | Pass() | Stored() | Callable():
            return _show_reference(value)


def _show_reference(value: Tensor | Labelled | Pass | Stored | Callable) -> str:
    match value:
        case Tensor() | Stored():
            return str(list(value.shape))
        case Callable():
            inner = ", ".join(f"{item.name}={show(item.value)}" if item.name else show(item.value) for item in value.arguments)
            return f"{value.name}({inner})" if inner else value.name
        case Labelled() | Pass():
            return "?" if value.value is None else show(value.value)


def describe(value: Value) -> str:
    """What kind of thing a value is, for messages."""
    match value:
        case bool():
            return f"`{show(value)}`"
        case int() | Fraction():
            return f"the number {show(value)}"
        case Whole():
            return f"the size {value}"
        case str():
            return f"the string {show(value)}"
        case tuple():
            return f"the list {show(value)}"
        case Tensor() | Labelled() | Pass():
            return f"a tensor {show(value)}"
        case Stored():
            return f"a weight {show(value)}"
        case Callable():
            kind = "op" if value.op else "layer" if value.block is None else "block" if isinstance(value.block, tree.Block) else "net"
            return f"the {kind} `{show(value)}`"
        case _:
            return f"`{show(value)}`"
