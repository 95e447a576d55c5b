"""A net's graph evaluated by PyTorch, layer by layer: the judge of whole nets. Weights come by name, in PyTorch's layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from netspec.graph.graph import Graph, Node
from netspec.layers.arguments import pair


def forward(graph: Graph, x: Any, weights: Mapping[str, Any], training: bool = False, keep: bool = False) -> Any:
    """The (first) output of a graph of layers; with `keep`, all values by name. Dropout is not drawn: its net must not have it in
    training.
    """
    values: dict[str, Any] = {graph.inputs[0].name: x}
    for node in graph.layers:
        values[node.output.name] = apply(node, [values[name] for name in node.inputs], weights, training)
    return values if keep else values[graph.outputs[0]]


def apply(node: Node, inputs: list[Any], weights: Mapping[str, Any], training: bool) -> Any:
    """One layer."""
    layer: Any = node.layer
    own = {name.rpartition(".")[2]: weights[name] for name in node.weights}
    return _LAYERS[layer.name](layer, inputs, own, training)


def _padded(layer: Any, x: Any, value: float) -> Any:
    import torch.nn.functional as F

    (top, bottom), (left, right) = layer.pads(tuple(x.shape[1:]))
    return F.pad(x, (left, right, top, bottom), value=value)


def _conv(layer: Any, inputs: list[Any], own: Mapping[str, Any], _training: bool) -> Any:
    import torch.nn.functional as F

    (top, bottom), (left, right) = layer.pads(tuple(inputs[0].shape[1:]))
    even = top == bottom and left == right
    x = inputs[0] if even else _padded(layer, inputs[0], 0.0)
    padding = (top, left) if even else 0
    return F.conv2d(x, own["weight"], own.get("bias"), pair(layer.stride), padding, pair(layer.dilation), layer.groups)


def _bn(layer: Any, inputs: list[Any], own: Mapping[str, Any], training: bool) -> Any:
    import torch.nn.functional as F

    mean, var = (None, None) if training else (own["mean"], own["var"])
    return F.batch_norm(inputs[0], mean, var, own["scale"], own["shift"], training, layer.momentum, layer.eps)


def _maxpool(layer: Any, inputs: list[Any], _own: Mapping[str, Any], _training: bool) -> Any:
    import torch.nn.functional as F

    x = _padded(layer, inputs[0], float("-inf"))
    return F.max_pool2d(x, pair(layer.k), pair(layer.stride or layer.k), 0, 1, layer.ceil)


def _avgpool(layer: Any, inputs: list[Any], _own: Mapping[str, Any], _training: bool) -> Any:
    import torch.nn.functional as F

    (top, bottom), (left, right) = layer.pads(tuple(inputs[0].shape[1:]))
    assert top == bottom, "PyTorch pads averages alike on both sides"
    assert left == right, "PyTorch pads averages alike on both sides"
    return F.avg_pool2d(inputs[0], pair(layer.k), pair(layer.stride or layer.k), (top, left), layer.ceil, layer.count_pad)


def _broadcast(inputs: list[Any]) -> list[Any]:
    rank = max(x.ndim for x in inputs)
    return [x.reshape(*x.shape, *(1,) * (rank - x.ndim)) for x in inputs]


def _torch() -> Any:
    import torch

    return torch


def _merge(name: str) -> Any:
    def merge(_layer: Any, inputs: list[Any], _own: Mapping[str, Any], _training: bool) -> Any:
        first, *rest = _broadcast(inputs)
        for item in rest:
            first = {"add": first.__add__, "mul": first.__mul__, "max": lambda other, a=first: _torch().maximum(a, other)}[name](item)
        return first

    return merge


def _pointwise(function: Any) -> Any:
    return lambda layer, inputs, _own, _training: function(layer, inputs[0])


_LAYERS: dict[str, Any] = {
    "conv": _conv,
    "dense": lambda _layer, inputs, own, _training: _torch().nn.functional.linear(inputs[0], own["weight"], own.get("bias")),
    "bn": _bn,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "gap": _pointwise(lambda _layer, x: x.mean((2, 3))),
    "flatten": _pointwise(lambda _layer, x: x.flatten(1)),
    "dropout": _pointwise(lambda _layer, x: x),
    "softmax": _pointwise(lambda _layer, x: x.softmax(1)),
    "relu": _pointwise(lambda _layer, x: x.relu()),
    "relu6": _pointwise(lambda _layer, x: _torch().nn.functional.relu6(x)),
    "leaky_relu": _pointwise(lambda layer, x: _torch().nn.functional.leaky_relu(x, layer.slope)),
    "elu": _pointwise(lambda layer, x: _torch().nn.functional.elu(x, layer.alpha)),
    "sigmoid": _pointwise(lambda _layer, x: x.sigmoid()),
    "tanh": _pointwise(lambda _layer, x: x.tanh()),
    "gelu": _pointwise(lambda _layer, x: _torch().nn.functional.gelu(x)),
    "silu": _pointwise(lambda _layer, x: _torch().nn.functional.silu(x)),
    "hardswish": _pointwise(lambda _layer, x: _torch().nn.functional.hardswish(x)),
    "add": _merge("add"),
    "mul": _merge("mul"),
    "max": _merge("max"),
    "concat": lambda _layer, inputs, _own, _training: _torch().cat(inputs, 1),
}


def likely_weights(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights as a trained net has them: activations keep their size through the layers, statistics differ from 0 and 1."""
    random = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for weight in graph.weights:
        shape = tuple(extent for extent in weight.type.shape if isinstance(extent, int))
        kind = weight.name.rpartition(".")[2]
        noise = random.standard_normal(shape)
        match kind:
            case "weight":
                value = noise * np.sqrt(2.0 / max(1, np.prod(shape[1:])))
            case "scale" | "var":
                value = 1 + 0.2 * np.abs(noise)
            case _:
                value = 0.1 * noise
        found[weight.name] = value.astype(np.float32)
    return found
