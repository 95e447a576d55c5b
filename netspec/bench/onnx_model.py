"""A net as an ONNX model with its weights in it, as an exporter would write it: batch norm is left for the runtime to fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from netspec.bench.steps import Site, sites
from netspec.bench.weights import Floats
from netspec.diagnostics import UserError
from netspec.graph.graph import Graph
from netspec.layers.arguments import pair

OPSET, IR_VERSION = 20, 9
"""The first operators with `Gelu`, and the format's version that goes with them."""


@cache
def helper() -> Any:
    """What makes models, loaded when it is first asked for."""
    return import_module("onnx.helper")


def onnx_model(graph: Graph, weights: Mapping[str, Floats], batch: int) -> bytes:
    """The model as a file has it, for a fixed batch [N, c, h, w]. Raises UserError for a layer that is not built here."""
    writer = _Writer(weights)
    for site in sites(graph):
        if (write := _LAYERS.get(site.layer.name)) is None:
            raise UserError(f"the bench does not build `{site.layer.name}` for ONNX")
        write(writer, site)
    (source,), (result,) = graph.inputs, graph.outputs
    value, number = helper().make_tensor_value_info, import_module("onnx").TensorProto.FLOAT
    given = value(source.name, number, (batch, *source.type.sample))
    made = value(result, number, (batch, *graph.types[result].type.sample))
    whole = helper().make_graph(writer.nodes, "net", [given], [made], writer.tensors)
    model = helper().make_model(whole, opset_imports=[helper().make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return model.SerializeToString()


@dataclass
class _Writer:
    """The nodes and tensors so far."""

    weights: Mapping[str, Floats]
    nodes: list[Any] = field(default_factory=list[Any])
    tensors: list[Any] = field(default_factory=list[Any])

    def node(self, kind: str, site: Site, inputs: Iterable[str] | None = None, output: str | None = None, **attributes: Any) -> None:
        """A node that reads the site's inputs and makes its result, unless others are named."""
        reads = site.node.inputs if inputs is None else inputs
        self.nodes.append(helper().make_node(kind, list(reads), [output or site.node.output.name], **attributes))

    def own(self, site: Site, *names: str) -> list[str]:
        """The names of a site's weights, which become tensors of the model."""
        found = {name.rpartition(".")[2]: name for name in site.node.weights}
        for name in names:
            if name in found:
                self.tensor(found[name], self.weights[found[name]])
        return [found[name] for name in names if name in found]

    def tensor(self, name: str, value: Any) -> str:
        """A tensor of the model."""
        self.tensors.append(import_module("onnx.numpy_helper").from_array(np.ascontiguousarray(value), name))
        return name


def _conv(writer: _Writer, site: Site) -> None:
    (top, bottom), (left, right) = site.pads
    layer = site.layer
    size, stride, dilation = pair(layer.k), pair(layer.stride), pair(layer.dilation)
    inputs = [*site.node.inputs, *writer.own(site, "weight", "bias")]
    pads = (top, left, bottom, right)
    writer.node("Conv", site, inputs, kernel_shape=size, strides=stride, dilations=dilation, pads=pads, group=layer.groups)


def _dense(writer: _Writer, site: Site) -> None:
    writer.node("Gemm", site, [*site.node.inputs, *writer.own(site, "weight", "bias")], transB=1)


def _bn(writer: _Writer, site: Site) -> None:
    inputs = [*site.node.inputs, *writer.own(site, "scale", "shift", "mean", "var")]
    writer.node("BatchNormalization", site, inputs, epsilon=site.layer.eps)


def _pool(kind: str) -> Callable[[_Writer, Site], None]:
    def write(writer: _Writer, site: Site) -> None:
        attributes: dict[str, Any] = {}
        if kind == "AveragePool":
            if site.averages_padding and site.layer.ceil:
                raise UserError("the bench does not build averages of windows that overhang for ONNX")
            attributes["count_include_pad"] = int(site.layer.count_pad)
        (top, bottom), (left, right) = site.pads
        size, stride = site.window
        writer.node(kind, site, kernel_shape=size, strides=stride, pads=(top, left, bottom, right), **attributes)

    return write


def _gap(writer: _Writer, site: Site) -> None:
    whole = f"{site.node.output.name}/map"
    writer.node("GlobalAveragePool", site, output=whole)
    writer.node("Flatten", site, [whole])


def _merge(kind: str) -> Callable[[_Writer, Site], None]:
    """An operator of two inputs, as often as there are more."""

    def write(writer: _Writer, site: Site) -> None:
        result = site.node.output.name
        first, *others = (_spread(writer, site, k) for k in range(len(site.shapes)))
        for k, other in enumerate(others, 1):
            made = result if k == len(others) else f"{result}/part{k}"
            writer.node(kind, site, [first, other], made)
            first = made

    return write


def _spread(writer: _Writer, site: Site, k: int) -> str:
    """An input of a merge; of a vector that is repeated over a map, one that has the map's dimensions."""
    name, result = site.node.inputs[k], site.node.output.name
    if len(site.shapes[k]) == len(site.output):
        return name
    writer.node("Unsqueeze", site, [name, writer.tensor(f"{result}/axes{k}", np.array([2, 3]))], f"{result}/{k}")
    return f"{result}/{k}"


def _relu6(writer: _Writer, site: Site) -> None:
    bounds = [writer.tensor(f"{site.node.name}/{name}", np.float32(value)) for name, value in (("low", 0), ("high", 6))]
    writer.node("Clip", site, [*site.node.inputs, *bounds])


def _silu(writer: _Writer, site: Site) -> None:
    gate = f"{site.node.output.name}/gate"
    writer.node("Sigmoid", site, output=gate)
    writer.node("Mul", site, [*site.node.inputs, gate])


def _plain(kind: str, **fields: str) -> Callable[[_Writer, Site], None]:
    """An operator of one input; `fields` are its attributes by the names of the layer's."""

    def write(writer: _Writer, site: Site) -> None:
        writer.node(kind, site, **{attribute: getattr(site.layer, name) for attribute, name in fields.items()})

    return write


_LAYERS: dict[str, Callable[[_Writer, Site], None]] = {
    "conv": _conv,
    "dense": _dense,
    "bn": _bn,
    "maxpool": _pool("MaxPool"),
    "avgpool": _pool("AveragePool"),
    "gap": _gap,
    "flatten": _plain("Flatten"),
    "softmax": lambda writer, site: writer.node("Softmax", site, axis=1),
    "relu": _plain("Relu"),
    "relu6": _relu6,
    "leaky_relu": _plain("LeakyRelu", alpha="slope"),
    "elu": _plain("Elu", alpha="alpha"),
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("Tanh"),
    "gelu": _plain("Gelu"),
    "silu": _silu,
    "hardswish": _plain("HardSwish"),
    "add": _merge("Add"),
    "mul": _merge("Mul"),
    "max": _merge("Max"),
    "concat": lambda writer, site: writer.node("Concat", site, axis=1 + site.dimension),
}
