"""Sizes that are not known: exact for every allowed value, decided only where every allowed value agrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.graph.sizes import Facts, Known, Size, Undecidable, largest, rebuilt, stand_in, surely_equal
from netspec.graph.types import ShapeError

FACTS = Facts({"H": Known(low=16, modulus=16), "W": Known(low=3, high=40, modulus=2, residue=1), "T": Known()})
H, W, T = (FACTS.size(name) for name in "HWT")
VALUES = {"H": st.integers(1, 30).map(lambda u: 16 * u), "W": st.integers(1, 19).map(lambda u: 2 * u + 1), "T": st.integers(1, 200)}

Build = Callable[[Any, Any, Any], Any]
"""An expression over the three sizes: of sizes or of numbers, it is the same arithmetic."""


def expressions() -> st.SearchStrategy[Build]:
    leaves: list[Build] = [lambda h, w, t: h, lambda h, w, t: w, lambda h, w, t: t]
    numbers = st.integers(-20, 20).map(lambda k: lambda h, w, t: k)

    def deeper(part: st.SearchStrategy[Build]) -> st.SearchStrategy[Build]:
        pairs, divided = st.tuples(part, part), st.tuples(part, st.integers(1, 12))
        return (
            pairs.map(lambda p: lambda h, w, t: p[0](h, w, t) + p[1](h, w, t))
            | pairs.map(lambda p: lambda h, w, t: p[0](h, w, t) - p[1](h, w, t))
            | pairs.map(lambda p: lambda h, w, t: p[0](h, w, t) * p[1](h, w, t))
            | divided.map(lambda p: lambda h, w, t: p[0](h, w, t) // p[1])
            | divided.map(lambda p: lambda h, w, t: p[0](h, w, t) % p[1])
            | divided.map(lambda p: lambda h, w, t: -(-p[0](h, w, t) // p[1]))
        )

    return st.recursive(st.sampled_from(leaves) | numbers, deeper, max_leaves=6)


@settings(deadline=None, max_examples=60)
@given(expressions(), st.fixed_dictionaries(VALUES))
def test_a_size_is_what_its_expression_is(build: Build, values: dict[str, int]) -> None:
    """At every value of the symbols; and its text, read as an expression, is it too."""
    size, expected = build(H, W, T), build(values["H"], values["W"], values["T"])
    assert rebuilt(size, values) == expected
    assert eval(str(size).replace("/", "//").replace("////", "//"), {}, values) == expected or "/" in str(size)
    if isinstance(size, Size):
        low, high = size.bounds
        assert low <= expected <= high


@settings(deadline=None, max_examples=60)
@given(expressions(), expressions(), st.fixed_dictionaries(VALUES))
def test_what_is_decided_holds(one: Build, other: Build, values: dict[str, int]) -> None:
    """A comparison has the answer of all values, or none."""
    a, b = one(H, W, T), other(H, W, T)
    x, y = one(values["H"], values["W"], values["T"]), other(values["H"], values["W"], values["T"])
    for compare in (lambda p, q: p < q, lambda p, q: p <= q, lambda p, q: p == q, lambda p, q: p >= q, lambda p, q: p > q):
        try:
            found = compare(a, b)
        except Undecidable as error:
            assert error.code == "E0207"
        else:
            assert found == compare(x, y)
    assert rebuilt(largest(a, b), values) == max(x, y)
    assert not surely_equal(a, b) or x == y


def test_what_is_known_is_exact() -> None:
    assert [str(item) for item in (H // 2, (H - 2) // 2 + 1, H // 32, W // 2, T // 2, (T - 5) // 2 + 1)] == [
        "H/2", "H/2", "H//32", "(W - 1)/2", "T//2", "(T - 3)//2",
    ]  # fmt: skip
    assert str(((T - 5) // 2 + 1 - 5) // 2 + 1) == "(T - 9)//4"
    assert str(3 * H * T + 10) == "3*H*T + 10"
    assert f"{12345 * H * H - T:,}" == "12,345*H**2 - T"
    assert str(2 * (T // 3) - H) == "-H + 2*(T//3)"
    assert (2 * (H // 2), H % 16, W % 2, H // H, (3 * H + 1) // H, 5 // H) == (H, 0, 1, 1, 3, 0)
    assert H // 2 // 8 == H // 16
    assert H / 2 == H // 2
    assert stand_in((3, H, W, T // 2)) == (3, 16, 3, 0)
    assert abs(-H) == H
    assert str(H**2) == "H**2"


def test_windows_and_their_padding() -> None:
    """What a convolution asks: the last window lies inside, and `same` pads by what is left over."""
    assert (T - 1) // 2 * 2 + 1 <= T
    assert H - 5 + 1 >= 12
    assert max((-(-H // 2) - 1) * 2 + 3 - H, 0) == 1
    assert max((-(-W // 2) - 1) * 2 + 3 - W, 0) == 2
    assert {max(2 * (-(-t // 2)) - t, 0) for t in (7, 8)} == {0, 1}
    assert isinstance(2 * (-(-T // 2)) - T, Size)


@pytest.mark.parametrize(
    ("compare", "message", "help"),
    [
        (lambda: T >= 5, "cannot decide `T >= 5`", "add `where T >= 5`"),
        (lambda: T < 1000, "cannot decide `T < 1000`", "add `where T >= 1000`"),
        (lambda: H // 16 - 1 >= 1, "cannot decide `H/16 - 1 >= 1`", "add `where H >= 32`"),
        (lambda: 2 * (T // 2) == T, "cannot decide `2*(T//2) == T`", "add `where T % 2 == 0`"),
        (lambda: 8 * (T // 8) == 2 * (T // 2), "cannot decide `8*(T//8) == 2*(T//2)`", "add `where T % 8 == 0`"),
        (lambda: 2 * (T // 2) + 1 == T, "cannot decide `2*(T//2) + 1 == T`", "add `where T % 2 == 1`"),
        (lambda: H // 16 % 3 == 0, "cannot decide `H/16 - 3*(H//48) == 0`", "add `where H % 48 == 0`"),
        (lambda: T == 1, "cannot decide `T == 1`", "add `where T >= 2`"),
        (lambda: H == T, "cannot decide `H == T`", "add `where H == T`"),
        (lambda: H >= T, "cannot decide `H >= T`", "add `where H >= T`"),
        (lambda: W >= 20, "cannot decide `W >= 20`", "add `where W >= 21`"),
        (lambda: bool(T - 1), "cannot decide `T - 1 == 0`", "add `where T >= 2`"),
        (lambda: T / 2, "cannot decide whether `T` divided by 2 is whole", "add `where T % 2 == 0`"),
        (lambda: range(T), "`T` is not known here", "it depends on `T`, which `--set` or `load` binds"),
        (lambda: float(T * H), "`H*T` is not known here", "it depends on `H` and `T`, which `--set` or `load` binds"),
        (lambda: T // H, "`T` is not known here", "it depends on `T`, which `--set` or `load` binds"),
    ],
)
def test_the_missing_fact_is_named(compare: Callable[[], object], message: str, help: str) -> None:
    with pytest.raises(Undecidable) as error:
        compare()
    assert (error.value.message, error.value.help) == (message, help)


def test_a_quotient_that_is_never_whole() -> None:
    with pytest.raises(ShapeError, match="is not whole"):
        _ = W / 2


def test_relations_between_symbols() -> None:
    facts = Facts({"A": Known(), "B": Known()})
    a, b = facts.size("A"), facts.size("B")
    with pytest.raises(Undecidable):
        _ = a >= b
    relation = a - b - 3
    assert isinstance(relation, Size)
    facts.relations.append(relation)
    a, b = facts.size("A"), facts.size("B")
    assert a >= b + 3
    assert a != b
    assert largest(a, b) == a


def test_the_largest_may_depend_on_the_symbols() -> None:
    assert str(largest(3 * T, 100, 50)) == "max(3*T, 100)"
    assert largest(2 * H, 3 * H, 5) == 3 * H
    assert rebuilt(largest(3 * T, 100) + 1, {"T": 50}) == 151
