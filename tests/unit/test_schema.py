"""Typed arguments: what a class takes, what it refuses and why, and that its values are values."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from fractions import Fraction
from math import inf, nan
from typing import Annotated, ClassVar, Literal

import pytest

from netspec.layers import LAYERS, LOSSES
from netspec.schema import ArgumentError, Rest, Schema, above, at_least, at_most, below
from netspec.training import SETTINGS, Quantity

Count = Annotated[int, at_least(1), "channels"]


def halved(value: object) -> object:
    """Reads `half` as a number."""
    if value == "third":
        raise ValueError("a third is no half")
    return 0.5 if value == "half" else value


class Base(Schema):
    """Has an argument without default."""

    count: Count


class Every(Base):
    """An argument of every type."""

    name: ClassVar[str] = "every"
    share: Annotated[float, at_least(0), below(1)] = 0.0
    rate: Annotated[float, above(0), at_most(9)] = 1.0
    text: str = ""
    flag: bool = False
    side: Count | Literal["half", "same"] | tuple[Count, Count] = 1
    some: tuple[int, ...] = ()
    length: Quantity | None = None
    read: Annotated[float, halved] = 0.0
    except_: str | tuple[str, ...] = ()


class Open(Schema):
    """Takes further keywords."""

    name: ClassVar[str] = "open"
    path: str
    others: Annotated[tuple[tuple[str, int], ...], Rest(int)] = ()

    def conflict(self) -> str | None:
        """No path is in a folder of its own name."""
        return "a path is no name" if self.path == self.name else None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("share", 0, 0.0),
        ("share", 0.5, 0.5),
        ("rate", 9, 9.0),
        ("flag", True, True),
        ("side", 3, 3),
        ("side", "same", "same"),
        ("side", (1, 2), (1, 2)),
        ("some", (1, 2, 3), (1, 2, 3)),
        ("length", None, None),
        ("length", Quantity(Fraction(2), "epochs"), Quantity(Fraction(2), "epochs")),
        ("read", "half", 0.5),
        ("except", "bias", "bias"),
        ("except_", ("a", "b"), ("a", "b")),
    ],
)
def test_what_is_taken(name: str, value: object, expected: object) -> None:
    found = getattr(Every(count=2, **{name: value}), "except_" if name == "except" else name)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("count", 0, "must be at least 1"),
        ("count", 2.0, "must be a whole number"),
        ("count", True, "must be a whole number"),
        ("share", 1, "must be less than 1"),
        ("share", True, "must be a number"),
        ("share", "1", "must be a number"),
        ("share", nan, "must be a finite number"),
        ("rate", inf, "must be a finite number"),
        ("rate", 0, "must be greater than 0"),
        ("rate", 9.5, "must be at most 9"),
        ("text", 1, "must be a string"),
        ("flag", 1, "must be `yes` or `no`"),
        ("side", 0, "must be at least 1"),
        ("side", "full", "must be a whole number or must be one of its words or must be a list"),
        ("side", (1, 0), "must be at least 1"),
        ("side", (1,), "must be a whole number or must be one of its words or must have more elements"),
        ("side", (1, 2, 3), "must be a whole number or must be one of its words or must have fewer elements"),
        ("side", [1, 2], "must be a whole number or must be one of its words or must be a list"),
        ("some", (1, "2"), "must be a whole number"),
        ("length", 2, "must be a quantity"),
        ("read", "third", "a third is no half"),
        ("read", "whole", "must be a number"),
    ],
)
def test_what_is_refused_and_why(name: str, value: object, reason: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Every(**{"count": 2, name: value})
    assert str(caught.value) == f"`every`: `{name}` {reason}"
    assert set(caught.value.refused) == {name}


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ArgumentError) as caught:
        Every(share=2, flag=0, cuont=4)
    assert str(caught.value) == "`every`: needs `count`; has no argument `cuont`; `share` must be less than 1; `flag` must be `yes` or `no`"


def test_further_keywords_and_what_does_not_go_together() -> None:
    assert dict(Open(path="a", x=1, y=2).others) == {"x": 1, "y": 2}
    assert (Open(path="a").others, list(Open(path="a").given())) == ((), [("path", "a")])
    with pytest.raises(ArgumentError, match="`y` must be a whole number"):
        Open(path="a", x=1, y="2")
    with pytest.raises(ArgumentError, match="`open`: a path is no name"):
        Open(path="open")
    assert tuple(Open.arguments()) == ("path",)


def test_arguments_are_those_of_the_class_and_of_its_base() -> None:
    found = Every.arguments()
    assert tuple(found) == ("count", "share", "rate", "text", "flag", "side", "some", "length", "read", "except")
    assert [item.name for item in found.values() if item.required] == ["count"]
    assert (found["count"].counted, found["side"].words, found["except"].attribute) == ("channels", ("half", "same"), "except_")


def test_values_are_frozen_compared_hashed_and_shown_by_their_arguments() -> None:
    value = Every(count=2, share=0.5)
    assert value == Every(share=0.5, count=2, flag=False) != Every(count=2)
    assert len({value, Every(count=2, share=0.5), Every(count=3)}) == 2
    assert repr(value) == "Every(count=2, share=0.5)"
    assert value.replaced(share=0.0) == Every(count=2)
    assert Open(path="a", x=1).replaced(path="b") == Open(path="b", x=1)
    assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value
    with pytest.raises(FrozenInstanceError):
        value.count = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del value.count


@pytest.mark.parametrize(
    "kind", [*LAYERS.values(), *LOSSES.values(), *(item for setting in SETTINGS.values() for item in setting.calls.values())]
)
def test_defaults_are_of_their_types(kind: type[Schema]) -> None:
    for name, item in kind.arguments().items():
        if not item.required:
            assert item.read(item.default) == item.default, name
