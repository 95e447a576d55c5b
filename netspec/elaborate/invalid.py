"""Why a layer or declaration refuses its arguments, in the words of the language."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from netspec.diagnostics import Span, did_you_mean
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import POISON, Given, Poison, Word, show
from netspec.schema import WHOLE, Argument, ArgumentError, Fault, Schema, reasons


def explain(error: ArgumentError, model: type[Schema], found: Mapping[str, Given], scope: Scope, *, span: Span) -> Poison:
    """Report each argument that will not do, and all that are missing at once."""
    if error.missing:
        needed = [name for name, argument in model.arguments().items() if argument.required]
        help = f"as `{model.name}({', '.join(needed)})`"
        scope.report("E0105", f"`{model.name}` needs {' and '.join(f'`{item}`' for item in error.missing)}", span, help=help)
    for name, faults in error.refused.items():
        argument = model.arguments().get(name) or model.rest()
        assert argument is not None, name
        given = found[name]
        if isinstance(given.value, str) and (takers := _takers(model, given.value)):
            help = f"say which it is: `{takers[0]}={given.value}`"
            scope.report("E0106", f"`{name}` of `{model.name}` {_joined(reasons(faults))}, got {show(given.value)}", given.span, help=help)
            continue
        _explain_one(f"`{name}` of `{model.name}`", argument, faults, given, scope)
    if error.together is not None:
        scope.report("E0106", f"`{model.name}`: {error.together}", span)
    return POISON


def _explain_one(what: str, argument: Argument, faults: tuple[Fault, ...], given: Given, scope: Scope) -> None:
    value, words = given.value, sorted(argument.words)
    if isinstance(value, Word):
        help = did_you_mean(value.text, [*scope.names(), *words])
        scope.report("E0102", f"unknown name `{value.text}`", given.span, help=help)
    elif isinstance(value, Fraction) and any(item.reason == WHOLE for item in faults):
        text = scope.text(given.span)
        help = f"`floor({text})`, or `round8({text})` for channels"
        scope.report("E0208", f"{argument.counted or what} must be a whole number, got {show(value)}", given.span, help=help)
    else:
        help = "words: " + ", ".join(f"`{word}`" for word in words) if words else None
        if isinstance(value, str):
            help = help or f"without quotes: `{value}`"
        scope.report("E0106", f"{what} {_joined(reasons(faults))}, got {show(value)}", given.span, help=help)


def _takers(model: type[Schema], word: str) -> list[str]:
    """The arguments of which this is a word."""
    return [name for name, argument in model.arguments().items() if word in argument.words]


def _joined(texts: list[str]) -> str:
    """`must be a whole number or a list`."""
    first, *others = texts
    return " or ".join([first, *(text.removeprefix("must be ") if first.startswith("must be ") else text for text in others)])
