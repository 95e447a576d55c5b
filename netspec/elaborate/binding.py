"""Arguments of the language -> typed, frozen values (layers and declarations alike), or diagnostics that point at the argument.

Whole numbers become int, other numbers float, yes and no bool, lists and dims tuples, bare words and strings str, `a..b` a pair.
"""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, Final, TypeVar

from netspec.diagnostics import Fix, Label, Span, nearest
from netspec.elaborate.arithmetic import size
from netspec.elaborate.evaluate import evaluate
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
    Stored,
    Tensor,
    Value,
    Wildcard,
    Word,
    describe,
)
from netspec.layers import LAYERS, argument_meant, instead_of
from netspec.records import record
from netspec.schema import ArgumentError, Schema, Whole
from netspec.syntax import tree

ORIGINS: Final = {"weight": frozenset[str](), "init": frozenset(("he", "xavier"))}
"""What a linear layer takes beside its own arguments, with the words for it: where its first weight comes from, and how it starts."""

Model = TypeVar("Model", bound=Schema)
Origins = Mapping[str, Given]
"""Of `weight=` and `init=` those that are given."""


@record
class Signature:
    """What is called, its arguments in their order, and the bare words that each takes."""

    name: str
    names: tuple[str, ...]
    words: Function[[str], frozenset[str]]


@cache
def words_of(model: type[Schema]) -> Mapping[str, frozenset[str]]:
    """The bare words that each argument takes."""
    return {name: frozenset(argument.words) for name, argument in model.arguments().items()}


@cache
def all_words(model: type[Schema] | None) -> frozenset[str]:
    """The bare words that a model takes anywhere; without one, those of all layers."""
    models = [model] if model else list(LAYERS.values())
    return frozenset(word for item in models for words in words_of(item).values() for word in words)


@cache
def signature_of(model: type[Schema]) -> Signature:
    """The signature of a layer or declaration."""
    words = words_of(model)
    if getattr(model, "linear", False):
        words = {**words, **ORIGINS}
    return Signature(model.name, tuple(words), lambda item: words.get(item, frozenset()))


def gather(what: Signature, given: Sequence[Given], arguments: Sequence[tree.Argument], scope: Scope) -> dict[str, Given] | Poison:
    """Arguments by name, evaluated: those of a layer passed as a value first, then those of the call."""
    found: dict[str, Given] = {}
    complete = True
    place = 0
    for item in given:
        name = item.name or (what.names[place] if place < len(what.names) else "")
        place += item.name is None
        complete &= _accept(what, name, item.span, found, scope)
        found[name] = item
    for argument in arguments:
        name = argument.name.text if argument.name else (what.names[place] if place < len(what.names) else "")
        place += argument.name is None
        known = _accept(what, name, argument.name.span if argument.name else argument.span, found, scope)
        value = evaluate(argument.value, scope, what.words(name) if known else all_words(None))
        found[name] = Given(value, argument.value.span, name)
        complete &= known and value is not POISON
    return found if complete else POISON


def _accept(what: Signature, name: str, span: Span, found: Mapping[str, Given], scope: Scope) -> bool:
    """Whether an argument is one, and not given yet."""
    listed = ", ".join(what.names) or "none"
    if not name:
        label = f"`{what.name}` takes {len(what.names)} argument{'s' * (len(what.names) != 1)}"
        help = f"they are: {listed}" if what.names else f"write `{what.name}`"
        scope.report("E0107", f"too many arguments for `{what.name}`", span, label=label, help=help)
    elif name not in what.names:
        help, fix = _for_unknown(what, name, span)
        scope.report("E0104", f"`{what.name}` has no argument `{name}`", span, help=help, fix=fix)
    elif name in found:
        labels = [Label(found[name].span, "given here")]
        help = f"arguments without a name stand for {listed}"
        scope.report("E0107", f"the argument `{name}` of `{what.name}` is given twice", span, labels=labels, help=help)
    else:
        return True
    return False


def _for_unknown(what: Signature, name: str, span: Span) -> tuple[str, Fix | None]:
    """The help for an argument that there is not: what is called so elsewhere, else the nearest, else all."""
    has = f"`{what.name}` has {', '.join(what.names)}" if what.names else f"`{what.name}` takes no arguments"
    if meant := argument_meant(name, what.names):
        return f"here it is called `{meant}` ({has})", Fix(span, meant)
    if instead := instead_of(name):
        return instead, None
    close = nearest(name, what.names)
    return (f"did you mean `{close[0]}`? ({has})", Fix(span, close[0])) if close else (has, None)


def bind(
    model: type[Model], call: tree.Call | Callable, arguments: Sequence[tree.Argument], given: Sequence[Given], scope: Scope
) -> Model | Poison:
    """A layer from the arguments of a call."""
    bound = bind_with_origins(model, call, arguments, given, scope)
    return POISON if isinstance(bound, Poison) else bound[0]


def bind_with_origins(
    model: type[Model], call: tree.Call | Callable, arguments: Sequence[tree.Argument], given: Sequence[Given], scope: Scope
) -> tuple[Model, Origins] | Poison:
    """A layer, and what is said of its first weight."""
    linear = bool(getattr(model, "linear", False))
    found = gather(signature_of(model), given, arguments, scope)
    if isinstance(found, Poison):
        return POISON
    origins = {name: found.pop(name) for name in ORIGINS if linear and name in found}
    layer = validate(model, found, call.name.span if isinstance(call, tree.Call) else call.span, scope)
    return POISON if isinstance(layer, Poison) else (layer, origins)


def validate(model: type[Model], found: Mapping[str, Given], span: Span, scope: Scope) -> Model | Poison:
    """The model, or a diagnostic for each argument that will not do."""
    values: dict[str, Any] = {}
    for key, item in found.items():
        if isinstance(item.value, tuple):
            scope.context.budget.evaluate(size(item.value))
        try:
            values[key] = plain(item.value)
        except TypeError:
            help = "`.c`, `.h`, `.w` or `.f` is one of its dimensions" if isinstance(item.value, Tensor | Labelled | Pass) else None
            return scope.report("E0106", f"`{key}` of `{model.name}` cannot be {describe(item.value)}", item.span, help=help)
    try:
        return model(**values)
    except ArgumentError as error:
        from netspec.elaborate.invalid import explain  # only now: most specs are right

        return explain(error, model, found, scope, span=span)


def plain(value: Value) -> Any:
    """A value as models take it. Raises TypeError for tensors and layers."""
    match value:
        case bool() | int() | str() | Quantity() | Whole():
            return value
        case Fraction():
            return float(value)
        case Word():
            return value.text
        case tuple():
            return tuple(plain(item) for item in value)
        case Range():
            return plain(value.low), plain(value.high)
        case Tensor() | Labelled() | Pass() | Stored() | Callable() | Wildcard() | Poison():
            raise TypeError(describe(value))
