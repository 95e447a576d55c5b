"""The gradient of a formula is its transpose: <gradient, direction> is <upstream, change along direction>, for every operand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from netspec.graph.graph import Graph, Op, verify
from netspec.graph.types import TensorType, Value
from netspec.kernels.affine import Axis, Extent, N, axes
from netspec.kernels.formula import Formula, Tensor, d, each, largest, total
from netspec.kernels.gradient import gradient
from netspec.kernels.scalar import exp
from netspec.runtime import reference

BATCH = 2
Shapes = dict[str, tuple[Extent, ...]]


def backward(formula: Formula, operand: str, shapes: Shapes, tensors: dict[str, np.ndarray]) -> np.ndarray:
    """The sum of all contributions, each verified to write disjoint parts within range."""
    result = np.zeros([BATCH if extent == N else extent for extent in shapes[operand]])
    upstream = {d(formula.out.tensor): shapes[formula.out.tensor]}
    known = {**{name: shape for name, shape in shapes.items() if name in tensors}, **upstream}
    for part in gradient(formula, operand, shapes[operand], "found"):
        value = Value(part.tensor, TensorType(shapes[operand]))
        inputs = tuple(Value(name, TensorType(shape)) for name, shape in known.items())
        verify(Graph("gradient", inputs, (), (Op("op", part.formulas, (value,), "op"),), (part.tensor,)))
        result += reference.evaluate(part.formulas, tensors, {part.tensor: shapes[operand]}, batch=BATCH)[part.tensor]
    return result


def check(formula: Formula, shapes: Shapes) -> None:
    draw, step = np.random.default_rng(0), 1e-6
    tensors = {name: draw.standard_normal([BATCH if extent == N else extent for extent in shapes[name]]) for name in formula.reads}

    def value(**changed: np.ndarray) -> dict[str, np.ndarray]:
        return reference.evaluate([formula], {**tensors, **changed}, shapes, batch=BATCH)

    first = value()
    upstream = draw.standard_normal(first[formula.out.tensor].shape)
    everything = {**tensors, **first, d(formula.out.tensor): upstream}
    for operand in formula.reads:
        direction = draw.standard_normal(tensors[operand].shape)
        ends = [value(**{operand: tensors[operand] + sign * step * direction})[formula.out.tensor] for sign in (1, -1)]
        expected = np.sum(upstream * (ends[0] - ends[1])) / (2 * step)
        found = np.sum(backward(formula, operand, shapes, everything) * direction)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8, err_msg=f"{formula} by {operand}")


@pytest.mark.parametrize(("stride", "dilation", "pad", "k", "size"), list(product((1, 2, 3), (1, 2, 3), (0, 1, 2), (1, 2, 3), (7, 8))))
def test_windows_of_every_kind(stride: int, dilation: int, pad: int, k: int, size: int) -> None:
    count = (size + 2 * pad - dilation * (k - 1) - 1) // stride + 1
    n, c, h, i, a = axes(n=N, c=2, h=count, i=3, a=k)
    x = Tensor("x", "zero")[n, i, h * stride + a * dilation - pad]
    shapes: Shapes = {"x": (N, 3, size), "weight": (2, 3, k), "y": (N, 2, count), "z": (N, 3, count)}
    check(total(Tensor("y")[n, c, h], x * Tensor("weight")[c, i, a]), shapes)
    check(total(Tensor("z")[n, i, h], x), shapes)


@pytest.mark.parametrize(("stride", "pad", "k"), [(1, 0, 2), (2, 0, 3), (2, 1, 3), (3, 0, 2), (1, 1, 3)])
def test_maxima_pass_the_gradient_to_their_argument(stride: int, pad: int, k: int) -> None:
    count = (8 + 2 * pad - k) // stride + 1
    n, h, a = axes(n=N, h=count, a=k)
    formula = largest(Tensor("y")[n, h], Tensor("x", "-inf")[n, h * stride + a - pad], Tensor("where")[n, h])
    check(formula, {"x": (N, 8), "y": (N, count), "where": (N, count)})


def test_the_gradient_of_a_plain_convolution_is_one_convolution() -> None:
    n, c, h, i, a = axes(n=N, c=2, h=8, i=3, a=3)
    formula = total(Tensor("y")[n, c, h], Tensor("x", "zero")[n, i, h + a - 1] * Tensor("weight")[c, i, a])
    (part,) = gradient(formula, "x", (N, 3, 8), "dx")
    assert [str(item) for item in part.formulas] == ["dx[n, i, h] = sum(c<2, a<3) (d:y[n, c, h - a + 1] * weight[c, i, a])"]
    (part,) = gradient(formula, "weight", (2, 3, 3), "dw")
    assert [str(item) for item in part.formulas] == ["dw[c, i, a] = sum(n<N, h<8) (d:y[n, c, h] * x[n, i, h + a - 1])"]


def test_a_stride_gives_one_formula_for_each_residue() -> None:
    n, h, a = axes(n=N, h=4, a=3)
    formula = total(Tensor("y")[n, h], Tensor("x", "zero")[n, h * 2 + a - 1] * Tensor("weight")[a])
    (part,) = gradient(formula, "x", (N, 8), "dx")
    assert [str(item) for item in part.formulas] == [
        "dx[n, h*2] = (d:y[n, h] * weight[1])",
        "dx[n, h*2 + 1] = sum(a<2) (d:y[n, h - a + 1] * weight[a*2])",
    ]


def test_what_no_window_reaches_is_left_zero() -> None:
    n, h = axes(n=N, h=3)
    formula = each(Tensor("y")[n, h], Tensor("x")[n, h * 3 + 1])
    (part,) = gradient(formula, "x", (N, 9), "dx")
    assert [str(item) for item in part.formulas] == ["dx[n, h*3 + 1] = d:y[n, h]"]
    check(formula, {"x": (N, 9), "y": (N, 3)})


def test_different_accesses_of_one_tensor_are_different_contributions() -> None:
    n, h = axes(n=N, h=7)
    x = Tensor("x")
    formula = each(Tensor("y")[n, h], x[n, h] * x[n, h + 1] + exp(x[n, h]) * x[n, h])
    assert [part.tensor for part in gradient(formula, "x", (N, 8), "dx")] == ["dx#0", "dx#1"]
    check(formula, {"x": (N, 8), "y": (N, 7)})


def test_a_single_element_and_a_repeated_one() -> None:
    n, c, h = axes(n=N, c=3, h=4)
    check(each(Tensor("y")[n, c, h], Tensor("x")[n, c, 2] * Tensor("z")[c, 0]), {"x": (N, 3, 5), "z": (3, 2), "y": (N, 3, 4)})


def test_groups_are_views() -> None:
    n, g, k, h, i, a = axes(n=N, g=2, k=3, h=5, i=2, a=3)
    x, weight = Tensor("x", "zero").view(N, 2, 2, 9), Tensor("weight").view(2, 3, 2, 3)
    formula = total(Tensor("y").view(N, 2, 3, 5)[n, g, k, h], x[n, g, i, h * 2 + a - 1] * weight[g, k, i, a])
    check(formula, {"x": (N, 4, 9), "weight": (6, 2, 3), "y": (N, 6, 5)})


def test_a_window_that_nothing_bounds_is_refused() -> None:
    """Only the window's axes index x, and nothing else in the body ends where they do: no access would read zero there."""
    n, a, b = Axis("n", N), Axis("a", 3), Axis("b", 2)
    with pytest.raises(AssertionError, match="nothing in"):
        gradient(total(Tensor("y")[n], Tensor("x")[n, a + b]), "x", (N, 4), "dx")
