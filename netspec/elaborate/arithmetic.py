"""Operators and functions of the language: exact on numbers, joined and repeated on lists. A Trouble says why not."""

from __future__ import annotations

import math
from collections.abc import Callable as Function
from fractions import Fraction
from typing import Any, Final

from netspec.elaborate.limits import MAX_DENOMINATOR, MAX_ITEMS, MAX_NUMBER
from netspec.elaborate.values import ANY, Number, Quantity, Range, Tensor, Value, describe, exact, is_number, show, tensor_of
from netspec.graph.sizes import is_whole
from netspec.schema import Whole


class Trouble(Exception):
    """An expression has no value; the evaluator knows where it stands."""

    def __init__(self, message: str, code: str = "E0108", help: str | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.help = message, code, help


def number(value: Value, what: str) -> Number:
    """A number, or a Trouble that names who wanted one."""
    if is_number(value) or is_whole(value):
        return value
    raise Trouble(f"{what} needs a number, got {describe(value)}")


def whole(value: Value, what: str) -> int:
    """A whole number."""
    found = number(value, what)
    if isinstance(found, int | Whole):
        return found
    raise Trouble(f"{what} must be a whole number, got {show(found)}", "E0208", "`floor(..)`, `ceil(..)` or `round(..)` makes it whole")


def truth(value: Value, what: str) -> bool:
    """Yes or no."""
    if isinstance(value, bool):
        return value
    raise Trouble(f"{what} is `yes` or `no`, got {describe(value)}")


def items(value: Value, what: str) -> tuple[Value, ...]:
    """The elements of a list or of a range of whole numbers."""
    match value:
        case tuple():
            return value
        case Range(low, high):
            first, last = whole(low, "a range"), whole(high, "a range")
            if last - first >= MAX_ITEMS:
                raise Trouble(f"{show(value)} has more than {MAX_ITEMS:,} elements", "E0505")
            return tuple(range(first, last + 1))
        case _:
            help = f"`repeat {show(value)} as i` counts, `range({show(value)})` is a list" if is_number(value) else None
            raise Trouble(f"{what} needs a list, got {describe(value)}", help=help)


def bounded(value: Number) -> Number:
    """The number, unless it is too large to be meant."""
    if isinstance(value, Whole):
        return value
    if -MAX_NUMBER <= value <= MAX_NUMBER and value.denominator <= MAX_DENOMINATOR:
        return exact(value)
    raise Trouble("the number has more than 18 digits", "E0505")


def size(value: Value) -> int:
    """The elements of a list, those of lists in it included; 1 for anything else."""
    return sum(1 + (size(item) if isinstance(item, tuple) else 0) for item in value) if isinstance(value, tuple) else 1


def joined(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """The list, unless it is too long."""
    if sum(map(size, values)) > MAX_ITEMS:
        raise Trouble(f"the list has more than {MAX_ITEMS:,} elements", "E0505")
    return values


def binary(operator: str, left: Value, right: Value) -> Value:
    """`left operator right`, for all but `and`, `or`."""
    if operator == "==":
        return equal(left, right)
    if operator == "!=":
        return not equal(left, right)
    if operator == "..":
        return Range(number(left, "`..`"), number(right, "`..`"))
    if operator in "+*" and (isinstance(left, tuple) or isinstance(right, tuple)):
        return _lists(operator, left, right)
    if isinstance(left, Quantity) or isinstance(right, Quantity):
        return _quantities(operator, left, right)
    first, second = number(left, f"`{operator}`"), number(right, f"`{operator}`")
    return _COMPARE[operator](first, second) if operator in _COMPARE else _numbers(operator, first, second)


def equal(left: Value, right: Value) -> bool:
    """Equality; a tensor is compared by its shape, `_` equals anything."""
    if ANY in (left, right):
        return True
    left, right = _plain(left), _plain(right)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return left == right


def _plain(value: Value) -> Value:
    tensor = tensor_of(value)
    return tensor.shape if isinstance(tensor, Tensor) else value


def _lists(operator: str, left: Value, right: Value) -> Value:
    if operator == "+" and isinstance(left, tuple) and isinstance(right, tuple):
        return joined(left + right)
    if operator == "*" and isinstance(left, tuple) and is_number(right):
        times = whole(right, "`*` of a list")
        if times * size(left) > MAX_ITEMS:
            raise Trouble(f"the list has more than {MAX_ITEMS:,} elements", "E0505")
        return left * times
    raise Trouble(f"`{operator}` does not take {describe(left)} and {describe(right)}", help="lists: `a + b` joins, `a * 3` repeats")


def _quantities(operator: str, left: Value, right: Value) -> Value:
    """`2 epochs + 1 epoch`, `2 * 5 epochs`, `10 deg < 20 deg`."""
    if isinstance(left, Quantity) and isinstance(right, Quantity) and left.unit.rstrip("s") == right.unit.rstrip("s"):
        if operator in _COMPARE:
            return _COMPARE[operator](left.value, right.value)
        if operator in "+-":
            return Quantity(Fraction(_ARITHMETIC[operator](left.value, right.value)), left.unit)
    elif isinstance(left, Quantity) and operator in ("*", "/"):
        return Quantity(Fraction(_numbers(operator, left.value, number(right, f"`{operator}`"))), left.unit)
    elif isinstance(right, Quantity) and operator == "*":
        return Quantity(Fraction(_numbers(operator, number(left, "`*`"), right.value)), right.unit)
    raise Trouble(f"`{operator}` does not take {describe(left)} and {describe(right)}")


_COMPARE: Final[dict[str, Function[[Number, Number], bool]]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_ARITHMETIC: Final[dict[str, Function[[Number, Number], Number]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: Fraction(a) / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}


def _exact_quotient(a: Any, b: Any) -> Any:
    return a / b


def _raised(a: Any, b: Any) -> Any:
    return a**b


_WITH_SIZES: Final[dict[str, Function[[Any, Any], Any]]] = {**_ARITHMETIC, "/": _exact_quotient, "**": _raised}


def _numbers(operator: str, left: Number, right: Number) -> Number:
    if isinstance(left, Whole) or isinstance(right, Whole):
        return _with_sizes(operator, left, right)
    if operator == "**":
        return bounded(_power(left, right))
    if operator in ("/", "//", "%") and right == 0:
        raise Trouble(f"{show(left)} {operator} 0: a division by zero", "E0117")
    return bounded(_ARITHMETIC[operator](left, right))


def _with_sizes(operator: str, left: Number, right: Number) -> Number:
    """Of whole numbers that may not be known yet: exact, or a Trouble."""
    sides = [exact(side) if isinstance(side, Fraction) else side for side in (left, right)]
    if operator == "/" and isinstance(right, Whole):
        raise Trouble(f"{show(left)} / ({right}): the divisor is not known before it is bound", help="`//` rounds down")
    try:
        return _WITH_SIZES[operator](*sides)
    except TypeError:
        message = f"`{operator}` of `{show(left)}` and `{show(right)}`: of a size that is not known yet, only with whole numbers"
        raise Trouble(message) from None


def _power(base: Number, exponent: Number) -> Number:
    if base == 0 and exponent < 0:
        raise Trouble(f"0 ** {show(exponent)}: a division by zero", "E0117")
    if base in (0, 1):
        return base if exponent else 1
    if not isinstance(exponent, int):
        return _real("**", lambda: float(base) ** float(exponent))
    # the number of digits is known before the power is taken: 10**10**10 never is
    if abs(exponent) * max(math.log10(abs(base.numerator) or 1), math.log10(base.denominator)) > 18.01:
        raise Trouble(f"{show(base)} ** {show(exponent)} has more than 18 digits", "E0505")
    return exact(Fraction(base) ** exponent)


def _real(name: str, compute: Function[[], object]) -> Number:
    try:
        value = compute()
    except (ValueError, OverflowError, ZeroDivisionError):
        value = None
    if not isinstance(value, float) or not math.isfinite(value):
        raise Trouble(f"`{name}` has no value there", "E0117")
    return exact(Fraction(value))


def _unary(name: str, compute: Function[[float], float]) -> Function[[Value], Value]:
    return lambda value: _real(name, lambda: compute(float(number(value, f"`{name}`"))))


def _known(value: Value, what: str) -> Number:
    """A number, not a size that is not known yet."""
    found = number(value, what)
    return int(found) if isinstance(found, Whole) else found  # which raises, and says what to bind


def _sqrt(value: Value) -> Value:
    found = Fraction(_known(value, "`sqrt`"))
    if found >= 0:
        top, bottom = math.isqrt(found.numerator), math.isqrt(found.denominator)
        if top * top == found.numerator and bottom * bottom == found.denominator:
            return exact(Fraction(top, bottom))
    return _real("sqrt", lambda: math.sqrt(found))


def round8(value: Value) -> int:
    """torchvision's make_divisible(x, 8): the nearest multiple of 8, never below 90 % of x (Sandler et al. 2018)."""
    found = _known(value, "`round8`")
    nearest = max(8, math.floor(found + 4) // 8 * 8)
    return nearest + 8 if nearest < Fraction(9, 10) * found else nearest


def _range(*values: Value) -> Value:
    bounds = [whole(item, "`range`") for item in values]
    found = range(*bounds)
    if len(found) > MAX_ITEMS:
        raise Trouble(f"the list has more than {MAX_ITEMS:,} elements", "E0505")
    return tuple(found)


def _numbers_of(name: str, values: tuple[Value, ...]) -> list[Number]:
    listed = items(values[0], f"`{name}`") if len(values) == 1 else values
    if not listed and name != "sum":
        raise Trouble(f"`{name}` of an empty list", "E0117")
    return [number(item, f"`{name}`") for item in listed]


def _enumerate(value: Value) -> Value:
    """The index in front: of a tuple (a, b) the element is (i, a, b)."""
    return tuple((i, *item) if isinstance(item, tuple) else (i, item) for i, item in enumerate(items(value, "`enumerate`")))


def _zip(*values: Value) -> Value:
    lists = [items(item, "`zip`") for item in values]
    if len({len(item) for item in lists}) > 1:
        raise Trouble(f"`zip` needs lists of one length, got {', '.join(str(len(item)) for item in lists)}")
    return tuple(zip(*lists, strict=True))


def _take(values: Value, count: Value) -> Value:
    n = whole(count, "`take`")
    if n < 0:
        raise Trouble(f"`take` of {n} elements", "E0117")
    return items(values, "`take`")[:n]


def _outer(left: Value, right: Value) -> Value:
    rows = [number(item, "`outer`") for item in items(left, "`outer`")]
    columns = [number(item, "`outer`") for item in items(right, "`outer`")]
    if len(rows) * len(columns) > MAX_ITEMS:
        raise Trouble(f"the list has more than {MAX_ITEMS:,} elements", "E0505")
    return tuple(tuple(bounded(a * b) for b in columns) for a in rows)


def _len(value: Value) -> Value:
    return len(items(value, "`len`"))


def _floor(value: Value) -> Value:
    return math.floor(number(value, "`floor`"))


def _ceil(value: Value) -> Value:
    return math.ceil(number(value, "`ceil`"))


def _round(value: Value) -> Value:
    return round(number(value, "`round`"))


def _abs(value: Value) -> Value:
    return abs(number(value, "`abs`"))


FUNCTIONS: Final[dict[str, tuple[int, int, Function[..., Value]]]] = {
    "len": (1, 1, _len),
    "sum": (1, 1, lambda *a: bounded(sum(_numbers_of("sum", a)))),
    "min": (1, 64, lambda *a: min(_numbers_of("min", a))),
    "max": (1, 64, lambda *a: max(_numbers_of("max", a))),
    "range": (1, 3, _range),
    "zip": (1, 64, _zip),
    "enumerate": (1, 1, _enumerate),
    "take": (2, 2, _take),
    "outer": (2, 2, _outer),
    "floor": (1, 1, _floor),
    "ceil": (1, 1, _ceil),
    "round": (1, 1, _round),
    "abs": (1, 1, _abs),
    "sqrt": (1, 1, _sqrt),
    "exp": (1, 1, _unary("exp", math.exp)),
    "log": (1, 1, _unary("log", math.log)),
    "round8": (1, 1, round8),
}
"""By name: the fewest and the most arguments, and what it computes."""

OP_ONLY: Final = frozenset({"sigmoid", "tanh", "softplus", "erf", "expm1", "log1p"})
"""Functions of the language that stand only in an `op`."""
