"""Losses: value, gradient, the count of right answers, and what lies beyond the batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from harness import BATCH, Array

from netspec.graph.types import Example, Shape, ShapeError
from netspec.kernels.formula import d
from netspec.layers import LAYERS, LOSSES
from netspec.layers.loss import Loss
from netspec.passes.lower import written_type
from netspec.runtime import reference

EXAMPLES = pytest.mark.parametrize(
    ("loss", "example"),
    [
        pytest.param(kind(**example.arguments), example, id=f"{name}-{i}")
        for name, kind in LOSSES.items()
        for i, example in enumerate(kind.examples)
    ],
)


def evaluate(loss: Loss, shape: Shape, tensors: Mapping[str, Array], count: int | None = None) -> dict[str, Array]:
    computation = loss.compute(shape, loss.target(shape), training=True)
    formulas = (*computation.formulas, *(computation.gradients or ()))
    shapes = {access.tensor: written_type(access, formulas).shape for item in formulas for access in (item.out, item.argument) if access}
    batch = len(tensors["x"])
    return reference.evaluate(formulas, tensors, shapes, {"N": batch if count is None else count}, batch)


def draw(loss: Loss, shape: Shape, batch: int = BATCH, seed: int = 0) -> dict[str, Array]:
    """Logits or values, and targets: class numbers where a sample has one."""
    random = np.random.default_rng(seed)
    target = random.standard_normal((batch, *loss.target(shape)))
    return {
        "x": random.standard_normal((batch, *shape)),
        "target": target if loss.target(shape) else random.integers(0, shape[0], batch).astype(float),
    }


def test_no_loss_is_a_layer() -> None:
    assert {"cross_entropy", "mse"} <= set(LOSSES)
    assert not set(LOSSES) & set(LAYERS)
    assert all(kind.examples for kind in LOSSES.values())


@EXAMPLES
def test_the_gradient_equals_finite_differences(loss: Loss, example: Example) -> None:
    (shape,), step = example.inputs, 1e-6
    tensors = draw(loss, shape)
    values = evaluate(loss, shape, tensors)
    assert values["loss"].shape == loss.infer(shape) == (1,)
    for seed in (1, 2):
        direction = np.random.default_rng(seed).standard_normal(tensors["x"].shape)
        ends = [evaluate(loss, shape, {**tensors, "x": tensors["x"] + sign * step * direction})["loss"][0] for sign in (1, -1)]
        np.testing.assert_allclose(np.sum(values[d("x")] * direction), (ends[0] - ends[1]) / (2 * step), atol=1e-5, rtol=1e-3)


@EXAMPLES
def test_places_beyond_the_batch_count_nothing(loss: Loss, example: Example) -> None:
    (shape,) = example.inputs
    tensors = draw(loss, shape)
    part = evaluate(loss, shape, {name: value[:2] for name, value in tensors.items()})
    tensors["x"][2:] = np.nan
    whole = evaluate(loss, shape, tensors, count=2)
    np.testing.assert_allclose(whole["loss"], part["loss"], rtol=1e-12)
    np.testing.assert_allclose(whole[d("x")][:2], part[d("x")], rtol=1e-12)
    assert (whole[d("x")][2:] == 0).all()


def test_right_is_where_the_first_largest_logit_stands() -> None:
    loss = LOSSES["cross_entropy"]()
    x = np.array([[1.0, 3.0, 3.0], [1.0, 3.0, 3.0], [5.0, 0.0, 0.0], [0.0, 0.0, 9.0]])
    values = evaluate(loss, (3,), {"x": x, "target": np.array([1.0, 2.0, 0.0, 2.0])})
    assert values["correct"].tolist() == [3.0]
    assert evaluate(loss, (3,), {"x": x, "target": np.array([1.0, 2.0, 0.0, 2.0])}, count=2)["correct"].tolist() == [1.0]


def test_large_logits_do_not_overflow() -> None:
    values = evaluate(LOSSES["cross_entropy"](label_smoothing=0.1), (3,), {"x": np.array([[1e4, -1e4, 0.0]]), "target": np.array([1.0])})
    assert np.isfinite(values["loss"]).all()
    assert np.isfinite(values[d("x")]).all()


def test_logits_must_be_a_vector() -> None:
    with pytest.raises(ShapeError, match=r"needs logits \[classes\], got \[3, 4, 4\]"):
        LOSSES["cross_entropy"]().infer((3, 4, 4))


@pytest.mark.parity
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_pytorchs(smoothing: float) -> None:
    torch = pytest.importorskip("torch")
    loss = LOSSES["cross_entropy"](label_smoothing=smoothing)
    tensors = draw(loss, (7,), 5)
    x = torch.tensor(tensors["x"], requires_grad=True)
    expected = torch.nn.functional.cross_entropy(x, torch.tensor(tensors["target"]).long(), label_smoothing=smoothing)
    expected.backward()
    values = evaluate(loss, (7,), tensors)
    np.testing.assert_allclose(values["loss"][0], expected.item(), rtol=1e-10)
    np.testing.assert_allclose(values[d("x")], x.grad.numpy(), rtol=1e-8, atol=1e-12)


@pytest.mark.parity
def test_mean_squared_error_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    loss = LOSSES["mse"]()
    tensors = draw(loss, (2, 3, 3), 5)
    x = torch.tensor(tensors["x"], requires_grad=True)
    expected = torch.nn.functional.mse_loss(x, torch.tensor(tensors["target"]))
    expected.backward()
    values = evaluate(loss, (2, 3, 3), tensors)
    np.testing.assert_allclose(values["loss"][0], expected.item(), rtol=1e-10)
    np.testing.assert_allclose(values[d("x")], x.grad.numpy(), rtol=1e-8, atol=1e-12)
