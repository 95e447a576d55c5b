"""Frozen, slotted records: `dataclass(frozen=True, slots=True)`, made in a fifth of the time.

`netspec check` may take 0.15 s beyond its imports. Its modules define some 130 records, and dataclasses compile six functions for each of
them: 60 ms. Here the three that differ are compiled when they are first called, which most never are, and the others are shared. To
Python's `fields` and `replace`, and to type checkers, a record is a dataclass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A class whose annotated attributes are its fields: set once by its constructor, compared, hashed and shown by them."""
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    methods = {"__repr__": _repr, **{name: _late(made, name) for name in ("__init__", "__eq__", "__hash__")}}
    for name, method in methods.items():
        if getattr(made, name) is getattr(object, name):  # what the class defines itself stays
            setattr(made, name, method)
    made.__setattr__ = made.__delattr__ = _refuse
    made.__getstate__, made.__setstate__ = _state, _restore
    return made


def _late(made: Any, name: str) -> Callable[..., Any]:
    """A method that is compiled, and takes its place, when it is first called."""

    def first(self: Any, *values: Any, **named: Any) -> Any:
        method = _compiled(made, name)
        setattr(made, name, method)
        return method(self, *values, **named)

    return first


def _compiled(made: Any, name: str) -> Callable[..., Any]:
    """The names of fields are identifiers of Python's own parser, so text that is made of them can be compiled."""
    scope: dict[str, Any] = {"_missing": MISSING}
    mine, others = ("".join(f"{owner}.{item.name}," for item in fields(made)) for owner in ("self", "other"))
    match name:
        case "__eq__":
            text = f"def __eq__(self, other): return ({mine}) == ({others}) if other.__class__ is self.__class__ else NotImplemented"
        case "__hash__":
            text = f"def __hash__(self): return hash(({mine}))"
        case _:
            text = _constructor(made, scope)
    exec(text, scope)
    return scope[name]


def _constructor(made: Any, scope: dict[str, Any]) -> str:
    parameters, lines = ["self"], ["pass"]
    for item in fields(made):
        name = item.name
        if item.default is not MISSING:
            scope[f"_default_{name}"] = item.default
            parameters.append(f"{name}=_default_{name}")
        elif item.default_factory is not MISSING:
            scope[f"_make_{name}"] = item.default_factory
            parameters.append(f"{name}=_missing")
            lines.append(f"if {name} is _missing: {name} = _make_{name}()")
        else:
            parameters.append(name)
        scope[f"_set_{name}"] = getattr(made, name).__set__  # the slot itself: the class refuses attributes
        lines.append(f"_set_{name}(self, {name})")
    return f"def __init__({', '.join(parameters)}):\n  " + "\n  ".join(lines)


def _repr(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{item.name}={getattr(self, item.name)!r}' for item in fields(self))})"


def _state(self: Any) -> tuple[object, ...]:
    return tuple(getattr(self, item.name) for item in fields(self))


def _restore(self: Any, state: tuple[object, ...]) -> None:
    """For copies and pickles, which set no attributes on what is frozen."""
    for item, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, item.name, value)


def _refuse(self: object, name: str, *value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")
