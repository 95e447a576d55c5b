"""The expression of an `op` -> a kernel expression: numbers stay exact, what depends on a tensor's element becomes a formula."""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Iterator, Mapping
from dataclasses import field
from fractions import Fraction
from functools import partial, reduce
from math import inf, isfinite
from typing import Final, TypeAlias

from netspec.diagnostics import did_you_mean
from netspec.elaborate.arithmetic import FUNCTIONS, Trouble, binary, number, truth
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.limits import MAX_FORMULA, MAX_FORMULA_DEPTH
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import POISON, Value, describe, exact, is_number, show
from netspec.kernels.pointwise import value_at
from netspec.kernels.scalar import Call, Constant, Expr, call, expression, select
from netspec.records import record
from netspec.syntax import tree
from netspec.syntax.nesting import parts


@record
class Truth:
    """Yes or no, by element: 1 or 0."""

    expr: Expr


Term: TypeAlias = "Expr | Truth | int | Fraction"
"""What a part of an op's expression means; yes and no are bool."""


class Reported(Exception):
    """An expression has no meaning, and that has been reported."""


@record
class Elements:
    """What an expression of an op can speak of: its parameters (`terms`), the constants and ops of the file (`scope`)."""

    scope: Scope
    terms: Mapping[str, Term]
    sizes: dict[int, tuple[Expr, int, int]] = field(default_factory=dict[int, "tuple[Expr, int, int]"])

    def term(self, expr: tree.Expr) -> Term:
        """What an expression means. Raises Reported."""
        self.scope.context.budget.evaluate()
        try:
            return self._bounded(self._term(expr))
        except Trouble as trouble:
            self.scope.report(trouble.code, trouble.message, expr.span, help=trouble.help)
            raise Reported from None

    def _term(self, expr: tree.Expr) -> Term:
        match expr:
            case tree.Reference(arguments=None) if expr.name.text in self.terms:
                return self.terms[expr.name.text]
            case tree.Reference(arguments=None) | tree.Number():
                return self._constant(expr)
            case tree.Reference():
                return self._call(expr)
            case tree.Unary("not"):
                return _not(_truth(self.term(expr.operand), "the operand of `not`"))
            case tree.Unary():
                value = _numeric(self.term(expr.operand), "`-`")
                return -value
            case tree.Binary():
                return self._binary(expr)
            case tree.Conditional():
                return self._conditional(expr)
            case _:
                message = f"an op computes a number from numbers: `{self.scope.text(expr.span)}` is none"
                raise Trouble(message, help="it sees one element of each tensor, not shapes or lists")

    def _constant(self, expr: tree.Expr) -> Term:
        value = evaluate(expr, self.scope)
        if value is POISON:
            raise Reported
        if isinstance(value, bool) or is_number(value):
            return value
        raise Trouble(f"an op computes a number from numbers, `{self.scope.text(expr.span)}` is {describe(value)}")

    def _binary(self, expr: tree.Binary) -> Term:
        operator = expr.operator
        left, right = self.term(expr.left), self.term(expr.right)
        if operator in ("and", "or"):
            sides = (_truth(left, f"the left side of `{operator}`"), _truth(right, f"the right side of `{operator}`"))
            return _both(*sides) if operator == "and" else _not(_both(_not(sides[0]), _not(sides[1])))
        if not isinstance(left, Expr | Truth) and not isinstance(right, Expr | Truth):
            return _plain(binary(operator, left, right))
        a, b = _numeric(left, f"`{operator}`"), _numeric(right, f"`{operator}`")
        if operator in _COMPARISONS:
            return Truth(call(_COMPARISONS[operator], _element(a), _element(b)))
        if operator == "!=":
            return _not(Truth(call("eq", _element(a), _element(b))))
        if operator == "**":
            return _power(a, b)
        if operator not in _ARITHMETIC:
            raise Trouble(f"`{operator}` takes no elements of tensors", help="`+ - * / **` do, and comparisons")
        if operator == "/" and b == 0:
            raise Trouble(f"{self.scope.text(expr.span)}: a division by zero", "E0117")
        return call(_ARITHMETIC[operator], _element(a), _element(b))

    def _conditional(self, expr: tree.Conditional) -> Term:
        condition = _truth(self.term(expr.condition), "a condition")
        if isinstance(condition, bool):
            return self.term(expr.then if condition else expr.otherwise)
        a, b = (_numeric(self.term(part), "a branch of `if`") for part in (expr.then, expr.otherwise))
        return select(condition.expr, _element(a), _element(b))

    def _call(self, expr: tree.Reference) -> Term:
        name, arguments = expr.name.text, expr.arguments or ()
        if (op := self.scope.context.file.ops.get(name)) is not None:
            named = [(item.name.text, self.term(item.value)) for item in arguments if item.name]
            return op.within(expr, [self.term(item.value) for item in arguments if item.name is None], named, self.scope)
        if name not in _FUNCTIONS and name not in FUNCTIONS:
            raise self._unknown(expr)
        if keyword := next((item.name for item in arguments if item.name), None):
            raise Trouble(f"`{name}` takes no keywords, got `{keyword.text}=`", "E0104")
        fewest, most = _FUNCTIONS[name][:2] if name in _FUNCTIONS else FUNCTIONS[name][:2]
        if not fewest <= len(arguments) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} or more"
            raise Trouble(f"`{name}` takes {wanted} argument{'s' if most > 1 else ''}, got {len(arguments)}", "E0107")
        values = [_numeric(self.term(item.value), f"`{name}`") for item in arguments]
        if any(isinstance(item, Expr) for item in values):
            if name not in _FUNCTIONS:
                raise Trouble(f"`{name}` takes no elements of tensors", help=f"those that do: {', '.join(sorted(_FUNCTIONS))}")
            return _FUNCTIONS[name][2](*map(_element, values))
        return _number_of(name, [item for item in values if not isinstance(item, Expr)])

    def _unknown(self, expr: tree.Reference) -> Trouble:
        name = expr.name.text
        known = sorted({*_FUNCTIONS, *self.scope.context.file.ops})
        if self.scope.callable(expr.name) is None:
            return Trouble(f"unknown function `{name}`", "E0102", did_you_mean(name, known) or f"an op has {', '.join(known)}")
        return Trouble(f"`{name}` is a step, and an op computes with functions", help=f"it has {', '.join(known)}")

    def _bounded(self, term: Term) -> Term:
        expr = term.expr if isinstance(term, Truth) else term
        if isinstance(expr, Expr):
            nodes, depth = self._size(expr)
            if nodes > MAX_FORMULA or depth > MAX_FORMULA_DEPTH:
                message = f"the formula of an op has more than {MAX_FORMULA} operations, or is more than {MAX_FORMULA_DEPTH} deep"
                raise Trouble(message, "E0505", "several ops, one after the other as steps, have each their own")
        return term

    def _size(self, expr: Expr) -> tuple[int, int]:
        """Nodes and depth as a tree. Shared parts count each time: whatever walks the formula meets them each time."""
        if not isinstance(expr, Call):
            return 1, 1
        if (known := self.sizes.get(id(expr))) is not None:
            return known[1:]
        parts = [self._size(item) for item in expr.arguments]
        nodes, depth = 1 + sum(part[0] for part in parts), 1 + max(part[1] for part in parts)
        self.sizes[id(expr)] = expr, nodes, depth  # holds the expression: its id stays its own
        return nodes, depth


