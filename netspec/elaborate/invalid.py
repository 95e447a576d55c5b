"""Why a model refuses its arguments, in the words of the language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from netspec.diagnostics import Span, did_you_mean
from netspec.elaborate.binding import words_of
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import POISON, Given, Poison, Value, Word, is_number, show

_KINDS: Final = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "tuple_type": "must be a list",
    "string_type": "must be a string",
    "bool_type": "must be `yes` or `no`",
    "none_required": "must be left out",
    "literal_error": "must be one of its words",
}
"""What a member of a union says to a value of another kind; it tells less than one that names a limit."""
_COUNTS: Final = {"too_long": "must have fewer elements", "missing": "must have more elements"}


def explain(
    error: ValidationError,
    model: type[BaseModel],
    found: Mapping[str, Given],
    scope: Scope,
    *,
    name: str,
    span: Span,
) -> Poison:
    """Report each argument that will not do, and all that are missing at once."""
    by_field: dict[str, list[Any]] = {}
    for item in error.errors(include_url=False):
        by_field.setdefault(str(item["loc"][0]) if item["loc"] else "", []).append(item)
    missing = [key for key, items in by_field.items() if items[0]["type"] == "missing" and len(items[0]["loc"]) == 1]
    if missing:
        needed = [field.alias or key for key, field in model.model_fields.items() if field.is_required()]
        help = f"as `{name}({', '.join(needed)})`"
        scope.report("E0105", f"`{name}` needs {' and '.join(f'`{item}`' for item in missing)}", span, help=help)
    for key, items in by_field.items():
        if key in found:
            _explain_one(_Argument(model, name, key), items, found[key], scope)
        elif key not in missing:
            scope.report("E0106", f"`{name}`: {_reason(items[0])}", span)
    return POISON


class _Argument:
    """An argument of a model, as messages speak of it."""

    def __init__(self, model: type[BaseModel], name: str, key: str) -> None:
        field = next((field for other, field in model.model_fields.items() if (field.alias or other) == key), None)
        self.name = f"`{key}` of `{name}`"
        self.counted = (field.description if field else None) or self.name
        self.words = sorted(words_of(model).get(key, ()))


def _explain_one(what: _Argument, items: Sequence[Any], given: Given, scope: Scope) -> None:
    value = given.value
    if isinstance(value, Word):
        help = did_you_mean(value.text, [*scope.names(), *what.words])
        scope.report("E0102", f"unknown name `{value.text}`", given.span, help=help)
    elif isinstance(value, Fraction) and any(item["type"] in ("int_type", "int_from_float") for item in items):
        text = scope.text(given.span)
        help = f"`floor({text})`, or `round8({text})` for channels"
        scope.report("E0208", f"{what.counted} must be a whole number, got {show(value)}", given.span, help=help)
    else:
        reasons = dict.fromkeys(_reason(item) for item in _telling(items, value))
        help = "words: " + ", ".join(f"`{word}`" for word in what.words) if what.words else None
        scope.report("E0106", f"{what.name} {' or '.join(reasons)}, got {show(value)}", given.span, help=help)


def _telling(items: Sequence[Any], value: Value) -> Sequence[Any]:
    """Of what every member of a union says, that of the member of the right kind, if there is one."""
    telling = [item for item in items if item["type"] not in _KINDS and item["type"] not in _COUNTS]
    if telling and is_number(value):
        shallow = min(len(item["loc"]) for item in telling)
        return [item for item in telling if len(item["loc"]) == shallow][:1]
    return telling[:1] or items


def _reason(item: Any) -> str:
    kind, message = item["type"], str(item["msg"])
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    text = (_KINDS | _COUNTS).get(kind) or message.replace("Input should", "must")
    return text.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
