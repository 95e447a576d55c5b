"""Losses: value, gradient, the count of right answers, and what lies beyond the batch."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from harness import BATCH, Array

from netspec.graph.types import Example, Shape, ShapeError
from netspec.kernels.formula import d
from netspec.layers import LAYERS, LOSSES
from netspec.layers.loss import CrossEntropy, Hinge, Loss
from netspec.passes.lower import written_type
from netspec.runtime import reference
from netspec.training import SETTINGS

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


def test_each_loss_is_declared_and_none_is_a_layer() -> None:
    assert set(LOSSES) == set(SETTINGS["loss"].calls)
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
def test_the_curvature_equals_finite_differences(loss: Loss, example: Example) -> None:
    """Of each element alone: the diagonal of the second derivatives."""
    (shape,), step = example.inputs, 1e-6
    tensors = draw(loss, shape)
    found = evaluate(loss, shape, tensors)["curvature"]
    for place in np.ndindex(*tensors["x"].shape):
        moved = np.zeros_like(tensors["x"])
        moved[place] = step
        ends = [evaluate(loss, shape, {**tensors, "x": tensors["x"] + sign * moved})[d("x")][place] for sign in (1, -1)]
        np.testing.assert_allclose(found[place], (ends[0] - ends[1]) / (2 * step), atol=1e-7, rtol=1e-5)


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


def test_there_is_a_weight_for_every_class() -> None:
    with pytest.raises(ShapeError, match="3 class weights for 5 logits"):
        LOSSES["cross_entropy"](class_weights=(1.0, 2.0, 3.0)).infer((5,))


def test_the_nearest_code_is_the_answer() -> None:
    loss = LOSSES["map_rbf"]()
    x = np.array([[9.0, 3.0, 3.0], [9.0, 3.0, 3.0], [1e-3, 8.0, 2.0]])
    values = evaluate(loss, (3,), {"x": x, "target": np.array([1.0, 2.0, 0.0])})
    assert values["correct"].tolist() == [2.0]


@pytest.mark.parametrize("j", [0.1, 3.0])
def test_map_rbf_is_equation_9_of_the_paper(j: float) -> None:
    loss, random = LOSSES["map_rbf"](j=j), np.random.default_rng(0)
    y, target = random.uniform(0, 4, (6, 5)), random.integers(0, 5, 6)
    expected = np.mean(y[np.arange(6), target] + np.log(np.exp(-j) + np.exp(-y).sum(1)))
    np.testing.assert_allclose(evaluate(loss, (5,), {"x": y, "target": target.astype(float)})["loss"], expected, rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_outputs_do_not_overflow(name: str) -> None:
    loss, x = LOSSES[name](), np.array([[1e4, -1e4, 0.0], [-88.0, 88.0, 0.0], [0.0, -0.0, 0.0]])
    target = np.array([1.0, 0.0, 2.0]) if not loss.target((3,)) else np.array([[0.0, 1.0, 0.5]] * 3)
    values = evaluate(loss, (3,), {"x": x, "target": target})
    assert np.isfinite(values["loss"]).all()
    assert np.isfinite(values[d("x")]).all()


def _twin(torch: ModuleType, loss: Loss) -> Any:
    """PyTorch's loss of the same name and options."""
    functional, options = torch.nn.functional, dict(loss.given())
    if isinstance(loss, CrossEntropy):
        weight = torch.tensor(loss.class_weights, dtype=torch.float64) if loss.class_weights else None
        return lambda x, y: functional.cross_entropy(x, y.long(), weight, label_smoothing=loss.label_smoothing)
    if isinstance(loss, Hinge):
        return lambda x, y: functional.multi_margin_loss(x, y.long(), p=loss.power, margin=loss.margin)
    twins = {"mse": "mse_loss", "mae": "l1_loss", "huber": "huber_loss", "bce": "binary_cross_entropy_with_logits"}
    return lambda x, y: getattr(functional, twins[loss.name])(x, y, **options)


@pytest.mark.parity
@EXAMPLES
def test_it_is_pytorchs(loss: Loss, example: Example) -> None:
    torch = pytest.importorskip("torch")
    if loss.name == "map_rbf":
        pytest.skip("PyTorch does not have it")
    (shape,) = example.inputs
    tensors = draw(loss, shape, 5)
    x = torch.tensor(tensors["x"], requires_grad=True)
    expected = _twin(torch, loss)(x, torch.tensor(tensors["target"]))
    expected.backward()
    values = evaluate(loss, shape, tensors)
    np.testing.assert_allclose(values["loss"][0], expected.item(), rtol=1e-10)
    np.testing.assert_allclose(values[d("x")], x.grad.numpy(), rtol=1e-8, atol=1e-12)
