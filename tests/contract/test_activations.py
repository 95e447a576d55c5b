"""Activations at the points where textbook forms break: zero, where exponentials overflow, and far out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from harness import Array, probed

from netspec.kernels.affine import Axis
from netspec.kernels.formula import Tensor, each
from netspec.kernels.scalar import derivative
from netspec.layers import LAYERS
from netspec.layers.activation import Activation, Stanh
from netspec.runtime import reference

POINTS = np.array([0.0, -0.0, 1e-30, -1e-30, 1.0, -1.0, 2.9, -2.9, 5.9, 88.0, -88.0, 89.0, -89.0, 710.0, -710.0, 1e4, -1e4])
ACTIVATIONS = [name for name, kind in LAYERS.items() if issubclass(kind, Activation)]


def symbolic(layer: Activation) -> tuple[Array, Array]:
    """Value and symbolic derivative at the points."""
    n = Axis("n", len(POINTS))
    x, expression = Tensor("x")[n], layer.scalar(Tensor("x")[n])
    formulas = each(Tensor("y")[n], expression), each(Tensor("slope")[n], derivative(expression, x))
    values = reference.evaluate(formulas, {"x": POINTS}, {"y": (len(POINTS),), "slope": (len(POINTS),)})
    return values["y"], values["slope"]


def backward(layer: Activation) -> Array:
    """The gradient of a training step at the points, which may be computed from the result alone."""
    graph = probed(layer, ((len(POINTS),),))
    return reference.run(graph, {"x": POINTS[None], "probe": np.ones((1, len(POINTS)))})["d:x"][0]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_and_derivative_are_finite_everywhere(name: str) -> None:
    layer = LAYERS[name]()
    assert isinstance(layer, Activation)
    for values in (*symbolic(layer), backward(layer)):
        assert np.isfinite(values).all(), dict(zip(POINTS, values, strict=True))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_derivative_by_the_result_is_the_derivative(name: str) -> None:
    layer = LAYERS[name]()
    assert isinstance(layer, Activation)
    np.testing.assert_allclose(backward(layer), symbolic(layer)[1], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_passes_through(name: str) -> None:
    layer = LAYERS[name]()
    n = Axis("n", 1)
    assert isinstance(layer, Activation)
    formula = each(Tensor("y")[n], layer.scalar(Tensor("x")[n]))
    assert np.isnan(reference.evaluate([formula], {"x": np.array([np.nan])}, {"y": (1,)})["y"])


def test_the_derivative_at_the_kink_is_pytorchs() -> None:
    zero = {name: symbolic(LAYERS[name]())[1][0] for name in ("relu", "relu6", "leaky_relu", "elu")}
    assert zero == {"relu": 0.0, "relu6": 0.0, "leaky_relu": 0.01, "elu": 1.0}


TWINS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "relu": ({}, "relu", {}),
    "relu6": ({}, "relu6", {}),
    "leaky_relu": ({"slope": 0.2}, "leaky_relu", {"negative_slope": 0.2}),
    "elu": ({"alpha": 0.7}, "elu", {"alpha": 0.7}),
    "sigmoid": ({}, "sigmoid", {}),
    "tanh": ({}, "tanh", {}),
    "gelu": ({}, "gelu", {}),
    "silu": ({}, "silu", {}),
    "hardswish": ({}, "hardswish", {}),
    "hardsigmoid": ({}, "hardsigmoid", {}),
    "selu": ({}, "selu", {}),
    "softplus": ({}, "softplus", {}),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", TWINS)
def test_pytorch_has_the_same_value_and_derivative(name: str) -> None:
    torch = pytest.importorskip("torch")
    arguments, function, options = TWINS[name]
    layer = LAYERS[name](**arguments)
    assert isinstance(layer, Activation)
    x = torch.tensor(POINTS, requires_grad=True)
    y = getattr(torch.nn.functional, function)(x, **options)
    y.sum().backward()
    value, slope = symbolic(layer)
    np.testing.assert_allclose(value, y.detach().numpy(), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(slope, x.grad.numpy(), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(backward(layer), x.grad.numpy(), rtol=1e-8, atol=1e-8)


def test_the_scaled_tanh_passes_through_one() -> None:
    y, _ = symbolic(Stanh())
    at = dict(zip(POINTS.tolist(), y.tolist(), strict=True))
    assert at[1.0] == pytest.approx(1.0, abs=1e-4)
    assert at[-1.0] == pytest.approx(-1.0, abs=1e-4)
