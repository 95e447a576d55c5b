"""The program over steps, beside PyTorch's, on functions that bend, stretch and end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from netspec.trainer.lbfgs import Memory, minimise
from netspec.training.optimizers import Lbfgs

Array = NDArray[np.float64]


def valley(x: Array) -> tuple[float, Array]:
    """Rosenbrock's, in pairs."""
    a, b = x[::2], x[1::2]
    gradient = np.empty_like(x)
    gradient[::2], gradient[1::2] = -400 * a * (b - a**2) - 2 * (1 - a), 200 * (b - a**2)
    return float(np.sum(100 * (b - a**2) ** 2 + (1 - a) ** 2)), gradient


def bowl(x: Array) -> tuple[float, Array]:
    """Curvatures of 0.01 to 300."""
    curvature = np.geomspace(0.01, 300, len(x))
    return float(curvature @ (x * x) / 2), curvature * x


def logistic(x: Array) -> tuple[float, Array]:
    random = np.random.default_rng(0)
    data, sign = random.standard_normal((20, len(x))), np.where(random.random(20) < 0.5, 1.0, -1.0)
    margin = sign * (data @ x)
    gradient = -(data * (sign / (1 + np.exp(margin)))[:, None]).mean(0)
    return float(np.log1p(np.exp(-margin)).mean()), gradient


def start(size: int = 8) -> Array:
    return np.linspace(-2.0, 1.5, size)


@pytest.mark.parity
@pytest.mark.parametrize("objective", [valley, bowl, logistic])
@pytest.mark.parametrize(("lr", "iterations", "history"), [(1.0, 20, 100), (0.3, 4, 3), (5.0, 6, 2)])
def test_steps_are_pytorchs(objective: Callable[[Array], tuple[float, Array]], lr: float, iterations: int, history: int) -> None:
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.tensor(start()))
    twin = torch.optim.LBFGS([weight], lr=lr, max_iter=iterations, history_size=history, line_search_fn="strong_wolfe")

    def closure() -> float:
        value, gradient = objective(weight.detach().numpy().copy())
        weight.grad = torch.tensor(gradient)
        return value

    settings, memory, x = Lbfgs(lr=lr, iterations=iterations, history=history), Memory(), start()
    for step in range(20):
        twin.step(closure)
        x = minimise(memory, x, objective, settings, lr)
        if history == 100 or step < 8:  # where little is remembered, roundings grow from step to step
            np.testing.assert_allclose(x, weight.detach().numpy(), rtol=1e-6, atol=1e-7, err_msg=f"step {step}")
    assert objective(x)[0] < 0.5 * objective(start())[0]


def test_it_reaches_the_bottom() -> None:
    x, memory = start(), Memory()
    for _ in range(6):
        x = minimise(memory, x, valley, Lbfgs(), 1.0)
    np.testing.assert_allclose(x, np.ones(8), atol=1e-4)


def test_a_restored_memory_goes_on_with_the_same_bits() -> None:
    settings, x, memory = Lbfgs(iterations=3, history=2), start(), Memory()
    for _ in range(3):
        x = minimise(memory, x, valley, settings, 1.0)
    again = Memory.restored(memory.tensors())
    np.testing.assert_array_equal(minimise(memory.copy(), x, valley, settings, 1.0), minimise(again, x, valley, settings, 1.0))
    assert Memory.restored(Memory().tensors()).count == 0
