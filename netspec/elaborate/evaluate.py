"""Expressions -> values. What has no value is reported once and gives poison."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from netspec.diagnostics import Fix, did_you_mean, nearest
from netspec.elaborate.arithmetic import FUNCTIONS, OP_ONLY, Trouble, binary, bounded, joined, number, size, truth, whole
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import (
    ANY,
    POISON,
    Callable,
    Given,
    Labelled,
    Pass,
    Poison,
    Quantity,
    Stored,
    Tensor,
    Value,
    Word,
    describe,
    show,
    tensor_of,
)
from netspec.graph.types import ShapeError
from netspec.syntax import tree

DIMENSIONS: Final = {1: "f", 2: "tf", 3: "chw"}
BYTES: Final = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
CONSTANTS: Final[dict[str, Value]] = {"yes": True, "true": True, "no": False, "false": False, "_": ANY}
NO_WORDS: Final[frozenset[str]] = frozenset()


def evaluate(expr: tree.Expr, scope: Scope, words: frozenset[str] = NO_WORDS) -> Value:
    """The value of an expression. `words` are those that mean themselves here, where nothing of that name is in scope."""
    scope.context.budget.evaluate()
    try:
        return _value(expr, scope, words)
    except (Trouble, ShapeError) as trouble:  # a ShapeError of sizes that are not known yet
        return scope.report(trouble.code, trouble.message, expr.span, help=trouble.help)


def evaluate_whole(expr: tree.Expr, scope: Scope, what: str) -> int | Poison:
    """A whole number, or poison and a diagnostic."""
    value = evaluate(expr, scope)
    try:
        return value if isinstance(value, Poison) else whole(value, what)
    except Trouble as trouble:
        help = rounded_help(expr, scope) if trouble.code == "E0208" else trouble.help
        if isinstance(expr, tree.Dims):
            help = f"numbers are separated by commas: `{scope.text(expr.span).replace('x', ', ')}`"
        return scope.report(trouble.code, trouble.message, expr.span, help=help)


def evaluate_truth(expr: tree.Expr, scope: Scope, what: str) -> bool | Poison:
    """Yes or no, or poison and a diagnostic."""
    value = evaluate(expr, scope)
    try:
        return value if isinstance(value, Poison) else truth(value, what)
    except Trouble as trouble:
        return scope.report("E0106", trouble.message, expr.span)


def rounded_help(expr: tree.Expr, scope: Scope) -> str:
    """The help for a count that is not whole."""
    text = scope.text(expr.span)
    return f"`floor({text})`, or `round8({text})` for channels"


def _value(expr: tree.Expr, scope: Scope, words: frozenset[str]) -> Value:
    match expr:
        case tree.Number():
            return _number(expr, scope)
        case tree.Reference():
            return _reference(expr, scope, words)
        case tree.Binary():
            return _binary(expr, scope)
        case tree.Dims():
            return expr.values
        case tree.String():
            return expr.text
        case tree.Tuple() | tree.List():
            found = tuple(evaluate(item, scope, words) for item in expr.items)
            return POISON if POISON in found else joined(found)
        case tree.Attribute() | tree.Index() | tree.Unary() | tree.Conditional():
            return _rarer(expr, scope, words)


def _rarer(expr: tree.Attribute | tree.Index | tree.Unary | tree.Conditional, scope: Scope, words: frozenset[str]) -> Value:
    match expr:
        case tree.Attribute():
            return _attribute(expr, scope)
        case tree.Index():
            return _index(expr, scope)
        case tree.Unary():
            return _unary(expr, scope)
        case tree.Conditional():
            chosen = evaluate_truth(expr.condition, scope, "a condition")
            return POISON if isinstance(chosen, Poison) else evaluate(expr.then if chosen else expr.otherwise, scope, words)


def _number(expr: tree.Number, scope: Scope) -> Value:
    if expr.text[-1:] in "kMG" and expr.unit is None and scope.find(suffix := expr.text[-1:]) is not None:
        product = f"{expr.text[:-1]}*{suffix}"
        message = f"`{expr.text}` is {show(expr.value)}, but `{suffix}` is a name here"
        fix = Fix(expr.span, product)
        return scope.report("E0109", message, expr.span, help=f"`{product}` is the product", fix=fix)
    if expr.unit is None:
        return bounded(expr.value)
    if expr.unit in BYTES:
        return bounded(expr.value * BYTES[expr.unit])
    return Quantity(Fraction(expr.value), expr.unit)


def _unary(expr: tree.Unary, scope: Scope) -> Value:
    value = evaluate(expr.operand, scope)
    if value is POISON:
        return POISON
    return not truth(value, "the operand of `not`") if expr.operator == "not" else -number(value, "`-`")


def _binary(expr: tree.Binary, scope: Scope) -> Value:
    left = evaluate(expr.left, scope)
    if expr.operator in ("and", "or"):
        if left is POISON:
            return POISON
        if truth(left, f"the left side of `{expr.operator}`") == (expr.operator == "or"):
            return expr.operator == "or"
        right = evaluate(expr.right, scope)
        return POISON if right is POISON else truth(right, f"the right side of `{expr.operator}`")
    right = evaluate(expr.right, scope)
    if left is POISON or right is POISON or tensor_of(left) is POISON or tensor_of(right) is POISON:
        return POISON
    _charge(scope, left, right)
    return binary(expr.operator, left, right)


def _charge(scope: Scope, *values: Value) -> None:
    for value in values:
        if isinstance(value, tuple):
            scope.context.budget.evaluate(size(value))


def _reference(expr: tree.Reference, scope: Scope, words: frozenset[str]) -> Value:
    name = expr.name.text
    if expr.arguments is not None:
        return _call(expr, scope)
    if name in CONSTANTS:
        return CONSTANTS[name]
    if name == "in":
        return scope.entry if scope.entry is not None else _no_entry(expr, scope)
    if (value := scope.find(name)) is not None:
        return value
    if name in words:
        return Word(name)
    if (found := scope.callable(expr.name)) is not None:
        return found
    if name == "training":
        scope.context.mode.asked = True
        return scope.context.mode.training
    return _unknown(expr, scope, words)


def _no_entry(expr: tree.Reference, scope: Scope) -> Poison:
    help = "name one of the net's inputs"
    return scope.report("E0111", "`in` has no meaning here: there is no one input", expr.span, help=help)


def _unknown(expr: tree.Reference, scope: Scope, words: frozenset[str]) -> Poison:
    name = expr.name.text
    if scope.poisoned(name):
        return POISON
    message, span = f"unknown name `{name}`", expr.name.span
    if (meant := _ELSEWHERE.get(name)) is not None:
        help = f"write `{meant}`" if meant else "leave the argument out: its default is taken"
        return scope.report("E0102", message, span, help=help, fix=Fix(span, meant) if meant else None)
    close = nearest(name, [*scope.names(), *words]) or nearest(name, list(scope.context.file.steps()))
    help = f"did you mean `{close[0]}`?" if close else did_you_mean(name, sorted(set(scope.names())))
    fix = Fix(span, close[0]) if close else None
    return scope.report("E0102", message, span, help=help or "nothing of this name is defined above", fix=fix)


_ELSEWHERE: Final = {"True": "yes", "on": "yes", "False": "no", "off": "no", "None": "", "null": "", "valid": ""}
"""What other languages write for `yes`, `no`, and what is left out."""


def _call(expr: tree.Reference, scope: Scope) -> Value:
    name, arguments = expr.name.text, expr.arguments or ()
    if (compute := scope.function(name)) is not None:
        values = {a.name.text if a.name else "": evaluate(a.value, scope) for a in arguments}
        return POISON if POISON in values.values() else compute(**values)
    if name in FUNCTIONS and not isinstance(scope.find(name), Callable):
        return _function(expr, arguments, scope)
    if (found := scope.callable(expr.name)) is not None:
        words = _words_for(found)
        given = tuple(Given(evaluate(a.value, scope, words), a.span, a.name.text if a.name else None) for a in arguments)
        return Callable(found.name, expr.span, found.layer, found.block, found.arguments + given, found.home, found.op)
    if name in OP_ONLY:
        raise Trouble(f"the function `{name}` stands only in an `op`")
    if scope.poisoned(name):
        return POISON
    help = did_you_mean(name, [*FUNCTIONS, *scope.context.file.steps()])
    return scope.report("E0102", f"unknown function or layer `{name}`", expr.name.span, help=help)


def _words_for(found: Callable) -> frozenset[str]:
    from netspec.elaborate.binding import all_words  # binding evaluates arguments, so it imports this module

    return all_words(found.layer)


def _function(expr: tree.Reference, arguments: tuple[tree.Argument, ...], scope: Scope) -> Value:
    fewest, most, compute = FUNCTIONS[expr.name.text]
    if named := next((a.name for a in arguments if a.name), None):
        raise Trouble(f"`{expr.name.text}` takes no keywords, got `{named.text}=`", "E0104")
    if not fewest <= len(arguments) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise Trouble(f"`{expr.name.text}` takes {wanted} argument{'s' if most > 1 else ''}, got {len(arguments)}", "E0107")
    values = [evaluate(a.value, scope) for a in arguments]
    if POISON in values:
        return POISON
    _charge(scope, *values)
    result = compute(*values)
    _charge(scope, result)
    return result


def _attribute(expr: tree.Attribute, scope: Scope) -> Value:
    base, name = evaluate(expr.base, scope), expr.name.text
    match base:
        case Poison():
            return POISON
        case Labelled() | Pass() | Tensor():
            return member(base, name, expr, scope)
        case Stored() if name == "T" and len(base.shape) == 2:
            return base.transposed
        case Stored():
            raise Trouble(f"a weight {show(base)} has no `.{name}`", "E0114", "a matrix has `.T`, its transpose: `weight=code.weight.T`")
        case _:
            raise Trouble(
                f"{describe(base)} has no `.{name}`", "E0114", "tensors have `.c .h .w`, `.t .f` or `.f`, and the labels of their line"
            )


def member(base: Labelled | Pass | Tensor, name: str, expr: tree.Attribute, scope: Scope) -> Value:
    """A dimension of a tensor, or a label behind a label."""
    tensor = tensor_of(base)
    letters = DIMENSIONS[len(tensor.shape)] if isinstance(tensor, Tensor) else ""
    if isinstance(tensor, Tensor) and name in letters and len(name) == 1:
        return tensor.shape[letters.index(name)]
    labels = base.labels if isinstance(base, Pass) else base.inner if isinstance(base, Labelled) else {}
    if name in labels:
        if (found := labels[name]) is None:
            raise Trouble(f"several blocks of this line have a label `{name}`", "E0114", "label their lines one by one")
        return found
    if tensor is POISON:
        return POISON
    if isinstance(base, Labelled) and (found := scope.measure(base, name)) is not None:
        return found
    if isinstance(base, Labelled) and name in base.weights:
        return base.weights[name]
    if isinstance(base, Labelled) and base.passes:
        raise Trouble(f"`{base.name}` is a loop: its labels belong to its passes", "E0114", f"`{base.name}[0].{name}` is in the first pass")
    known = [*letters, *labels, *(base.weights if isinstance(base, Labelled) else ())]
    shape = f" of shape {show(tensor)}" if isinstance(tensor, Tensor) else ""
    help = did_you_mean(f".{name}", [f".{item}" for item in known])
    if name in ("weight", "bias") and isinstance(base, Labelled):
        help = f"`{base.name}` is no layer with a `{name}` of its own: label the step that has it"
    raise Trouble(f"a tensor{shape} has no `.{name}`", "E0114", help)


def _index(expr: tree.Index, scope: Scope) -> Value:
    base = evaluate(expr.base, scope)
    place = evaluate(expr.index, scope)
    if base is POISON or place is POISON:
        return POISON
    at = whole(place, "an index")
    elements: list[Pass] | tuple[Value, ...]
    match base:
        case Labelled() if base.value is POISON:
            return POISON
        case Labelled() if base.passes:
            elements, what = base.passes, f"the loop `{base.name}` has {len(base.passes)} passes"
        case tuple():
            elements, what = base, f"the list has {len(base)} elements"
        case _:
            raise Trouble(f"{describe(base)} cannot be indexed", "E0114", "lists and labelled loops can")
    if not 0 <= at < len(elements):
        raise Trouble(f"index {at}: {what}", "E0117", "they are counted from 0")
    return elements[at]
