"""Arguments of the language -> typed, frozen models (layers and declarations alike), or diagnostics that point at the argument.

Whole numbers become int, other numbers float, yes and no bool, lists and dims tuples, bare words and strings str, `a..b` a pair.
"""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from netspec.diagnostics import Fix, Label, Span, did_you_mean, nearest
from netspec.elaborate.arithmetic import size
from netspec.elaborate.evaluate import evaluate, not_yet
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import (
    POISON,
    Callable,
    Given,
    Labelled,
    Pass,
    Poison,
    Quantity,
    Range,
    Tensor,
    Value,
    Wildcard,
    Word,
    describe,
    is_number,
    show,
)
from netspec.layers import LAYERS
from netspec.syntax import tree

LATER: Final = frozenset({"weight", "init", "connect"})
"""Arguments of layers that are part of the language and not supported yet."""

Model = TypeVar("Model", bound=BaseModel)


def argument_names(model: type[BaseModel]) -> tuple[str, ...]:
    """The arguments in the order of the language; a field that shadows a keyword has its name there as alias."""
    return _names(model)


@cache
def _names(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


@cache
def words_of(model: type[BaseModel]) -> Mapping[str, frozenset[str]]:
    """The bare words that each argument takes."""
    return {field.alias or name: frozenset(_literals(field.annotation)) for name, field in model.model_fields.items()}


@cache
def all_words(model: type[BaseModel] | None) -> frozenset[str]:
    """The bare words that a model takes anywhere; without one, those of all layers."""
    models = [model] if model else list(LAYERS.values())
    return frozenset(word for item in models for words in words_of(item).values() for word in words)


def _literals(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [item for item in get_args(annotation) if isinstance(item, str)]
    return [word for item in get_args(annotation) if not isinstance(item, str) for word in _literals(item)]


def gather(
    what: str,
    names: Sequence[str],
    given: Sequence[Given],
    arguments: Sequence[tree.Argument],
    scope: Scope,
    words: Function[[str], frozenset[str]],
) -> dict[str, Given] | Poison:
    """Arguments by name, evaluated: those of a layer passed as a value first, then those of the call."""
    found: dict[str, Given] = {}
    complete = True
    place = 0
    for item in given:
        name = item.name or (names[place] if place < len(names) else "")
        place += item.name is None
        complete &= _accept(what, names, name, item.name is not None, item.span, found, scope)
        found[name] = item
    for argument in arguments:
        name = argument.name.text if argument.name else (names[place] if place < len(names) else "")
        place += argument.name is None
        span = argument.name.span if argument.name else argument.span
        known = _accept(what, names, name, argument.name is not None, span, found, scope)
        value = evaluate(argument.value, scope, words(name) if known else all_words(None))
        found[name] = Given(value, argument.value.span, name)
        complete &= known and value is not POISON
    return found if complete else POISON


def _accept(what: str, names: Sequence[str], name: str, keyword: bool, span: Span, found: Mapping[str, Given], scope: Scope) -> bool:
    problems = scope.context.problems
    if not name:
        listed = ", ".join(f"`{item}`" for item in names) or "none"
        takes = f"`{what}` takes {len(names)} argument{'s' * (len(names) != 1)}"
        problems.report("E0107", f"too many arguments for `{what}`", span, frame=scope.frame, label=takes, help=f"they are: {listed}")
    elif name not in names:
        fix = next((Fix(span, item) for item in nearest(name, names)), None)
        problems.report("E0104", f"`{what}` has no argument `{name}`", span, frame=scope.frame, help=_arguments_help(what, name, names), fix=fix)
    elif name in found:
        labels = [Label(found[name].span, "given here")]
        text = f"the argument `{name}` of `{what}` is given twice"
        problems.report("E0107", text, span, frame=scope.frame, labels=labels, help="keep one" if keyword else f"positions are {', '.join(names)}")
    else:
        return True
    return False


def _arguments_help(what: str, name: str, names: Sequence[str]) -> str:
    listed = f"`{what}` has {', '.join(names) or 'none'}"
    close = nearest(name, names)
    return f"did you mean `{close[0]}`? ({listed})" if close else listed


def bind(model: type[Model], call: tree.Call | Callable, arguments: Sequence[tree.Argument], given: Sequence[Given], scope: Scope) -> Model | Poison:
    """A layer from the arguments of a call."""
    name = str(getattr(model, "name", call.name))
    arguments = _refuse_later(model, name, arguments, scope)
    words = words_of(model)
    found = gather(name, argument_names(model), given, arguments, scope, lambda item: words.get(item, frozenset()))
    if isinstance(found, Poison):
        return POISON
    span = call.name.span if isinstance(call, tree.Call) else call.span
    return validate(model, name, found, span, scope)


def _refuse_later(model: type[BaseModel], name: str, arguments: Sequence[tree.Argument], scope: Scope) -> Sequence[tree.Argument]:
    kept: list[tree.Argument] = []
    for argument in arguments:
        if argument.name and argument.name.text in LATER - set(argument_names(model)) and name in ("conv", "convt", "dense"):
            not_yet(f"`{argument.name.text}=` of `{name}`", argument, scope)
        else:
            kept.append(argument)
    return kept


def validate(model: type[Model], name: str, found: Mapping[str, Given], span: Span, scope: Scope) -> Model | Poison:
    """The model, or a diagnostic for each argument that will not do."""
    values: dict[str, Any] = {}
    for key, item in found.items():
        if isinstance(item.value, tuple):
            scope.context.budget.evaluate(size(item.value))
        try:
            values[key] = plain(item.value)
        except TypeError:
            message = f"`{key}` of `{name}` cannot be {describe(item.value)}"
            help = "`.c`, `.h`, `.w` or `.f` is one of its dimensions" if isinstance(item.value, Tensor | Labelled | Pass) else None
            return scope.context.problems.report("E0106", message, item.span, frame=scope.frame, help=help)
    try:
        return model(**values)
    except ValidationError as error:
        return _explain(error, model, name, found, span, scope)


def plain(value: Value) -> Any:
    """A value as models take it. Raises TypeError for tensors and layers."""
    match value:
        case bool() | int() | str() | Quantity():
            return value
        case Fraction():
            return float(value)
        case Word():
            return value.text
        case tuple():
            return tuple(plain(item) for item in value)
        case Range():
            return plain(value.low), plain(value.high)
        case Tensor() | Labelled() | Pass() | Callable() | Wildcard() | Poison():
            raise TypeError(describe(value))


def _explain(error: ValidationError, model: type[BaseModel], name: str, found: Mapping[str, Given], span: Span, scope: Scope) -> Poison:
    by_field: dict[str, list[Any]] = {}
    for item in error.errors(include_url=False):
        by_field.setdefault(str(item["loc"][0]) if item["loc"] else "", []).append(item)
    missing = [key for key, items in by_field.items() if items[0]["type"] == "missing" and len(items[0]["loc"]) == 1]
    if missing:
        named = " and ".join(f"`{item}`" for item in missing)
        help = f"as `{name}({', '.join(_example(model))})`"
        scope.context.problems.report("E0105", f"`{name}` needs {named}", span, frame=scope.frame, help=help)
    for key, items in by_field.items():
        if key in missing:
            continue
        if key in found:
            _explain_one(key, items, model, name, found[key], scope)
        else:
            scope.context.problems.report("E0106", f"`{name}`: {_reason(items[0])}", span, frame=scope.frame)
    return POISON


def _example(model: type[BaseModel]) -> list[str]:
    return [field.alias or key for key, field in model.model_fields.items() if field.is_required()]


def _explain_one(key: str, items: Sequence[Any], model: type[BaseModel], name: str, given: Given, scope: Scope) -> None:
    problems = scope.context.problems
    if isinstance(given.value, Word):
        help = did_you_mean(given.value.text, [*scope.names(), *words_of(model)[key]])
        problems.report("E0102", f"unknown name `{given.value.text}`", given.span, frame=scope.frame, help=help)
        return
    if isinstance(given.value, Fraction) and any(item["type"] in ("int_type", "int_from_float") for item in items):
        field = next((f for k, f in model.model_fields.items() if (f.alias or k) == key), None)
        what = field.description if field and field.description else f"`{key}` of `{name}`"
        message = f"{what} must be a whole number, got {show(given.value)}"
        text = problems.text(given.span)
        problems.report("E0208", message, given.span, frame=scope.frame, help=f"`floor({text})`, or `round8({text})` for channels")
        return
    reasons = list(dict.fromkeys(_reason(item) for item in _telling(items, given.value)))
    help = "words: " + ", ".join(f"`{word}`" for word in sorted(words)) if (words := words_of(model).get(key)) else None
    problems.report("E0106", f"`{key}` of `{name}` {' or '.join(reasons)}, got {show(given.value)}", given.span, frame=scope.frame, help=help)


_KINDS: Final = frozenset({"int_type", "float_type", "tuple_type", "string_type", "bool_type", "literal_error", "missing", "none_required"})


def _telling(items: Sequence[Any], value: Value) -> Sequence[Any]:
    """Of what every member of a union says, that of the member of the right kind, if there is one."""
    telling = [item for item in items if item["type"] not in _KINDS]
    if telling and is_number(value):
        shallow = min(len(item["loc"]) for item in telling)
        return [item for item in telling if len(item["loc"]) == shallow][:1]
    return telling[:1] or items


_WORDS: Final = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "tuple_type": "a list",
    "string_type": "must be a string",
    "bool_type": "must be `yes` or `no`",
    "none_required": "nothing",
    "too_long": "must have fewer elements",
    "missing": "must have more elements",
    "extra_forbidden": "is unknown",
}


def _reason(item: Any) -> str:
    kind, message = item["type"], str(item["msg"])
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind in _WORDS:
        return _WORDS[kind]
    text = message.replace("Input should be", "must be").replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    return text.replace("Input should have", "must have")

