"""Weights that several layers have: values, gradients (which add up) and running statistics equal PyTorch's in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from harness import random_tensors

from netspec.bench.twin import forward
from netspec.diagnostics import Source
from netspec.elaborate import elaborate
from netspec.graph.graph import Graph, Op, verify
from netspec.graph.types import TensorType, Value
from netspec.kernels.affine import Axis
from netspec.kernels.formula import Tensor, d, total
from netspec.passes.differentiate import Differentiate
from netspec.passes.lower import Lower
from netspec.runtime import reference
from netspec.syntax.parse import parse

pytestmark = pytest.mark.parity

TIED = """net N {
  input x[2, 6, 6]
  e: conv(3, 3x3, pad=1) -> tanh
  code: flatten -> dense(4) -> tanh
  dense(108, weight=code.weight.T) -> sigmoid
  dense(4, weight=code.weight)
}"""
SHARED = """net N {
  input x[3, 6, 6]
  step: conv(3, 3x3, pad=1) -> silu
  share(step)
  join: add { | share(step) | skip }
  conv(3, 3x3, pad=1, weight=step.weight) -> conv(3, 3x3, pad=1, groups=3, bias=no, weight=[[0, 1, 0], [1, 2, 1], [0, 1, 0]])
  gap -> dense(5)
}"""
NORMED = """net N {
  input x[3, 5, 5]
  a: conv(3, 3x3, pad=1, bias=no) -> bn -> tanh
  share(a)
  share(a) -> gap -> dense(2)
}"""


def built(text: str) -> Graph:
    graph = elaborate(parse(text, "n.net"), Source("n.net", text)).nets[0].graph
    assert graph is not None
    return graph


def probed(net: Graph) -> Graph:
    """The net in training, the loss that is the sum of its result times `probe`, and the gradients."""
    (name,), lowered = net.outputs, Lower(training=True)(net)
    kind = net.types[name].type
    axes = tuple(Axis(f"i{k}", extent) for k, extent in enumerate(kind.shape))
    formula = total(Tensor("loss")[0], Tensor(name)[axes] * Tensor("probe")[axes])
    loss = Op("loss", (formula,), (Value("loss", TensorType((1,))),), "loss")
    inputs = (*lowered.inputs, Value("probe", kind))
    return verify(Differentiate("loss")(verify(Graph("n", inputs, lowered.weights, (*lowered.ops, loss), ("loss", name), lowered.updates))))


def ours_and_theirs(text: str) -> tuple[Graph, Graph, dict[str, Any], dict[str, Any], Any]:
    torch, net = pytest.importorskip("torch"), built(text)
    graph = probed(net)
    tensors = {name: np.abs(value) + 0.5 if name.endswith("var") else value for name, value in random_tensors(graph, 4).items()}
    trained = [weight.name for weight in net.weights if weight.role == "trainable"]
    theirs = {name: torch.tensor(value, requires_grad=name in trained) for name, value in tensors.items()}
    return net, graph, reference.run(graph, tensors), theirs, trained


@pytest.mark.parametrize("text", [TIED, SHARED, NORMED], ids=["tied", "shared", "normed"])
def test_a_training_step_is_pytorchs(text: str) -> None:
    net, _, ours, theirs, trained = ours_and_theirs(text)
    result = forward(net, theirs["x"], theirs, training=True)
    (result * theirs["probe"]).sum().backward()
    np.testing.assert_allclose(ours[net.outputs[0]], result.detach().numpy(), rtol=1e-9, atol=1e-10)
    for name in trained:
        np.testing.assert_allclose(ours[d(name)], theirs[name].grad.numpy(), rtol=1e-8, atol=1e-9, err_msg=name)


def test_every_use_moves_the_running_statistics_in_turn() -> None:
    torch = pytest.importorskip("torch")
    _, graph, ours, theirs, _ = ours_and_theirs(NORMED)
    f, x = torch.nn.functional, theirs["x"]
    with torch.no_grad():
        for _ in range(3):
            x = f.conv2d(x, theirs["a.weight"], padding=1)
            x = f.batch_norm(x, theirs["a.bn.0.mean"], theirs["a.bn.0.var"], theirs["a.bn.0.scale"], theirs["a.bn.0.shift"], True, 0.1)
            x = torch.tanh(x)
    updates = dict(graph.updates)
    assert len(updates) == len(graph.updates) == 2
    for name, value in updates.items():
        np.testing.assert_allclose(ours[value], theirs[name].numpy(), rtol=1e-9)
