"""Typed arguments: a class whose annotated attributes are the arguments of a call of the language.

    class Dense(Layer):
        units: Annotated[int, at_least(1), "units"]
        bias: bool = True

`Dense(units=10)` is a frozen, hashable value; `Dense(units=0)` raises an ArgumentError that says of each argument why it will not do.
Types are `int`, `float` (finite), `str`, `bool`, `None`, words (`Literal`), tuples, unions, and any class. They are strict: True is no
number and a list no tuple; only a whole number may stand for a float. `Annotated` adds limits, a function that reads the value before its
type does (a ValueError says why not), a string that says what a number counts, and `Rest`.

Annotations are read when a class is first used: a check needs those of a dozen out of sixty classes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import FrozenInstanceError
from functools import cache
from math import isfinite
from operator import ge, gt, le, lt
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Final, Literal, NoReturn, Self, Union, cast, dataclass_transform, get_args, get_origin

from netspec.records import record

Read = Callable[[Any], Any]
"""Gives the value as the type has it; raises Refused."""

WHOLE: Final = "must be a whole number"


class Whole:
    """What may stand for a whole number that is not known yet; `netspec.graph.sizes` has the one kind there is."""


@record
class Fault:
    """Why a type refuses a value. One that is `telling` is about a value of the right kind."""

    reason: str
    telling: bool = True


class Refused(Exception):
    """A type does not take a value: a fault, or of a union those of its members."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        self.faults = faults


class ArgumentError(ValueError):
    """What a class does not take: names without a value, names that are no argument, faults by name, and what does not go together."""

    def __init__(
        self, name: str, missing: list[str], unknown: list[str], refused: Mapping[str, tuple[Fault, ...]], together: str | None = None
    ) -> None:
        self.missing, self.unknown, self.refused, self.together = missing, unknown, refused, together
        needs = [f"needs `{item}`" for item in missing] + [f"has no argument `{item}`" for item in unknown]
        faulty = [f"`{item}` {' or '.join(reasons(faults))}" for item, faults in refused.items()]
        super().__init__(f"`{name}`: {'; '.join(needs + faulty + ([together] if together else []))}")


def reasons(faults: tuple[Fault, ...]) -> list[str]:
    """What to say of the faults: that of a member of the right kind, if there is one, else all."""
    telling = next((item.reason for item in faults if item.telling), None)
    return list(dict.fromkeys(item.reason for item in faults)) if telling is None else [telling]


# ── what stands in an annotation ─────────────────────────────────────────────────────────────────


@record
class Bound:
    """A limit of a number."""

    holds: Callable[[Any, Any], bool]
    words: str
    limit: float


def at_least(limit: float) -> Bound:
    """The limit and more."""
    return Bound(ge, "at least", limit)


def at_most(limit: float) -> Bound:
    """The limit and less."""
    return Bound(le, "at most", limit)


def above(limit: float) -> Bound:
    """More than the limit."""
    return Bound(gt, "greater than", limit)


def below(limit: float) -> Bound:
    """Less than the limit."""
    return Bound(lt, "less than", limit)


@record
class Rest:
    """Of one argument at most: it takes the keywords that are none, as pairs of name and value, each value of this type."""

    kind: Any


# ── arguments ────────────────────────────────────────────────────────────────────────────────────


@record
class Argument:
    """An argument: its name in the language (`except` of the attribute `except_`), the bare words it takes, what it counts, its type."""

    name: str
    attribute: str
    read: Read
    default: object
    words: tuple[str, ...]
    counted: str | None
    is_rest: bool
    annotation: Any

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is _REQUIRED


_REQUIRED: Final = object()


def number_argument(name: str, default: float) -> Argument:
    """An argument that is a number and has a default, of a class that is made when a file is read. No name of a user's can be the attribute
    that holds it, so none hides a method.
    """
    return Argument(name, f"{name} of the file", _float, default, (), None, False, float)


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Schema:
    """A frozen value, compared and hashed by its arguments, which are the annotated attributes of its class and of those above it."""

    name: ClassVar[str]

    def __init__(self, /, **given: object) -> None:
        values, refused = vars(self), dict[str, tuple[Fault, ...]]()
        arguments = self.arguments()
        given = {key if key in arguments else key.removesuffix("_"): value for key, value in given.items()}
        missing: list[str] = []
        for name, argument in arguments.items():
            if name not in given:
                values[argument.attribute] = argument.default
                missing += [name] if argument.required else []
                continue
            try:
                values[argument.attribute] = argument.read(given.pop(name))
            except Refused as error:
                refused[name] = error.faults
        if (rest := self.rest()) is not None:
            values[rest.attribute] = _read_rest(rest, given, refused)
            given = {}
        together = None if missing or given or refused else self.conflict()
        if missing or given or refused or together:
            raise ArgumentError(self.name, missing, list(given), refused, together)

    @classmethod
    def arguments(cls) -> Mapping[str, Argument]:
        """The arguments by their names in the language, positional in this order."""
        return {name: item for name, item in _declared(cls).items() if not item.is_rest}

    @classmethod
    def rest(cls) -> Argument | None:
        """The argument that takes all further keywords, None where there are none to take."""
        return next((item for item in _declared(cls).values() if item.is_rest), None)

    def conflict(self) -> str | None:
        """Why the arguments do not go together, None when they do."""
        return None

    def given(self) -> Iterator[tuple[str, object]]:
        """The arguments that differ from their defaults, by their names in the language."""
        for name, argument in self.arguments().items():
            value = vars(self)[argument.attribute]
            if argument.required or value != argument.default:
                yield name, value
        if (rest := self.rest()) is not None:
            yield from vars(self)[rest.attribute]

    def replaced(self, **changes: object) -> Self:
        """The same with some arguments changed."""
        return type(self)(**{**dict(self.given()), **changes})

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.given())})"


