"""Frozen weights and factors of the learning rate: steps in float64 beside PyTorch's parameter groups, and what is not computed."""

from __future__ import annotations

import numpy as np
import pytest

from netspec import model as models
from netspec.compiler import frozen_weights, gradient_graph, training_graph
from netspec.diagnostics import Source
from netspec.model import Model
from netspec.passes.attach_loss import field_input
from netspec.runtime import reference

SPEC = """net N {
  input x[4]
  stem: dense(3) -> bn -> relu
  body: dense(3) -> bn -> relu
  head: dense(2)
}
train N {
  data       = npz("d.npz")
  rates      = [RATES]
  loss       = cross_entropy
  optimizer  = adamw(lr=0.1, decay=0.2)
  regularize = l2(0.01)
  epochs     = 1
}
"""


def net(rates: str) -> Model:
    return models.model(Source("n.net", SPEC.replace("RATES", rates)), None, {})


def tensors(net: Model, images: int = 6) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    made = {weight.name: random.normal(size=weight.type.shape) + 2 * weight.name.endswith("var") for weight in net.graph.weights}
    made = {name: np.abs(value) if name.endswith("var") else value for name, value in made.items()}
    return made | {"x": random.normal(size=(images, 4)), field_input("y"): random.integers(0, 2, images).astype(float)}


def stepped(net: Model, given: dict[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
    """The weights after some steps at a rate of 0.1."""
    assert net.plan is not None
    graph = training_graph(net.graph, net.plan)
    now = {weight.name: np.zeros(weight.type.shape) for weight in graph.weights} | given
    for step in range(1, steps + 1):
        found = reference.run(graph, now, {"lr": 0.1, "step": step})
        now |= {weight: found[value] for weight, value in graph.updates}
    return now


@pytest.mark.parametrize("frozen", [True, False])
def test_steps_equal_pytorchs(frozen: bool) -> None:
    """`stem` frozen with its batch norm in `eval()`, biases of the rest at a third of the rate, `head` at twice the rate."""
    torch = pytest.importorskip("torch")
    made = net('times(1/3, on="bias"), times(2, on="head")' + (', frozen(on="stem")' if frozen else ""))
    given = tensors(made)
    w = {name: torch.tensor(value) for name, value in given.items()}
    trained = [
        weight.name for weight in made.graph.weights if weight.role == "trainable" and not (frozen and weight.name.startswith("stem"))
    ]
    for name in trained:
        w[name].requires_grad_()

    def rate(name: str) -> float:
        return 0.2 if name.startswith("head") else 0.1 / 3 if name.endswith("bias") else 0.1

    groups = [{"params": [w[name]], "lr": rate(name)} for name in trained]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.2)
    for _ in range(3):
        x = w["x"]
        for name in ("stem", "body"):
            x = torch.nn.functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])
            mean, var, scale, shift = (w[f"{name}.bn.0.{part}"] for part in ("mean", "var", "scale", "shift"))
            x = torch.relu(torch.nn.functional.batch_norm(x, mean, var, scale, shift, training=not (frozen and name == "stem")))
        loss = torch.nn.functional.cross_entropy(torch.nn.functional.linear(x, w["head.weight"], w["head.bias"]), w["data/y"].long())
        loss = loss + sum(0.005 * (w[name] ** 2).sum() for name in trained)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = stepped(made, given, 3)
    for weight in made.graph.weights:
        np.testing.assert_allclose(found[weight.name], w[weight.name].detach(), rtol=0, atol=1e-9, err_msg=weight.name)


def test_what_only_frozen_weights_need_is_not_computed() -> None:
    """No gradient by them, none through what stands before all that is trained, nothing kept by the optimizer."""
    made = net('frozen(on="stem"), times(1, on="body.bias"), frozen(on="body.weight")')
    assert made.plan is not None
    frozen = frozen_weights(made.graph, made.plan)
    assert frozen == {"stem.weight", "stem.bias", "stem.bn.0.scale", "stem.bn.0.shift", "body.weight"}
    graph = training_graph(made.graph, made.plan)
    gradients = {name.removeprefix("d:").partition("#")[0] for name in graph.types if name.startswith("d:")}
    assert not any(name.startswith("stem") or name == "body.weight" for name in gradients), gradients
    assert {"body.bias", "head.weight"} <= gradients
    assert {"body.bias", "body.bn.0.scale", "body.bn.0.mean"} <= {name for name, _ in graph.updates}
    assert not any(name.startswith("stem") for name, _ in graph.updates)
    assert not any(weight.name.startswith(("stem", "body.weight")) and "/" in weight.name for weight in graph.weights)
    outputs = gradient_graph(made.graph, made.plan.loss, frozen).outputs
    assert not any(name.startswith("d:stem") for name in outputs)
