"""Scalar expressions: folding keeps the meaning, derivatives are derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.kernels.affine import Axis
from netspec.kernels.formula import Tensor, each
from netspec.kernels.scalar import (
    BINARY,
    ONE,
    PRIMITIVES,
    UNARY,
    ZERO,
    Call,
    Constant,
    Expr,
    accesses,
    call,
    derivative,
    expression,
    maximum,
    select,
    transform,
)
from netspec.runtime import reference

n = Axis("n", 4)
x, z = Tensor("x")[n], Tensor("z")[n]
SMOOTH = [name for name in UNARY if name not in {"abs", "sign", "finite", "neg"}]


def value(expr: Expr, **tensors: object) -> list[float]:
    arrays = {name: np.broadcast_to(np.asarray(item, np.float64), 4).copy() for name, item in tensors.items()}
    return reference.evaluate([each(Tensor("y")[n], expr)], arrays, {"y": (4,)})["y"].tolist()


@pytest.mark.parametrize("name", sorted(UNARY))
def test_derivatives_of_one_argument_equal_differences(name: str) -> None:
    points, step = np.array([0.3, 0.7, 1.1, 2.5]), 1e-6
    ends = [np.array(value(call(name, x), x=points + sign * step)) for sign in (1, -1)]
    np.testing.assert_allclose(value(derivative(call(name, x), x), x=points), (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", sorted(BINARY))
@pytest.mark.parametrize("by", [x, z])
def test_derivatives_of_two_arguments_equal_differences(name: str, by: Expr) -> None:
    points, step = {"x": np.array([0.3, 0.7, 1.1, 2.5]), "z": np.array([0.9, -0.4, 1.3, 2.2])}, 1e-6
    tensor = "x" if by == x else "z"
    ends = [np.array(value(call(name, x, z), **{**points, tensor: points[tensor] + sign * step})) for sign in (1, -1)]
    found = derivative(call(name, x, z), Tensor(tensor)[n])
    np.testing.assert_allclose(value(found, **points), (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-9)


def test_the_derivative_sums_over_all_occurrences() -> None:
    assert value(derivative(x * x + 3 * x, x), x=5.0) == [13.0] * 4


def test_of_two_equal_arguments_the_first_is_the_maximum() -> None:
    assert value(derivative(maximum(x, z), x), x=2.0, z=2.0) == [1.0] * 4
    assert value(derivative(maximum(x, z), z), x=2.0, z=2.0) == [0.0] * 4


def test_a_choice_does_not_look_at_what_it_drops() -> None:
    chosen = select(call("gt", x, 0), call("log", x), 0.0)
    assert value(derivative(chosen, x), x=[-1.0, 0.0, 1.0, 2.0]) == [0.0, 0.0, 1.0, 0.5]
    masked = z * select(call("gt", x, 0), 1.0, 0.0)
    assert masked == select(call("gt", x, 0), z, 0.0)
    assert value(masked, x=[-1.0, 0.0, 1.0, 2.0], z=[np.nan, np.inf, 3.0, 4.0]) == [0.0, 0.0, 3.0, 4.0]


def test_a_mask_of_masks_folds_too() -> None:
    inside = select(call("gt", x, 0), select(call("lt", x, 6), 1.0, 0.0), 0.0)
    assert z * inside == inside * z == select(call("gt", x, 0), select(call("lt", x, 6), z, 0.0), 0.0)


def test_what_does_nothing_folds_away() -> None:
    assert (x * 1, 1 * x, x + 0, 0 + x, x - 0, x / 1) == (x,) * 6
    assert -call("neg", x) == x
    assert (x * 0, 0 * x, 0 / x) == (ZERO,) * 3
    assert x * -1 == -x
    assert expression(2) * 3 + 4 == Constant(10.0)
    assert expression(1) / 4 == Constant(0.25)
    assert expression(1) / 0 == Call("div", (ONE, ZERO))
    assert select(call("gt", x, 0), z, z) == z


def test_a_primitive_takes_its_number_of_arguments() -> None:
    with pytest.raises(AssertionError):
        call("exp", x, z)
    with pytest.raises(KeyError):
        call("cosh", x)


def expressions() -> st.SearchStrategy[Expr]:
    numbers = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 0.5])
    leaves = st.sampled_from([x, z]) | numbers.map(Constant)
    unary, binary = ["neg", "tanh", "sigmoid", "abs"], ["add", "sub", "mul", "maximum", "minimum", "gt"]
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(unary), inner).map(lambda item: Call(item[0], item[1:])),
            st.tuples(st.sampled_from(binary), inner, inner).map(lambda item: Call(item[0], item[1:])),
            st.tuples(inner, inner, inner).map(lambda item: Call("select", item)),
        ),
        max_leaves=12,
    )


@given(expressions())
@settings(max_examples=150, deadline=None)
def test_folding_keeps_the_value(expr: Expr) -> None:
    """`transform` folds every call anew; what it is given here was built without folding."""
    points = {"x": [0.25, -1.5, 0.0, 3.0], "z": [-0.5, 2.0, 1.0, 0.0]}
    np.testing.assert_allclose(value(transform(expr, lambda leaf: leaf), **points), value(expr, **points), atol=1e-12)


@given(expressions())
@settings(max_examples=100, deadline=None)
def test_accesses_are_all_that_a_derivative_can_be_by(expr: Expr) -> None:
    if x not in set(accesses(expr)):
        assert derivative(expr, x) == ZERO


def test_every_primitive_is_in_the_reference() -> None:
    assert set(PRIMITIVES) - {"select"} == set(reference.UNARY) | set(reference.BINARY)
