"""Records behave as frozen, slotted dataclasses do."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import ClassVar

import pytest

from netspec.records import record


@record
class Point:
    """Two fields, a default each."""

    x: int
    y: tuple[int, ...] = (1, 2)
    names: list[str] = field(default_factory=list)
    kind: ClassVar[str] = "point"

    def __str__(self) -> str:
        return f"({self.x})"


@dataclass(frozen=True, slots=True)
class Reference:
    """The same as a dataclass."""

    x: int
    y: tuple[int, ...] = (1, 2)
    names: list[str] = field(default_factory=list)


@record
class Empty:
    """No fields."""


class Base:
    """A base without fields, as expressions have."""

    __slots__ = ()


@record
class Child(Base):
    """Defines its own repr."""

    value: float

    def __repr__(self) -> str:
        return "child"


def test_fields_defaults_and_replace() -> None:
    point = Point(3, names=["a"])
    assert (point.x, point.y, point.names, point.kind) == (3, (1, 2), ["a"], "point")
    assert Point(1).names is not Point(1).names
    assert [item.name for item in fields(point)] == ["x", "y", "names"]
    assert replace(point, x=4) == Point(4, (1, 2), ["a"])
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]


def test_frozen_and_slotted() -> None:
    point = Point(3)
    with pytest.raises(FrozenInstanceError):
        point.x = 4  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert not hasattr(point, "__dict__")


def test_equality_hash_and_text_as_a_dataclass_has_them() -> None:
    assert Point(1) == Point(1)
    assert Point(1) != Point(2)
    assert Point(1) != Reference(1)
    assert hash(Child(1.5)) == hash(Child(1.5))
    assert {Child(1.0), Child(1.0), Child(2.0)} == {Child(1.0), Child(2.0)}
    with pytest.raises(TypeError):
        hash(Point(1))
    assert repr(Point(1)) == repr(Reference(1)).replace("Reference", "Point")
    assert (str(Point(1)), repr(Child(1.0))) == ("(1)", "child")
    assert Empty() == Empty()


def test_patterns_copies_and_pickles() -> None:
    match Point(5, (6,)):
        case Point(x, (y,)):
            assert (x, y) == (5, 6)
        case _:
            pytest.fail("no match")
    assert copy.copy(Child(2.0)) == copy.deepcopy(Child(2.0)) == pickle.loads(pickle.dumps(Child(2.0)))
