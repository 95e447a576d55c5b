"""A syntax tree as text: a node a line, indented, with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Final, cast

from netspec.diagnostics import Span
from netspec.syntax.tree import Name, Spec

_PLACE: Final = re.compile(r" @[0-9]+:[0-9]+$", re.MULTILINE)


def text(spec: Spec, *, places: bool = True) -> str:
    """The tree, the same text for equal trees; without places, for trees that mean the same."""
    found = "\n".join(line for item in spec.declarations for line in _lines(item, "")) + "\n"
    return found if places else " ".join(_PLACE.sub("", found).split())


def _lines(node: object, label: str, depth: int = 0) -> Iterator[str]:
    indent = "  " * depth
    if not is_dataclass(node) or isinstance(node, type | Name):
        yield f"{indent}{label}{_leaf(node)}"
        return
    plain, nested = list[str](), list[tuple[str, object]]()
    for item in fields(node):
        value: object = getattr(node, item.name)
        if value is None or value == () or isinstance(value, Span):
            continue
        parts = _items(value)
        if any(is_dataclass(part) and not isinstance(part, Name) for part in parts):
            nested += [(item.name + ": ", part) for part in parts]
        elif is_dataclass(value) and not isinstance(value, type | Name):
            nested.append((f"{item.name}: ", value))
        else:
            plain.append(f"{item.name}={_leaf(value)}")
    span = getattr(node, "span", None)
    place = f" @{span.line}:{span.column}" if isinstance(span, Span) else ""
    yield f"{indent}{label}{type(node).__name__}{' ' if plain else ''}{' '.join(plain)}{place}"
    for name, value in nested:
        yield from _lines(value, name, depth + 1)


def _leaf(value: object) -> str:
    match value:
        case Name(text=name):
            return name
        case tuple():
            return f"({', '.join(map(_leaf, _items(cast(object, value))))})"
        case str() | Fraction():
            return repr(str(value))
        case _:
            return str(value)


def _items(value: object) -> tuple[object, ...]:
    return cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