def _read_rest(rest: Argument, given: Mapping[str, object], refused: dict[str, tuple[Fault, ...]]) -> tuple[tuple[str, object], ...]:
    found: list[tuple[str, object]] = []
    for name, value in given.items():
        try:
            found.append((name, rest.read(value)))
        except Refused as error:
            refused[name] = error.faults
    return tuple(found)


@cache
def _declared(cls: type[Schema]) -> dict[str, Argument]:
    """The annotated attributes of a class, class variables aside, those of the classes above it first; one that is annotated anew, anew."""
    found: dict[str, Argument] = {}
    for base in [item for item in reversed(cls.__mro__) if issubclass(item, Schema)]:
        module = vars(sys.modules[base.__module__])
        for attribute, text in base.__annotations__.items():
            if not text.startswith("ClassVar"):
                argument = _argument(attribute, eval(text, module), vars(base).get(attribute, _REQUIRED))
                found.pop(argument.name, None)
                found[argument.name] = argument
    return found


def _argument(attribute: str, annotation: Any, default: object) -> Argument:
    details = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    counted = next((item for item in details if isinstance(item, str)), None)
    rest = next((item for item in details if isinstance(item, Rest)), None)
    kind = annotation if rest is None else rest.kind
    return Argument(
        attribute.removesuffix("_"), attribute, _reader(kind), default, tuple(_words(annotation)), counted, rest is not None, kind
    )


def _words(annotation: Any) -> Iterator[str]:
    """The words in an annotation, however deep."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    for item in get_args(annotation):
        yield from _words(item)


# ── types ────────────────────────────────────────────────────────────────────────────────────────


def _reader(annotation: Any) -> Read:
    """What reads values of a type."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated(parts[0], parts[1:])
    if origin is Literal:
        return _literal(parts)
    if origin in (Union, UnionType):
        return _union(parts)
    if origin is tuple:
        return _sequence(_reader(parts[0])) if parts[1:] == (...,) else _tuple([_reader(part) for part in parts])
    return _float if annotation is float else _instance(annotation)


def _float(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Refused(Fault("must be a number", telling=False))
    if not isfinite(value):
        raise Refused(Fault("must be a finite number"))
    return float(value)


_KINDS: Final[dict[type, str]] = {int: WHOLE, str: "must be a string", bool: "must be `yes` or `no`", NoneType: "must be left out"}


def _instance(kind: type) -> Read:
    fault = Fault(_KINDS.get(kind, f"must be a {kind.__name__.lower()}"), telling=False)

    def read(value: object) -> object:
        if (isinstance(value, kind) and (kind is bool or not isinstance(value, bool))) or (kind is int and isinstance(value, Whole)):
            return value
        raise Refused(fault)

    return read


def _literal(words: tuple[object, ...]) -> Read:
    def read(value: object) -> object:
        if value in words:
            return value
        raise Refused(Fault("must be one of its words", telling=False))

    return read


def _union(parts: tuple[Any, ...]) -> Read:
    """The first member that takes the value. That a value may be left out helps nobody who has given one."""
    members = [_reader(part) for part in parts if part is not NoneType]
    optional = len(members) < len(parts)

    def read(value: object) -> object:
        if value is None and optional:
            return None
        faults: list[Fault] = []
        for member in members:
            try:
                return member(value)
            except Refused as error:
                faults += error.faults
        raise Refused(*faults)

    return read


def _items(value: object) -> tuple[object, ...]:
    if isinstance(value, tuple):
        return cast("tuple[object, ...]", value)
    raise Refused(Fault("must be a list", telling=False))


def _sequence(member: Read) -> Read:
    return lambda value: tuple(member(item) for item in _items(value))


def _tuple(members: list[Read]) -> Read:
    def read(value: object) -> tuple[object, ...]:
        items = _items(value)
        if len(items) != len(members):
            raise Refused(Fault(f"must have {'fewer' if len(items) > len(members) else 'more'} elements", telling=False))
        return tuple(member(item) for member, item in zip(members, items, strict=True))

    return read


def _annotated(kind: Any, details: tuple[Any, ...]) -> Read:
    member, bounds = _reader(kind), [item for item in details if isinstance(item, Bound)]
    functions = [item for item in details if callable(item)]

    def read(value: object) -> object:
        for function in functions:
            try:
                value = function(value)
            except ValueError as error:
                raise Refused(Fault(str(error))) from None
        value = member(value)
        for bound in bounds:
            if not bound.holds(value, bound.limit):
                raise Refused(Fault(f"must be {bound.words} {bound.limit:g}"))
        return value

    return read
