"""Scalar expressions: the bodies of formulas. Each primitive is one row of `UNARY` or `BINARY`, with its derivative, or `select`.

Values are float32 (float64 in the reference). Comparisons give 1 or 0. `sigmoid`, `tanh`, `softplus`, `erf`, `expm1` and `log1p`
are primitives because their textbook forms overflow: the symbolic derivative of 1/(1 + exp(-x)) is NaN at -89.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import pi, sqrt
from operator import add, gt, mul, sub
from typing import Literal

from netspec.kernels.affine import Affine, Axis, Extent, affine
from netspec.records import record
from netspec.schema import Whole

Outside = Literal["never", "zero", "-inf"]
Number = int | float


class Expr:
    """Base of all expressions; operators build new ones and fold what is plainly constant."""

    __slots__ = ()

    def __add__(self, other: Expr | Number) -> Expr:
        return call("add", self, other)

    def __radd__(self, other: Number) -> Expr:
        return call("add", other, self)

    def __sub__(self, other: Expr | Number) -> Expr:
        return call("sub", self, other)

    def __rsub__(self, other: Number) -> Expr:
        return call("sub", other, self)

    def __mul__(self, other: Expr | Number) -> Expr:
        return call("mul", self, other)

    def __rmul__(self, other: Number) -> Expr:
        return call("mul", other, self)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return call("div", self, other)

    def __rtruediv__(self, other: Number) -> Expr:
        return call("div", other, self)

    def __neg__(self) -> Expr:
        return call("neg", self)


@record
class Constant(Expr):
    """A number."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}"


@record
class Access(Expr):
    """An element of a tensor. `view` reads the tensor with some of its dimensions split (never joined).

    `outside` says what an index beyond the tensor reads: nothing is ever there ("never"), zero, or minus infinity.
    """

    tensor: str
    indices: tuple[Affine, ...]
    outside: Outside = "never"
    view: tuple[Extent, ...] | None = None

    def __str__(self) -> str:
        view = "" if self.view is None else f".view({', '.join(map(str, self.view))})"
        return f"{self.tensor}{view}[{', '.join(map(str, self.indices))}]"


@record
class AxisIndex(Expr):
    """The value of an index, as a number."""

    index: Affine

    def __str__(self) -> str:
        return f"({self.index})" if len(self.index.terms) != 1 or self.index.constant else str(self.index)


SCALARS: dict[str, float] = {"key": 0, "N": 0, "lr": 0, "step": 0, "share": 1, "first": 1, "last": 1}
"""The numbers that a step is called with, and what they are where that is not said.

`key` is what all random numbers of the step share, `N` the images in this batch, `lr` the rate, `step` the number of the update, from 1.
Of a batch of several that make one update, `share` is its part of the samples of all, `first` and `last` say whether it is that.
"""


@record
class RuntimeScalar(Expr):
    """A number that a step is called with, one of SCALARS."""

    name: str

    def __str__(self) -> str:
        return f"${self.name}"


@record
class Random(Expr):
    """A uniform number in [0, 1), a function of (seed, step, stream, position) and of nothing else: not of layout, threads or schedule."""

    stream: int
    position: Affine

    def __str__(self) -> str:
        return f"random{self.stream}({self.position})"


@record
class Call(Expr):
    """A primitive applied to its arguments."""

    function: str
    arguments: tuple[Expr, ...]

    def __str__(self) -> str:
        infix = INFIX.get(self.function)
        if infix:
            return f"({f' {infix} '.join(map(str, self.arguments))})"
        return f"{self.function}({', '.join(map(str, self.arguments))})"


ZERO, ONE = Constant(0.0), Constant(1.0)
INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "=="}

UNARY: dict[str, Callable[[Expr], Expr]] = {
    "neg": lambda _: -ONE,
    "abs": lambda a: call("sign", a),
    "sign": lambda _: ZERO,
    "finite": lambda _: ZERO,
    "sqrt": lambda a: 0.5 / sqrt_(a),
    "exp": lambda a: call("exp", a),
    "expm1": lambda a: call("exp", a),
    "log": lambda a: 1 / a,
    "log1p": lambda a: 1 / (1 + a),
    "tanh": lambda a: 1 - tanh(a) * tanh(a),
    "sigmoid": lambda a: sigmoid(a) * sigmoid(-a),
    "softplus": lambda a: call("sigmoid", a),
    "erf": lambda a: 2 / sqrt(pi) * exp(-(a * a)),
}
"""Primitives of one argument, with their derivative."""

BINARY: dict[str, Callable[[Expr, Expr], tuple[Expr, Expr]]] = {
    "add": lambda _, __: (ONE, ONE),
    "sub": lambda _, __: (ONE, -ONE),
    "mul": lambda a, b: (b, a),
    "div": lambda a, b: (1 / b, -a / (b * b)),
    # The first of two equal arguments is the maximum: relu = maximum(0, x) has derivative 0 at 0.
    "maximum": lambda a, b: (call("ge", a, b), call("lt", a, b)),
    "minimum": lambda a, b: (call("le", a, b), call("gt", a, b)),
    **dict.fromkeys(("gt", "ge", "lt", "le", "eq"), lambda _, __: (ZERO, ZERO)),
}
"""Primitives of two arguments, with the derivative by each."""

PRIMITIVES: dict[str, int] = {**dict.fromkeys(UNARY, 1), **dict.fromkeys(BINARY, 2), "select": 3}
"""How many arguments each primitive takes."""


def expression(value: Expr | Affine | Axis | Number | Whole) -> Expr:
    """An expression from a number or an index."""
    match value:
        case Expr():
            return value
        case Affine() | Axis():
            return AxisIndex(affine(value))
        case Whole():
            return RuntimeScalar(str(value))
        case _:
            return Constant(float(value))


