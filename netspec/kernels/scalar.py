"""Scalar expressions: the bodies of formulas. Each primitive is one row of `PRIMITIVES`, with its derivative.

Values are float32 (float64 in the reference). Comparisons give 1 or 0. `sigmoid`, `tanh`, `softplus`, `erf`, `expm1` and `log1p`
are primitives because their textbook forms overflow: the symbolic derivative of 1/(1 + exp(-x)) is NaN at -89.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import pi, sqrt
from typing import Literal

from netspec.kernels.affine import Affine, Axis, Extent, affine

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


@dataclass(frozen=True, slots=True)
class Constant(Expr):
    """A number."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class AxisIndex(Expr):
    """The value of an index, as a number."""

    index: Affine

    def __str__(self) -> str:
        return f"({self.index})" if len(self.index.terms) != 1 or self.index.constant else str(self.index)


@dataclass(frozen=True, slots=True)
class RuntimeScalar(Expr):
    """A number that a step is called with: `lr`, `step`, `N` (the images in this batch)."""

    name: str

    def __str__(self) -> str:
        return f"${self.name}"


@dataclass(frozen=True, slots=True)
class Random(Expr):
    """A uniform number in [0, 1), a function of (seed, step, stream, row-major position of the indices) and of nothing else."""

    stream: int
    indices: tuple[Axis, ...]

    def __str__(self) -> str:
        return f"random{self.stream}({', '.join(map(str, self.indices))})"


@dataclass(frozen=True, slots=True)
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

Derivative = Callable[..., tuple[Expr, ...]]
"""From the arguments to the derivative by each of them."""


def _flat(*arguments: Expr) -> tuple[Expr, ...]:
    return (ZERO,) * len(arguments)


PRIMITIVES: dict[str, Derivative] = {
    "add": lambda a, b: (ONE, ONE),
    "sub": lambda a, b: (ONE, -ONE),
    "mul": lambda a, b: (b, a),
    "div": lambda a, b: (1 / b, -a / (b * b)),
    "neg": lambda a: (-ONE,),
    # The first of two equal arguments is the maximum: relu = maximum(0, x) has derivative 0 at 0.
    "maximum": lambda a, b: (call("ge", a, b), call("lt", a, b)),
    "minimum": lambda a, b: (call("le", a, b), call("gt", a, b)),
    "abs": lambda a: (call("sign", a),),
    "sign": _flat,
    "sqrt": lambda a: (0.5 / sqrt_(a),),
    "exp": lambda a: (exp(a),),
    "expm1": lambda a: (exp(a),),
    "log": lambda a: (1 / a,),
    "log1p": lambda a: (1 / (1 + a),),
    "tanh": lambda a: (1 - tanh(a) * tanh(a),),
    "sigmoid": lambda a: (sigmoid(a) * sigmoid(-a),),
    "softplus": lambda a: (sigmoid(a),),
    "erf": lambda a: (2 / sqrt(pi) * exp(-(a * a)),),
    "gt": _flat,
    "ge": _flat,
    "lt": _flat,
    "le": _flat,
    "eq": _flat,
    "finite": _flat,
    # where the condition holds, the derivative is the first's, else the second's
    "select": lambda c, a, b: (ZERO, select(c, ONE, ZERO), select(c, ZERO, ONE)),
}


def expression(value: Expr | Affine | Axis | Number) -> Expr:
    """An expression from a number or an index."""
    match value:
        case Expr():
            return value
        case Affine() | Axis():
            return AxisIndex(affine(value))
        case _:
            return Constant(float(value))


def call(function: str, *arguments: Expr | Affine | Axis | Number) -> Expr:
    """Apply a primitive, with the identities x*0, x*1, x+0, x-0, x/1, -(-x) and constant arithmetic folded."""
    assert function in PRIMITIVES, function
    return _fold(function, tuple(expression(item) for item in arguments))


_FOLDED: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "gt": lambda a, b: float(a > b),
}


def _fold(function: str, arguments: tuple[Expr, ...]) -> Expr:
    if function in _FOLDED and all(isinstance(item, Constant) for item in arguments):
        return Constant(_FOLDED[function](*(item.value for item in arguments if isinstance(item, Constant))))
    match function, *arguments:
        case ("mul", a, b) if ZERO in (a, b):
            return ZERO
        case ("mul", a, b) if a == ONE:
            return b
        case ("mul" | "div", a, b) if b == ONE:
            return a
        case ("mul", a, b) if Constant(-1.0) in (a, b):
            return call("neg", b if a == Constant(-1.0) else a)
        case ("add", a, b) if a == ZERO:
            return b
        case ("add" | "sub", a, b) if b == ZERO:
            return a
        case ("div", a, _) if a == ZERO:
            return ZERO
        case ("neg", Call("neg", (a,))):
            return a
        case ("select", _, a, b) if a == b:
            return a
        case _:
            return Call(function, arguments)


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


def derivative(expr: Expr, by: Access) -> Expr:
    """The symbolic derivative by an access: the sum over all its occurrences."""
    match expr:
        case Access():
            return ONE if expr == by else ZERO
        case Call(function, arguments):
            inner = [derivative(item, by) for item in arguments]
            if all(item == ZERO for item in inner):
                return ZERO
            if function == "select":  # a product with 0 would let the NaN of the branch not taken through
                return call("select", arguments[0], inner[1], inner[2])
            terms = (outer * item for outer, item in zip(PRIMITIVES[function](*arguments), inner, strict=True) if item != ZERO)
            total: Expr = ZERO
            for term in terms:
                total = total + term
            return total
        case _:
            return ZERO
