"""The nets that ship with netspec, whole, beside PyTorch with the same weights."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from netspec import sources
from netspec.bench.twin import forward
from netspec.bench.weights import likely_weights
from netspec.diagnostics import Source
from netspec.layers import LAYERS
from netspec.model import Model, load, model
from netspec.passes.lower import Lower
from netspec.runtime import reference
from tests.tolerances import error

pytestmark = pytest.mark.parity


def long(*names: str) -> list[Any]:
    """Nets whose test takes its time."""
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


QUICK = ["LeNet5", "MLP", "ResNet18"]
Gradients = dict[str, NDArray[np.float64]]


WHOLE = [*QUICK, "ResNet50", "DenseNet121", "MobileNetV2", "SqueezeNet1_1", "AlexNet"]
LONG = long("SqueezeNet1_0", "VGG16", "AlexNet_2012", "DeepMLP", "EfficientNetB0", "GoogLeNet", "GoogLeNet_BN", "MobileNetV1")


@pytest.mark.parametrize("name", [*WHOLE, *LONG, *long("ResNeXt50_32x4d", "SEResNet50")])
def test_inference_equals_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    loaded = load(name)
    net = loaded.compile(batch=2, threads=2)
    weights = likely_weights(loaded.graph)
    for gate in (key for key in weights if ".se." in key and key.endswith(".weight")):
        weights[gate] *= np.float32(0.1)  # gates between 0 and 1: at their ends PyTorch's own float32 is 3e-3 from float64
    net.load_weights(weights)
    x = np.random.default_rng(1).standard_normal((2, *net.input_shapes["image"])).astype(np.float32)
    with torch.no_grad():
        expected = forward(loaded.graph, torch.tensor(x), {key: torch.tensor(value) for key, value in weights.items()})
    assert error(net(x), expected.numpy()) < 1e-4


OTHERS: dict[str, dict[str, int]] = {
    "AlphaGoZero": {"blocks": 2, "c": 16},
    "Autoencoder": {},
    "CifarResNet20": {},
    "LeNet5_1998": {},
    "Siamese": {},
    "Speech": {},
    "SpeechAny": {"T": 33},
    "SpeechPicture": {},
    "UNet": {"H": 32, "W": 48},
}
"""Nets with layers that the twin lacks, or with several inputs: reduced, where they have a parameter for it."""


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_inference_equals_the_reference(name: str) -> None:
    loaded = load(name, **OTHERS[name])
    net = loaded.compile(batch=2, threads=2)
    weights = {key: value for key, value in likely_weights(loaded.graph).items() if key in net.weights}
    net.load_weights(weights)
    random = np.random.default_rng(1)
    inputs = {key: random.standard_normal((2, *shape)).astype(np.float32) for key, shape in net.input_shapes.items()}
    tensors = {key: np.asarray(value, np.float64) for key, value in {**net.weights, **inputs}.items()}
    lowered = Lower(False)(loaded.graph)
    expected = reference.run(lowered, tensors)
    found = net(**inputs)
    for actual, key in zip(found.values() if isinstance(found, dict) else [found], loaded.graph.outputs, strict=True):
        legal = expected[key] > -1e8  # illegal moves, at -1e9, would hide every error of the others
        assert error(actual[legal], expected[key][legal]) < 1e-4, key


@pytest.mark.parametrize("name", [*QUICK, *long("DenseNet121", "MobileNetV2", "SqueezeNet1_1", "AlexNet", "VGG11")])
def test_gradients_of_smooth_nets_are_as_exact_as_pytorchs(name: str) -> None:
    """With silu for relu, nothing flips at zero: the float32 step's error against float64 is at most three times PyTorch's own, per tensor,
    with a floor of 1e-5 of the largest gradient's norm.
    """
    ours, theirs, exact = _judge(_smooth(_small(name)))
    largest = max(np.linalg.norm(value) for value in exact.values())
    for key, value in exact.items():
        found, peer = (np.linalg.norm(other[key] - value) for other in (ours, theirs))
        assert found <= max(3 * peer, 1e-5 * largest), f"{key}: {found:.3g}, PyTorch {peer:.3g}, largest {largest:.3g}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet18", "DenseNet121", "MobileNetV2", "SqueezeNet1_1"])
def test_gradients_are_no_more_chaotic_than_pytorchs(name: str) -> None:
    """Where a sum of about zero rounds to the other side, relu passes another gradient: in any layer, for us as for PyTorch, whose layouts
    differ by 1e-2 among themselves. No tensor's relative error is more than three times PyTorch's worst.
    """
    ours, theirs, exact = _judge(_small(name))
    size = {key: np.linalg.norm(value) for key, value in exact.items()}
    worst = max(np.linalg.norm(theirs[key] - value) / size[key] for key, value in exact.items() if size[key] > 1e-6)
    for key, value in exact.items():
        if size[key] > 1e-6:
            assert np.linalg.norm(ours[key] - value) / size[key] <= max(3 * worst, 1e-3), key


def _small(name: str) -> Model:
    """A bundled net on pictures of 64x64, without the dropout that PyTorch would draw otherwise."""
    found = sources.find(name)
    text = re.sub(r"expect\s+\w+\s*\{[^}]*\}|::\s*\[[^]]*\]", "", found.source.text).replace("224, 224", "64, 64")
    small = model(Source(found.source.file, text), found.net or name, {})
    return _with_layers(small, lambda layer: layer.replaced(rate=0.0) if layer.name == "dropout" else layer)


def _smooth(net: Model) -> Model:
    return _with_layers(net, lambda layer: LAYERS["silu"]() if layer.name in ("relu", "relu6") else layer)


def _with_layers(net: Model, change: Any) -> Model:
    graph = net.graph
    nodes = tuple(replace(node, layer=change(node.layer)) for node in graph.layers)
    return replace(net, net=replace(net.net, graph=replace(graph, nodes=nodes)))


def _judge(net: Model) -> tuple[Gradients, Gradients, Gradients]:
    """Gradients: ours, PyTorch's in float32, PyTorch's in float64."""
    torch = pytest.importorskip("torch")
    compiled = net.compile(batch=4, threads=2)
    weights = likely_weights(net.graph)
    compiled.load_weights(weights)
    random = np.random.default_rng(2)
    x = random.standard_normal((4, *compiled.input_shapes["image"])).astype(np.float32)
    labels = random.integers(0, next(iter(compiled.output_shapes.values()))[0], 4)
    smoothing = net.plan.loss[0].loss.options().get("label_smoothing", 0.0) if net.plan else 0.0

    def judged(dtype: Any) -> tuple[float, Gradients]:
        parameters = {key: torch.tensor(value, dtype=dtype, requires_grad=True) for key, value in weights.items()}
        logits = forward(net.graph, torch.tensor(x, dtype=dtype), parameters, training=True)
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels), label_smoothing=smoothing)
        loss.backward()
        return loss.item(), {key: value.grad.double().numpy() for key, value in parameters.items() if value.grad is not None}

    (exact_loss, exact), (_, single) = judged(torch.float64), judged(torch.float32)
    loss, found = compiled.gradients(x, labels)
    assert abs(loss - exact_loss) <= 1e-4 * max(1.0, abs(exact_loss))
    assert set(found) == set(exact)
    return {key: value.astype(np.float64) for key, value in found.items()}, single, exact
