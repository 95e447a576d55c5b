"""Affine indices and formulas: what they print, count, read and write; and what the reference makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from netspec.kernels.affine import Affine, Axis, N, affine, axes, size_of
from netspec.kernels.formula import Tensor, each, largest, total
from netspec.kernels.scalar import AxisIndex, RuntimeScalar, call, random, select
from netspec.runtime import reference

n, c, h, w, i, a, b = axes(n=N, c=4, h=5, w=6, i=3, a=3, b=2)
x, y, weight = Tensor("x"), Tensor("y"), Tensor("weight")
CONVOLUTION = total(y[n, c, h, w], Tensor("x", "zero")[n, i, h * 2 + a - 1, w + b] * weight[c, i, a, b])


def test_an_index_prints_as_it_was_written() -> None:
    assert str(h * 2 + a - 1) == "h*2 + a - 1"
    assert str(affine(h) - a * 3) == "h - a*3"
    assert str(Affine()) == "0"
    assert str(a * -1 + 2) == "-a + 2"


def test_index_arithmetic() -> None:
    index = h * 2 + a - 1
    assert index.range() == (-1, 9)
    assert (affine(n) + 1).range() is None
    assert index - h - h == affine(a) - 1
    assert (index.coefficient(h), index.coefficient(w), index.single, affine(h).single) == (2, 0, None, h)
    assert index.substitute({h: a + 1, a: affine(h)}) == a * 2 + 1 + h
    assert (h * 0).axes == ()
    assert size_of((N, 3, 4), 5) == 60


def test_a_formula_knows_its_axes_and_counts() -> None:
    assert CONVOLUTION.kept == (n, c, h, w)
    assert CONVOLUTION.reduced == (i, a, b)
    assert CONVOLUTION.reads == ("x", "weight")
    assert CONVOLUTION.multiplications(2) == 2 * 4 * 5 * 6 * 3 * 3 * 2
    assert str(CONVOLUTION) == "y[n, c, h, w] = sum(i<3, a<3, b<2) (x[n, i, h*2 + a - 1, w + b] * weight[c, i, a, b])"


def test_only_products_of_two_accesses_are_contractions() -> None:
    assert total(y[n], x[n, i] * 2).factors is None
    assert each(y[n], x[n] * weight[n]).factors is None
    assert total(y[n], x[n, i] * weight[i]).factors == (x[n, i], weight[i])


def test_the_argument_of_a_maximum_is_written_too() -> None:
    formula = largest(y[n, c], x[n, c, h], Tensor("where")[n, c])
    assert formula.writes == ("y", "where")
    assert str(formula) == "y[n, c], where[n, c] = max(h<5) x[n, c, h]"
    renamed = formula.rename(str.upper)
    assert (renamed.writes, renamed.reads) == (("Y", "WHERE"), ("X",))


def brute_force(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    result = np.zeros((2, 4, 5, 6))
    for place in np.ndindex(2, 4, 5, 6, 3, 3, 2):
        at, channel, row, column, inner, down, right = place
        source = row * 2 + down - 1
        if 0 <= source < x.shape[2]:
            result[at, channel, row, column] += x[at, inner, source, column + right] * weight[channel, inner, down, right]
    return result


def test_the_reference_sums_what_the_formula_says() -> None:
    draw = np.random.default_rng(0)
    tensors = {"x": draw.standard_normal((2, 3, 9, 7)), "weight": draw.standard_normal((4, 3, 3, 2))}
    found = reference.evaluate([CONVOLUTION], tensors, {"y": (N, 4, 5, 6)}, batch=2)["y"]
    np.testing.assert_allclose(found, brute_force(tensors["x"], tensors["weight"]), atol=1e-12)


def test_a_sum_over_a_general_body_is_the_same_sum() -> None:
    draw = np.random.default_rng(0)
    tensors = {"x": draw.standard_normal((2, 3, 9, 7)), "weight": draw.standard_normal((4, 3, 3, 2))}
    general = total(CONVOLUTION.out, CONVOLUTION.body + 0 * x[n, i, h, w] + select(call("lt", AxisIndex(affine(a)), 0), 7.0, 0.0))
    assert general.factors is None
    found = reference.evaluate([general], tensors, {"y": (N, 4, 5, 6)}, batch=2)["y"]
    np.testing.assert_allclose(found, brute_force(tensors["x"], tensors["weight"]), atol=1e-12)


def test_the_reference_refuses_to_read_beyond_a_tensor() -> None:
    with pytest.raises(AssertionError, match="leaves"):
        reference.evaluate([each(y[h], x[h + 1])], {"x": np.zeros(5)}, {"y": (5,)})


def test_what_no_formula_writes_is_zero_and_parts_join() -> None:
    t = Axis("t", 3)
    parts = [each(y[t * 2], x[t]), each(y[t + 6], x[t] * 10)]
    found = reference.evaluate(parts, {"x": np.array([1.0, 2.0, 3.0])}, {"y": (9,)})["y"]
    assert found.tolist() == [1, 0, 2, 0, 3, 0, 10, 20, 30]


def test_the_first_of_several_maxima_is_the_argument() -> None:
    t, u, v = axes(t=2, u=2, v=3)
    tensors = {"x": np.array([[[0, 5, 1], [5, 5, 0]], [[-1, -2, -3], [-4, -5, 0]]], np.float64)}
    found = reference.evaluate([largest(y[t], x[t, u, v], Tensor("where")[t])], tensors, {"y": (2,), "where": (2,)})
    assert (found["y"].tolist(), found["where"].tolist()) == ([5, 0], [1, 5])


def test_beyond_a_padded_maximum_is_minus_infinity() -> None:
    t, u = axes(t=4, u=3)
    formula = largest(y[t], Tensor("x", "-inf")[t + u - 1])
    assert reference.evaluate([formula], {"x": -np.arange(1.0, 5.0)}, {"y": (4,)})["y"].tolist() == [-1, -1, -2, -3]


def test_views_split_and_flatten() -> None:
    t, u = axes(t=2, u=3)
    tensors = {"x": np.arange(6.0)}
    assert reference.evaluate([each(y[u, t], x.view(2, 3)[t, u])], tensors, {"y": (3, 2)})["y"].tolist() == [[0, 3], [1, 4], [2, 5]]
    flat = reference.evaluate([each(y.view(2, 3)[t, u], x.view(2, 3)[t, u] * 2)], tensors, {"y": (6,)})
    assert flat["y"].tolist() == [0, 2, 4, 6, 8, 10]


def test_scalars_positions_and_random_numbers() -> None:
    t = Axis("t", 3)
    body = select(call("lt", AxisIndex(affine(n)), RuntimeScalar("N")), AxisIndex(n * 10 + t), -1.0)
    assert reference.evaluate([each(y[n, t], body)], {}, {"y": (N, 3)}, {"N": 1}, batch=2)["y"].tolist() == [[0, 1, 2], [-1, -1, -1]]

    def draw(**scalars: int) -> list[float]:
        return reference.evaluate([each(y[n, t], random(3, (n, t)))], {}, {"y": (N, 3)}, scalars, batch=2)["y"].ravel().tolist()

    assert draw(seed=1, step=2) == draw(seed=1, step=2) == [reference.uniform(reference.key(1, 2, 3), np.array([k]))[0] for k in range(6)]
    assert len({*draw(seed=1, step=2), *draw(seed=1, step=3), *draw(seed=2, step=2)}) == 18
