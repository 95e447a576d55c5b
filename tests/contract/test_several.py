"""Nets of several inputs, outputs and losses: their loss and gradients in float64 beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from netspec import model as models
from netspec.compiler import Terms, evaluation_graph, gradient_graph
from netspec.diagnostics import Source
from netspec.kernels.formula import d
from netspec.model import Model
from netspec.passes.attach_loss import CORRECT, LOSS, field_input
from netspec.runtime import reference

TWO = """net Two {
  input picture[2, 6, 6]
  input facts[5]
  a: from picture -> conv(3, 3x3) -> relu -> flatten -> dense(4)
  b: from facts -> dense(4) -> tanh
  both: from a -> add(b)
  output back: dense(5)
  output kind: dense(3)
  output size: from both -> relu -> dense(2)
}
train Two {
  data      = npz("two.npz", kind="labels", size="values")
  loss      = cross_entropy(kind, kind, label_smoothing=0.1) + 0.3 * mse(size, size) + LAST
  optimizer = sgd(lr=0.1)
  epochs    = 1
}
"""


def two(last: str) -> Model:
    text = TWO.replace("LAST", last)
    return models.model(Source("two.net", text), None, {})


def given(net: Model, images: int = 4) -> dict[str, np.ndarray]:
    """Inputs, weights and targets."""
    random = np.random.default_rng(1)
    drawn = {
        item.name: random.normal(size=[images if e == "N" else e for e in item.type.shape])
        for item in (*net.graph.inputs, *net.graph.weights)
    }
    return drawn | {field_input("kind"): random.integers(0, 3, images).astype(float), field_input("size"): random.normal(size=(images, 2))}


LASTS = {"detached": "0.5 * mse(a, b)", "input": "mse(back, facts) / 4", "negative": "-0.25 * mse(b, a)"}


@pytest.mark.parametrize("last", LASTS)
def test_loss_and_gradients_equal_pytorchs(last: str) -> None:
    """Weights of terms, several inputs of different shapes, inner tensors as outputs, and no gradient into a target."""
    torch = pytest.importorskip("torch")
    net = two(LASTS[last])
    tensors = given(net)
    w = {name: torch.tensor(value, requires_grad=not name.startswith(("data/", "picture", "facts"))) for name, value in tensors.items()}
    linear, relu = torch.nn.functional.linear, torch.nn.functional.relu
    a = relu(torch.nn.functional.conv2d(w["picture"], w["a.weight"], w["a.bias"])).flatten(1)
    a = linear(a, w["a.dense.0.weight"], w["a.dense.0.bias"])
    b = torch.tanh(linear(w["facts"], w["b.weight"], w["b.bias"]))
    kind = linear(a + b, w["kind.weight"], w["kind.bias"])
    size = linear(relu(a + b), w["size.weight"], w["size.bias"])
    back = linear(a + b, w["back.weight"], w["back.bias"])
    mse = torch.nn.functional.mse_loss
    loss = torch.nn.functional.cross_entropy(kind, w["data/kind"].long(), label_smoothing=0.1) + 0.3 * mse(size, w["data/size"])
    loss = (
        loss
        + {
            "detached": lambda: 0.5 * mse(a, b.detach()),
            "input": lambda: mse(back, w["facts"]) / 4,
            "negative": lambda: -0.25 * mse(b, a.detach()),
        }[last]()
    )
    loss.backward()
    found = reference.run(gradient_graph(net.graph, terms(net)), tensors)
    assert abs(found[LOSS].item() - loss.item()) < 1e-12
    assert found[CORRECT].item() == (kind.argmax(1) == w["data/kind"]).sum()
    reached = {weight.name for weight in net.graph.weights if w[weight.name].grad is not None}
    assert reached == {name[2:] for name in found if name.startswith("d:") and name[2:] in w}
    for name in reached:
        np.testing.assert_allclose(found[d(name)], w[name].grad, rtol=0, atol=1e-12, err_msg=name)


def terms(net: Model) -> Terms:
    """The loss of its train block."""
    assert net.plan is not None
    return net.plan.loss


def test_a_term_that_reads_what_a_deployed_net_lacks_is_not_in_the_validation_loss() -> None:
    net = two("0.5 * mse(a, b)")
    deployed = models.model(
        Source("two.net", TWO.replace("  output size: from both -> relu -> dense(2)\n", "").partition("train")[0]), None, {}
    )
    found = reference.run(evaluation_graph(deployed.graph, terms(net)), given(net))
    whole = reference.run(evaluation_graph(net.graph, terms(net)), given(net))
    assert "train.2/loss" not in found and field_input("size") not in found
    assert abs(found[LOSS].item() - whole["train.0/loss"].item() - 0.5 * whole["train.2/loss"].item()) < 1e-12
