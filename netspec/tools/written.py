"""Layers as the language writes them: `conv(6, 5x5, pad=2)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from netspec.graph.types import Layer


def call(layer: Layer) -> str:
    """A layer with the arguments that differ from their defaults; those without a default need no name."""
    arguments = ", ".join(_arguments(layer))
    return f"{layer.name}({arguments})" if arguments else layer.name


def _arguments(layer: Layer) -> Iterator[str]:
    declared = layer.arguments()
    for name, value in layer.given():
        required = name in declared and declared[name].required
        text = _window(value) if required else _value(value)
        yield text if required else f"{name}={text}"


def _window(value: object) -> str:
    """`5x5`, where a value may be one."""
    if not isinstance(value, tuple):
        return _value(value)
    parts = cast("tuple[object, ...]", value)
    sizes = 2 <= len(parts) <= 3 and all(type(part) is int and part > 0 for part in parts)
    return "x".join(map(str, parts)) if sizes else _value(parts)


def _value(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case tuple():
            return f"({', '.join(map(_value, cast('tuple[object, ...]', value)))})"
        case _:
            return str(value)