def references(expr: tree.Expr) -> Iterator[str]:
    """Every name in an expression that could be a parameter's."""
    if isinstance(expr, tree.Reference):
        yield expr.name.text
    for part in parts(expr):
        yield from references(part)


def _plain(value: Value) -> int | Fraction:
    assert isinstance(value, int | Fraction), value  # of two numbers: a number, yes or no
    return value


def _numeric(term: Term, what: str) -> Expr | int | Fraction:
    if isinstance(term, Truth):
        raise Trouble(f"{what} needs a number, got yes or no", help="`if .. then 1 else 0` is a number")
    return term if isinstance(term, Expr) else number(term, what)


def _truth(term: Term, what: str) -> Truth | bool:
    if isinstance(term, Truth):
        return term
    if isinstance(term, Expr):
        raise Trouble(f"{what} is `yes` or `no`, got a number", help="compare it, as `x > 0`")
    return truth(term, what)


def _element(value: Expr | int | Fraction) -> Expr:
    return value if isinstance(value, Expr) else expression(float(value))


def element(term: Term) -> Expr:
    """The value of a whole op."""
    return _element(_numeric(term, "the value of an op"))


def _not(value: Truth | bool) -> Truth | bool:
    return Truth(select(value.expr, 0.0, 1.0)) if isinstance(value, Truth) else not value


def _both(left: Truth | bool, right: Truth | bool) -> Truth | bool:
    if isinstance(left, bool):
        return right if left else False
    if isinstance(right, bool):
        return left if right else False
    return Truth(select(left.expr, right.expr, 0.0))


def _power(base: Expr | int | Fraction, exponent: Expr | int | Fraction) -> Expr:
    if isinstance(exponent, Expr) or isinstance(base, int | Fraction):
        raise Trouble("the exponent of `**` must be a number", help="`exp(y * log(x))` is x to the power of y, for x > 0")
    if abs(exponent) > MAX_FORMULA:
        raise Trouble(f"the exponent {show(exponent)} is larger than {MAX_FORMULA}", "E0505")
    if exponent < 0:
        return 1 / _power(base, -exponent)
    if exponent == 0:
        return Constant(1.0)
    if exponent.denominator == 1:
        return _whole_power(base, exponent.numerator)
    if exponent == Fraction(1, 2):
        return call("sqrt", base)
    value = call("exp", float(exponent) * call("log", base))
    # at 0 the derivative, exponent * 0**(exponent - 1), would be 0 * inf
    return select(call("eq", base, 0.0), 0.0, value) if exponent > 1 else value


def _whole_power(base: Expr, exponent: int) -> Expr:
    """By squaring."""
    if exponent == 1:
        return base
    half = _whole_power(base, exponent // 2)
    square = half * half
    return square * base if exponent % 2 else square


def _number_of(name: str, values: list[int | Fraction]) -> int | Fraction:
    """A function of numbers alone."""
    if name in FUNCTIONS:
        return _plain(FUNCTIONS[name][2](*values))
    value = value_at(_FUNCTIONS[name][2](*map(_element, values)), {})
    if not isfinite(value):
        raise Trouble(f"`{name}` has no value there", "E0117")
    return exact(Fraction(value))


_COMPARISONS: Final = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq"}
_ARITHMETIC: Final = {"+": "add", "-": "sub", "*": "mul", "/": "div"}
_UNARY: Final = ("abs", "sqrt", "exp", "log", "sigmoid", "tanh", "softplus", "erf", "expm1", "log1p")
_FUNCTIONS: Final[dict[str, tuple[int, float, Function[..., Expr]]]] = {
    **{name: (1, 1, partial(call, name)) for name in _UNARY},
    "min": (2, inf, lambda *items: reduce(partial(call, "minimum"), items)),
    "max": (2, inf, lambda *items: reduce(partial(call, "maximum"), items)),
}
"""Functions of the elements of tensors: the fewest and the most arguments, and the formula."""