def call(function: str, *arguments: Expr | Affine | Axis | Number) -> Expr:
    """Apply a primitive, with constant arithmetic and what plainly does nothing (x*0, x*1, x+0, -(-x), ..) folded."""
    assert PRIMITIVES[function] == len(arguments), function
    return _fold(function, tuple(expression(item) for item in arguments))


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {"add": add, "sub": sub, "mul": mul, "div": lambda a, b: a / b, "gt": gt}


def _fold(function: str, arguments: tuple[Expr, ...]) -> Expr:
    match arguments:
        case (Constant(a), Constant(b)) if function in _ARITHMETIC and (function, b) != ("div", 0):
            return Constant(float(_ARITHMETIC[function](a, b)))
        case (a, b) if function in _SIMPLER and (simpler := _SIMPLER[function](a, b)) is not None:
            return simpler
        case (Constant(a),) if function == "neg":
            return Constant(-a)
        case (Call("neg", (a,)),) if function == "neg":
            return a
        case (_, a, b) if a == b:
            return a
        case _:
            return Call(function, arguments)


def _product(a: Expr, b: Expr) -> Expr | None:
    """x*0, x*1, x*-1, and x times a mask, which is a choice: what a mask drops is not looked at."""
    for x, factor in ((a, b), (b, a)):
        if factor == ZERO:
            return ZERO
        if factor == ONE:
            return x
        if factor == Constant(-1.0):
            return call("neg", x)
        if isinstance(factor, Call) and _is_mask(factor):
            return _masked(x, factor)
    return None


def _is_mask(expr: Expr) -> bool:
    match expr:
        case Call("select", (_, a, b)):
            return _is_mask(a) and _is_mask(b)
        case _:
            return expr in (ZERO, ONE)


def _masked(x: Expr, mask: Expr) -> Expr:
    match mask:
        case Call("select", (condition, a, b)):
            return call("select", condition, _masked(x, a), _masked(x, b))
        case _:
            return x if mask == ONE else ZERO


_SIMPLER: dict[str, Callable[[Expr, Expr], Expr | None]] = {
    "mul": _product,
    "div": lambda a, b: ZERO if a == ZERO else a if b == ONE else None,
    "add": lambda a, b: b if a == ZERO else a if b == ZERO else None,
    "sub": lambda a, b: a if b == ZERO else None,
}


def exp(x: Expr) -> Expr:
    """e to the power of x."""
    return call("exp", x)


def expm1(x: Expr) -> Expr:
    """exp(x) - 1, exact for small x."""
    return call("expm1", x)


def log(x: Expr) -> Expr:
    """Natural logarithm."""
    return call("log", x)


def sqrt_(x: Expr) -> Expr:
    """Square root."""
    return call("sqrt", x)


def tanh(x: Expr) -> Expr:
    """Hyperbolic tangent."""
    return call("tanh", x)


def sigmoid(x: Expr) -> Expr:
    """1 / (1 + exp(-x)), finite everywhere."""
    return call("sigmoid", x)


def softplus(x: Expr) -> Expr:
    """log(1 + exp(x)), finite everywhere."""
    return call("softplus", x)


def erf(x: Expr) -> Expr:
    """The error function."""
    return call("erf", x)


def maximum(a: Expr | Number, b: Expr | Number) -> Expr:
    """The larger; the first of two equal ones; NaN when the second is."""
    return call("maximum", a, b)


def minimum(a: Expr | Number, b: Expr | Number) -> Expr:
    """The smaller; the first of two equal ones; NaN when the second is."""
    return call("minimum", a, b)


def select(condition: Expr, a: Expr | Number, b: Expr | Number) -> Expr:
    """`a` where the condition is not 0, else `b`; the other one is not looked at, be it NaN."""
    return call("select", condition, a, b)


def random(stream: int, indices: tuple[Axis, ...]) -> Random:
    """A number for each element of a tensor, at its row-major position; the first index may be the batch."""
    position = affine(indices[0])
    for axis in indices[1:]:
        assert isinstance(axis.extent, int), f"{axis} is not the first index"
        position = position * axis.extent + axis
    return Random(stream, position)


def accesses(expr: Expr) -> Iterator[Access]:
    """Every access, in the order of writing, with repetitions."""
    match expr:
        case Access():
            yield expr
        case Call(_, arguments):
            for item in arguments:
                yield from accesses(item)
        case _:
            return


def transform(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Rebuild the expression with `change` applied to every leaf; calls are folded anew."""
    match expr:
        case Call(function, arguments):
            return _fold(function, tuple(transform(item, change) for item in arguments))
        case _:
            return change(expr)


def replaced(expr: Expr, values: Mapping[Expr, Expr]) -> Expr:
    """Replace whole subexpressions."""
    match expr:
        case _ if expr in values:
            return values[expr]
        case Call(function, arguments):
            return call(function, *(replaced(item, values) for item in arguments))
        case _:
            return expr


def derivative(expr: Expr, by: Access) -> Expr:
    """The symbolic derivative by an access: the sum over all its occurrences."""
    match expr:
        case Access():
            return ONE if expr == by else ZERO
        case Call("select", (condition, a, b)):  # a product with 0 would let the NaN of the branch not taken through
            return call("select", condition, derivative(a, by), derivative(b, by))
        case Call(function, (a,)):
            return _chain(UNARY[function](a), derivative(a, by))
        case Call(function, (a, b)):
            outer = BINARY[function](a, b)
            return _chain(outer[0], derivative(a, by)) + _chain(outer[1], derivative(b, by))
        case _:
            return ZERO


def _chain(outer: Expr, inner: Expr) -> Expr:
    return ZERO if inner == ZERO else outer * inner
