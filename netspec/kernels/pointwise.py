"""The value of an expression at one point, in Python: for what must be known before there are arrays.

Numbers are Python's; what leaves the range of float32 is infinite, and nothing raises: 1/0, log(0) and log(-1) are what IEEE 754 says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from math import copysign, inf, isnan, nan
from operator import add, eq, ge, gt, le, lt, mul, sub

from netspec.kernels.scalar import Access, Call, Constant, Expr

LARGEST = 3.4028234663852886e38
"""Of float32."""


def value_at(expr: Expr, point: Mapping[str, float], known: dict[int, float] | None = None) -> float:
    """The value where each tensor has the element that `point` gives; `known` holds what shared parts came to, by their id."""
    known = {} if known is None else known
    if (found := known.get(id(expr))) is not None:
        return found
    match expr:
        case Constant(value):
            result = value
        case Access(tensor):
            result = point[tensor]
        case Call("select", (condition, a, b)):
            result = value_at(a if value_at(condition, point, known) != 0 else b, point, known)
        case Call(function, arguments):
            result = _applied(function, [value_at(item, point, known) for item in arguments])
        case _:
            raise TypeError(expr)
    known[id(expr)] = result
    return result


def _applied(function: str, arguments: list[float]) -> float:
    """Python raises where IEEE 754 has a value; beyond float32 there is only infinity."""
    try:
        value = _UNARY[function](*arguments) if function in _UNARY else _BINARY[function](*arguments)
    except OverflowError:
        value = inf
    return copysign(inf, value) if abs(value) > LARGEST else value


def _quotient(a: float, b: float) -> float:
    if b == 0:
        return nan if a == 0 or isnan(a) else copysign(inf, a) * copysign(1.0, b)
    return a / b


def _log(a: float) -> float:
    return -inf if a == 0 else nan if a < 0 else math.log(a)


def _log1p(a: float) -> float:
    return -inf if a == -1 else nan if a < -1 else math.log1p(a)


def _sigmoid(a: float) -> float:
    small = math.exp(-abs(a))
    return 1 / (1 + small) if a >= 0 else small / (1 + small)


_BINARY: dict[str, Callable[[float, float], float]] = {
    "gt": gt,
    "ge": ge,
    "lt": lt,
    "le": le,
    "eq": eq,
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": _quotient,
    "maximum": lambda a, b: a if a >= b else b,
    "minimum": lambda a, b: a if a <= b else b,
}
_UNARY: dict[str, Callable[[float], float]] = {
    "neg": lambda a: -a,
    "abs": math.fabs,
    "sign": lambda a: nan if isnan(a) else (a > 0) - (a < 0),
    "finite": math.isfinite,
    "sqrt": lambda a: nan if a < 0 else math.sqrt(a),
    "exp": math.exp,
    "expm1": math.expm1,
    "log": _log,
    "log1p": _log1p,
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda a: max(a, 0.0) + math.log1p(math.exp(-abs(a))),
    "erf": math.erf,
}
