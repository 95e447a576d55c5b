"""`param`: what its value may be. Its default says the kind; `: 8..512` bounds it, `: ["a", "b"]` lists its values, `: number` names it."""

from __future__ import annotations

from collections.abc import Callable as Function
from fractions import Fraction
from typing import Final

from netspec.diagnostics import Label, UsageError
from netspec.elaborate.arithmetic import equal
from netspec.elaborate.binding import all_words
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import POISON, Callable, Range, Value, Word, describe, exact, is_number, show
from netspec.records import record
from netspec.syntax import tree


@record
class Kind:
    """What a parameter may be, in words, and whether a value is that."""

    words: str
    holds: Function[[Value], bool]


def _is_whole(value: Value) -> bool:
    return is_number(value) and exact(value).denominator == 1


_ANYTHING: Final = Kind("anything", lambda _: True)
_KINDS: Final = {
    "whole": Kind("a whole number", _is_whole),
    "number": Kind("a number", is_number),
    "bool": Kind("`yes` or `no`", lambda value: isinstance(value, bool)),
    "string": Kind("a string", lambda value: isinstance(value, str)),
    "list": Kind("a list", lambda value: isinstance(value, tuple)),
    "layer": Kind("a layer, block or op", lambda value: isinstance(value, Callable)),
}
"""What may stand behind the colon, beside ranges and lists of values."""


def check_default(param: tree.Param, scope: Scope) -> None:
    """Report a type that is none, and a default that is not of it."""
    if param.type is None:
        return
    kind, default = kind_of(param, scope), evaluate(param.value, scope, all_words(None))
    if kind is not None and default is not POISON and not kind.holds(default):
        message = f"`{param.name.text}` must be {kind.words}, its default is {describe(default)}"
        scope.report("E0106", message, param.value.span, labels=[Label(param.type.span, "as declared here")])


def check_setting(param: tree.Param, value: Value, text: str, scope: Scope) -> None:
    """Raise UsageError for a value that `--set` or Python gives and the parameter cannot have."""
    kind = kind_of(param, scope)
    if kind is not None and not kind.holds(value):
        help = f"its default is {show(evaluate(param.value, scope, all_words(None)))}"
        raise UsageError(f"`{param.name.text}={text}`: `{param.name.text}` must be {kind.words}", help)


def kind_of(param: tree.Param, scope: Scope) -> Kind | None:
    """The kind of a parameter; None where its type is wrong, which is reported."""
    default = evaluate(param.value, scope, all_words(None))
    if param.type is None:
        return _of_default(param.value, default)
    declared = evaluate(param.type, scope, frozenset(_KINDS))
    match declared:
        case Word(text):
            return _KINDS[text]
        case Range(low, high) if low <= high:
            whole = _is_whole(default) and _is_written_whole(param.value) and _is_written_whole(param.type)
            return Kind(f"a {'whole ' * whole}number from {show(low)} to {show(high)}", lambda value: _is_between(value, low, high, whole))
        case tuple() if declared:
            listed = ", ".join(map(show, declared))
            return Kind(f"one of {listed}", lambda value: any(equal(value, item) for item in declared))
        case _:
            if declared is not POISON:
                help = f"a range `8..512`, a list of values, or {', '.join(f'`{word}`' for word in _KINDS)}"
                scope.report("E0106", f"the type of `{param.name.text}` is none: {describe(declared)}", param.type.span, help=help)
            return None


def _of_default(expr: tree.Expr, default: Value) -> Kind:
    if _is_whole(default) and not _is_written_whole(expr):
        return _KINDS["number"]
    return next((kind for kind in _KINDS.values() if kind.holds(default)), _ANYTHING)


def _is_written_whole(expr: tree.Expr) -> bool:
    """`1.0` is a number that may be changed to 0.5; `1` counts something."""
    match expr:
        case tree.Number():
            return "." not in expr.text
        case tree.Unary():
            return _is_written_whole(expr.operand)
        case tree.Binary():
            return _is_written_whole(expr.left) and _is_written_whole(expr.right)
        case _:
            return True


def _is_between(value: Value, low: int | Fraction, high: int | Fraction, whole: bool) -> bool:
    return is_number(value) and low <= value <= high and (not whole or _is_whole(value))
