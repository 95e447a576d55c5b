"""Arguments as the documentation writes them: their types from the annotations, and values as the language writes them."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from netspec.schema import Argument, Bound, Schema

_LONGEST = 40
"""Characters of a list; a longer one, say a connection table, is only hinted at."""
_WORDS = {int: "whole", float: "number", str: "string", bool: "yes | no"}
_SIGNS = {"at least": ">=", "at most": "<=", "greater than": ">", "less than": "<"}


def signature(model: type[Schema]) -> str:
    """`conv(c, k, stride=1, pad=0)`; `..` is what follows from the rest."""
    defaults = {name: ".." if item.default is None else value(item.default) for name, item in model.arguments().items()}
    given = [name if item.required else f"{name}={defaults[name]}" for name, item in model.arguments().items()]
    return f"{model.name}({', '.join(given)})" if given else model.name


def table(model: type[Schema]) -> list[str]:
    """A line for each argument: name, type, default."""
    rows = [(name, kind(item), _default(item)) for name, item in model.arguments().items()]
    if (rest := model.rest()) is not None:
        rows.append(("NAME", kind(rest), "any number of these"))
    widths = [max((len(row[k]) for row in rows), default=0) for k in range(2)]
    return [f"{name:<{widths[0]}}  {type_:<{widths[1]}}  {default}".rstrip() for name, type_, default in rows]


def _default(item: Argument) -> str:
    return "must be given" if item.required else f"default {value(item.default)}" if item.default is not None else "may be left out"


def kind(item: Argument) -> str:
    """The type of an argument: `whole >= 1 (channels)`, `whole >= 0 | half | pair of whole >= 0`."""
    counted = f" ({item.counted})" if item.counted else ""
    return f"{_kind(item.annotation)}{counted}"


def _kind(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _limited(_kind(parts[0]), [item for item in parts[1:] if isinstance(item, Bound)])
    if origin is Literal:
        return " | ".join(map(str, parts))
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(_kind(part) for part in parts if part is not NoneType))
    if origin is tuple:
        inner = [_kind(part) for part in parts if part is not ...]
        if ... in parts:
            return f"list of {_grouped(inner[0])}"
        return f"pair of {_grouped(inner[0])}" if len(inner) == 2 and len(set(inner)) == 1 else f"({', '.join(inner)})"
    return _WORDS.get(annotation) or getattr(annotation, "__name__", str(annotation)).lower()


def _grouped(kind: str) -> str:
    return f"({kind})" if " | " in kind else kind


def _limited(kind: str, bounds: list[Bound]) -> str:
    return " ".join([kind, *(f"{_SIGNS[item.words]} {item.limit:g}" for item in bounds)])


def call(model: Schema) -> str:
    """A layer as the language writes it: `conv(64, 3x3, pad=half, bias=no)`."""
    return call_of(type(model), dict(model.given()))


def call_of(model: type[Schema], given: dict[str, object]) -> str:
    """A call with these arguments, those that must be given first and without their names."""
    written = list(_written(model, given))
    return f"{model.name}({', '.join(written)})" if written else model.name


def _written(model: type[Schema], given: dict[str, object]) -> Iterator[str]:
    places = list(model.arguments().items())
    named = False
    for name, item in places:
        if name not in given:
            named = True
        elif item.required and not named:
            yield value(given[name])
        else:
            yield f"{name}={value(given[name])}"
    yield from (f"{name}={value(item)}" for name, item in given.items() if name not in dict(places))


def value(item: object) -> str:
    """A value as the language writes it: `yes`, `0.1`, `3x3`, `(0, 1)`."""
    match item:
        case bool():
            return "yes" if item else "no"
        case (int(), int()) if min(item) > 0:
            return f"{item[0]}x{item[1]}"
        case tuple():
            text = ", ".join(map(value, cast("tuple[object, ...]", item)))
            return f"({text})" if len(text) <= _LONGEST else "[..]"
        case str():
            return item if item.isidentifier() else f'"{item}"'
        case float():
            return f"{item:g}"
        case Schema():
            return call(item)
        case _:
            return str(item)
