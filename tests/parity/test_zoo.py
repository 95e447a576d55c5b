"""The nets that ship with netspec, whole, beside PyTorch with the same weights."""

from __future__ import annotations

import numpy as np
import pytest

from netspec.model import load
from tests.tolerances import error
from tests.twin import forward, likely_weights

pytestmark = pytest.mark.parity

NETS = ["LeNet5", "MLP", "ResNet18", "ResNet50", "DenseNet121", "MobileNetV2"]


@pytest.mark.parametrize("name", NETS)
def test_inference_equals_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    model = load(name)
    net = model.compile(batch=2, threads=2)
    weights = likely_weights(model.graph)
    net.load_weights(weights)
    x = np.random.default_rng(1).standard_normal((2, *net.input_shape)).astype(np.float32)
    with torch.no_grad():
        expected = forward(model.graph, torch.tensor(x), {key: torch.tensor(value) for key, value in weights.items()})
    assert error(net(x), expected.numpy()) < 1e-4


@pytest.mark.parametrize("name", ["ResNet18", "DenseNet121", "MobileNetV2", "LeNet5", "MLP"])
def test_gradients_are_as_exact_as_pytorchs(name: str) -> None:
    """The float32 step's error against float64 is at most three times PyTorch's own, per tensor, with a floor of 1e-5 of the largest norm."""
    torch = pytest.importorskip("torch")
    text_of = {"MLP": "MLP", "LeNet5": "LeNet5"}
    model = load(text_of.get(name, name))
    net = model.compile(batch=4, threads=2)
    graph = model.graph
    weights = likely_weights(graph)
    net.load_weights(weights)
    random = np.random.default_rng(2)
    x = random.standard_normal((4, *net.input_shape)).astype(np.float32)
    labels = random.integers(0, net.output_shape[0], 4)

    def judged(dtype):
        parameters = {key: torch.tensor(value, dtype=dtype, requires_grad=True) for key, value in weights.items()}
        logits = forward(graph, torch.tensor(x, dtype=dtype), parameters, training=True)
        smoothing = model.plan.loss[0].loss.label_smoothing if model.plan and model.plan.loss else 0.0
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels), label_smoothing=smoothing)
        loss.backward()
        return loss.item(), {key: value.grad.double().numpy() for key, value in parameters.items() if value.grad is not None}

    exact_loss, exact = judged(torch.float64)
    _, single = judged(torch.float32)
    loss, found = gradients_without_dropout(net, x, labels)
    assert abs(loss - exact_loss) < 1e-4 * max(1.0, abs(exact_loss))
    largest = max(np.linalg.norm(value) for value in exact.values())
    assert set(found) == set(exact)
    for key, value in exact.items():
        ours, theirs = (np.linalg.norm(other - value) for other in (found[key], single[key]))
        assert ours <= max(3 * theirs, 1e-5 * largest), f"{key}: {ours:.3g}, PyTorch {theirs:.3g}, largest {largest:.3g}"


def gradients_without_dropout(net, x, labels):
    """PyTorch draws other random numbers: dropout is left out on both sides."""
    from dataclasses import replace

    graph = net.model.graph
    quiet = tuple(replace(node, layer=node.layer.model_copy(update={"rate": 0.0})) if node.layer.name == "dropout" else node for node in graph.nodes)
    model = replace(net.model, net=replace(net.model.net, graph=replace(graph, nodes=quiet)))
    other = model.compile(batch=net.batch, threads=net.threads)
    other.load_weights(net.weights)
    return other.gradients(x, labels)


