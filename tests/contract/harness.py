"""A layer alone in a graph, lowered and differentiated by the real passes, run by the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netspec.graph.graph import Graph, Node, Op, verify
from netspec.graph.types import Layer, Shape, TensorType, Value, Weight, batched
from netspec.kernels.affine import Axis
from netspec.kernels.formula import Tensor, d, total
from netspec.passes.differentiate import Differentiate
from netspec.passes.lower import Lower
from netspec.runtime import reference

Array = NDArray[np.float64]
Twin = Callable[[ModuleType, Mapping[str, Any]], Any]
"""From torch and its tensors, by our local names, to the result."""
BATCH = 3


def inputs_of(layer: Layer, shapes: tuple[Shape, ...]) -> tuple[str, ...]:
    return tuple(f"x{k}" for k in range(len(shapes))) if layer.merge else ("x",)


def alone(layer: Layer, shapes: tuple[Shape, ...]) -> Graph:
    """input -> layer, the layer's own names for everything."""
    inputs = tuple(Value(name, batched(shape)) for name, shape in zip(inputs_of(layer, shapes), shapes, strict=True))
    weights = layer.weights(*shapes)
    names = tuple(value.name for value in inputs), tuple(weight.name for weight in weights)
    node = Node("layer", layer, *names, Value("y", batched(layer.infer(*shapes))))
    return Graph("alone", inputs, weights, (node,), ("y",))


def lowered(layer: Layer, shapes: tuple[Shape, ...], training: bool) -> Graph:
    return verify(Lower(training)(alone(layer, shapes)))


def probed(layer: Layer, shapes: tuple[Shape, ...]) -> Graph:
    """The training graph with loss = sum of y * probe, and its gradient by every input and weight."""
    graph = lowered(layer, shapes, training=True)
    kind = graph.types["y"].type
    axes = tuple(Axis(f"i{k}", extent) for k, extent in enumerate(kind.shape))
    formula = total(Tensor("loss")[0], Tensor("y")[axes] * Tensor("probe")[axes])
    loss = Op("loss", (formula,), (Value("loss", TensorType((1,))),), "loss")
    inputs = (*graph.inputs, Value("probe", kind))
    graph = Graph("probed", inputs, graph.weights, (*graph.ops, loss), ("loss", "y"), graph.updates)
    return verify(Differentiate("loss", inputs_of(layer, shapes))(verify(graph)))


def random_tensors(graph: Graph, batch: int = BATCH, seed: int = 0) -> dict[str, Array]:
    """Inputs and weights from a normal distribution; variances stay positive."""
    random = np.random.default_rng(seed)

    def draw(item: Value | Weight) -> Array:
        values = random.standard_normal([batch if isinstance(extent, str) else extent for extent in item.type.shape])
        return np.abs(values) + 0.5 if item.name == "var" else values

    return {item.name: draw(item) for item in (*graph.inputs, *graph.weights)}


def differentiable(graph: Graph) -> tuple[str, ...]:
    """The tensors by which a probed graph must give a gradient."""
    inputs = tuple(value.name for value in graph.inputs if value.name != "probe")
    return inputs + tuple(weight.name for weight in graph.weights if weight.role == "trainable")


def check_gradients(graph: Graph, tensors: Mapping[str, Array], scalars: Mapping[str, float] | None = None) -> None:
    """Every derived gradient against central differences along random directions."""
    random, step = np.random.default_rng(1), 1e-6
    values = reference.run(graph, tensors, scalars)
    for name in differentiable(graph):
        assert values[d(name)].shape == tensors[name].shape
        for _ in range(2):
            direction = random.standard_normal(tensors[name].shape)
            ends = [
                float(reference.run(graph, {**tensors, name: tensors[name] + sign * step * direction}, scalars)["loss"][0])
                for sign in (1, -1)
            ]
            expected, actual = (ends[0] - ends[1]) / (2 * step), float(np.sum(values[d(name)] * direction))
            np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=1e-3, err_msg=f"{graph.nodes[0].name} by {name}")


def compare(
    torch: ModuleType, layer: Layer, shapes: tuple[Shape, ...], twin: Twin, tensors: Mapping[str, Array] | None = None
) -> dict[str, Array]:
    """Hold value and gradients against PyTorch's; returns what the reference computed."""
    graph = probed(layer, shapes)
    tensors = tensors or random_tensors(graph)
    ours = reference.run(graph, tensors)
    theirs = {name: torch.tensor(value, requires_grad=name in differentiable(graph)) for name, value in tensors.items()}
    result = twin(torch, theirs)
    (result * theirs["probe"]).sum().backward()
    np.testing.assert_allclose(ours["y"], result.detach().numpy(), rtol=1e-8, atol=1e-8)
    for name in differentiable(graph):
        np.testing.assert_allclose(ours[d(name)], theirs[name].grad.numpy(), rtol=1e-8, atol=1e-8, err_msg=name)
    return ours
