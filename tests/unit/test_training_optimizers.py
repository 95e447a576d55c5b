"""Twenty steps of every optimizer are PyTorch's, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from netspec.kernels.affine import Axis
from netspec.kernels.formula import Tensor, each
from netspec.runtime import reference
from netspec.schema import ArgumentError
from netspec.training.optimizers import Adagrad, Adam, AdamW, Lion, Optimizer, Rmsprop, Sgd
from netspec.training.regularizers import L1, L2, Regularizer

SIZE, STEPS = 7, 20


def ours(optimizer: Optimizer, rates: list[float], penalty: Regularizer | None = None) -> np.ndarray:
    """The weights after each step of minimising a fixed quadratic bowl, by evaluating the optimizer's own expressions."""
    (i,) = axes = (Axis("i", SIZE),)
    weight, gradient, *state = (Tensor(name)[axes] for name in ("weight", "gradient", *optimizer.state))
    whole = gradient if penalty is None else gradient + penalty.gradient(weight)
    updates = optimizer.update(weight, whole, *state)
    assert set(updates) == {"weight", *optimizer.state}
    formulas = [each(Tensor(f"{name}.next")[i], body) for name, body in updates.items()]
    shapes = {f"{name}.next": (SIZE,) for name in updates}
    tensors = {"weight": start(), **{name: np.zeros(SIZE) for name in optimizer.state}}
    found = []
    for step, lr in enumerate(rates, 1):
        written = reference.evaluate(formulas, {**tensors, "gradient": slope(tensors["weight"])}, shapes, {"lr": lr, "step": step})
        tensors = {name: written[f"{name}.next"] for name in tensors}
        found.append(tensors["weight"])
    return np.array(found)


def theirs(make: Callable[[list[Any]], Any], rates: list[float]) -> np.ndarray:
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.tensor(start()))
    optimizer = make([weight])
    found = []
    for lr in rates:
        optimizer.param_groups[0]["lr"] = lr
        weight.grad = torch.tensor(slope(weight.detach().numpy()))
        optimizer.step()
        found.append(weight.detach().numpy().copy())
    return np.array(found)


def start() -> np.ndarray:
    return np.linspace(-2.0, 1.5, SIZE)


def slope(weight: np.ndarray) -> np.ndarray:
    """Curvatures of 0.01 to 30: slow, fast and oscillating directions."""
    return np.geomspace(0.01, 30, SIZE) * weight + 0.1


RATES = [0.03 * (1 + step % 5) / 5 for step in range(STEPS)]

CASES: dict[str, tuple[Optimizer, Callable[[Any, list[Any]], Any]]] = {
    "sgd": (Sgd(lr=0.1), lambda torch, p: torch.optim.SGD(p)),
    "momentum": (Sgd(lr=0.1, momentum=0.9), lambda torch, p: torch.optim.SGD(p, momentum=0.9)),
    "nesterov": (Sgd(lr=0.1, momentum=0.8, nesterov=True), lambda torch, p: torch.optim.SGD(p, momentum=0.8, nesterov=True)),
    "adam": (Adam(), lambda torch, p: torch.optim.Adam(p)),
    "adam_betas": (Adam(beta1=0.5, beta2=0.9, eps=1e-3), lambda torch, p: torch.optim.Adam(p, betas=(0.5, 0.9), eps=1e-3)),
    "adam_without_mean": (Adam(beta1=0), lambda torch, p: torch.optim.Adam(p, betas=(0.0, 0.999))),
    "adamw": (AdamW(), lambda torch, p: torch.optim.AdamW(p)),
    "adagrad": (Adagrad(), lambda torch, p: torch.optim.Adagrad(p)),
    "adagrad_initial": (
        Adagrad(initial=0.3, eps=1e-3),
        lambda torch, p: torch.optim.Adagrad(p, initial_accumulator_value=0.3, eps=1e-3),
    ),
    "rmsprop": (Rmsprop(), lambda torch, p: torch.optim.RMSprop(p)),
    "rmsprop_centered": (Rmsprop(centered=True, alpha=0.9), lambda torch, p: torch.optim.RMSprop(p, centered=True, alpha=0.9)),
    "rmsprop_momentum": (
        Rmsprop(momentum=0.8, centered=True, eps=1e-3),
        lambda torch, p: torch.optim.RMSprop(p, momentum=0.8, centered=True, eps=1e-3),
    ),
    "adamw_decay": (AdamW(decay=0.3), lambda torch, p: torch.optim.AdamW(p, weight_decay=0.3)),
}


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES)
def test_equals_torch(case: str) -> None:
    torch = pytest.importorskip("torch")
    optimizer, twin = CASES[case]
    np.testing.assert_allclose(ours(optimizer, RATES), theirs(lambda p: twin(torch, p), RATES), rtol=1e-12, atol=1e-14)


@pytest.mark.parity
@pytest.mark.parametrize("case", ["momentum", "adam"])
def test_l2_is_weight_decay(case: str) -> None:
    torch = pytest.importorskip("torch")
    make = {
        "momentum": lambda p: torch.optim.SGD(p, momentum=0.9, weight_decay=0.2),
        "adam": lambda p: torch.optim.Adam(p, weight_decay=0.2),
    }
    np.testing.assert_allclose(ours(CASES[case][0], RATES, L2(amount=0.2)), theirs(make[case], RATES), rtol=1e-12, atol=1e-14)


def test_plain_descent_by_hand() -> None:
    np.testing.assert_allclose(ours(Sgd(lr=1.0), [0.5])[0], start() - 0.5 * slope(start()), rtol=1e-15)


def test_first_adam_step_has_the_length_of_the_rate() -> None:
    """Bias correction makes the first step lr * sign(g) but for eps; lost digits in 1 - beta^t would show here."""
    np.testing.assert_allclose(start() - ours(Adam(), [1e-3])[0], 1e-3 * np.sign(slope(start())), rtol=1e-6)


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.0, 0.5), (0.95, 0.95)])
def test_lion_is_the_papers_program(betas: tuple[float, float]) -> None:
    """Algorithm 2 of Chen et al. 2023, as it stands there."""
    weight, mean, found = start(), np.zeros(SIZE), []
    for lr in RATES:
        gradient = slope(weight)
        update = np.sign(betas[0] * mean + (1 - betas[0]) * gradient) + 0.2 * weight
        mean = betas[1] * mean + (1 - betas[1]) * gradient
        weight = weight - lr * update
        found.append(weight)
    optimizer = Lion(beta1=betas[0], beta2=betas[1], decay=0.2)
    np.testing.assert_allclose(ours(optimizer, RATES), np.array(found), rtol=1e-12, atol=1e-14)


def test_lions_step_looks_at_newer_gradients_than_its_mean() -> None:
    with pytest.raises(ArgumentError, match="beta1 is at most beta2"):
        Lion(beta1=0.9, beta2=0.8)


def test_l1_pulls_towards_zero() -> None:
    found = ours(Sgd(lr=1.0), [0.25], L1(amount=0.4))[0]
    np.testing.assert_allclose(found, start() - 0.25 * (slope(start()) + 0.4 * np.sign(start())), rtol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lr": 0.1, "nesterov": True}, "nesterov needs momentum"),
        ({"lr": 0}, "must be greater than 0"),
        ({"lr": 0.1, "momentum": 1.0}, "must be less than 1"),
        ({"lr": float("nan")}, "must be a finite number"),
        ({"lr": "0.1"}, "must be a number"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        Sgd(**arguments)
