"""A net in ncnn's format, a text of layers and their weights in a row, as its own optimiser leaves it: batch norm and activations are in
the convolutions before them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netspec.bench.steps import Site, sites
from netspec.bench.weights import Floats
from netspec.diagnostics import UserError
from netspec.graph.graph import Graph
from netspec.layers.arguments import pair

MAGIC, ALL, RAW = 7767517, -233, np.zeros(1, "<i4").tobytes()
"""What a file begins with; an axis or area that means everything; what stands before weights that are plain float32."""
Arguments = dict[int, object]
FUSED: dict[str, tuple[int, str]] = {"relu": (1, ""), "relu6": (3, "2,0.0,6.0")}
"""Activations that a convolution applies: their number in ncnn, and their parameters with how many there are."""


def ncnn_model(graph: Graph, weights: Mapping[str, Floats]) -> tuple[str, bytes]:
    """The text and the weights; the input is called `x`, the result `y`. Raises UserError for a layer that is not built here."""
    writer = _Writer(graph, weights)
    writer.layer("Input", "input", (), "x")
    writer.names[graph.inputs[0].name] = "x"
    for site in sites(graph):
        if site.node.name not in writer.done:
            if (write := _LAYERS.get(site.layer.name)) is None:
                raise UserError(f"the bench does not build `{site.layer.name}` for ncnn")
            write(writer, site)
    return writer.text(), b"".join(writer.data)


@dataclass
class _Writer:
    """The layers so far. ncnn wants a Split before a value that several layers read: `names` has the copies that are left of each."""

    graph: Graph
    weights: Mapping[str, Floats]
    lines: list[str] = field(default_factory=list[str])
    data: list[bytes] = field(default_factory=list[bytes])
    done: set[str] = field(default_factory=set[str])
    names: dict[str, str] = field(default_factory=dict[str, str])
    copies: Counter[str] = field(default_factory=Counter[str])
    blobs: int = 0

    def __post_init__(self) -> None:
        self.following = {name: [node for node in self.graph.layers if name in node.inputs] for name in self.graph.types}
        self.sites = {site.node.name: site for site in sites(self.graph)}

    def layer(self, kind: str, name: str, bottoms: tuple[str, ...], top: str, arguments: Arguments | None = None) -> None:
        """A line of the text."""
        given = " ".join(f"{key if not isinstance(value, str) else -23300 - key}={value}" for key, value in (arguments or {}).items())
        self.lines.append(" ".join([kind, name, str(len(bottoms)), "1", *bottoms, top, given]).strip())
        self.blobs += 1

    def add(self, kind: str, site: Site, arguments: Arguments | None = None, result: str | None = None) -> None:
        """A layer that reads the site's inputs and makes its result (or a later one's, of which it does the work too)."""
        made = result or site.node.output.name
        top = "y" if made in self.graph.outputs else f"v{len(self.names)}"
        self.layer(kind, f"l{len(self.lines)}", tuple(self.read(name) for name in site.node.inputs), top, arguments)
        self.publish(made, top)

    def publish(self, value: str, blob: str) -> None:
        """A value is there; where several read it, as copies."""
        self.names[value] = blob
        readers = sum(node.inputs.count(value) for node in self.following[value])
        if readers > 1:
            tops = " ".join(f"{blob}_{k}" for k in range(readers))
            self.lines.append(f"Split s{len(self.lines)} 1 {readers} {blob} {tops}")
            self.blobs += readers
            self.copies[value] = readers

    def read(self, value: str) -> str:
        """The name under which the next reader finds a value."""
        if not self.copies[value]:
            return self.names[value]
        self.copies[value] -= 1
        return f"{self.names[value]}_{self.copies[value]}"

    def next(self, value: str, kinds: frozenset[str]) -> Site | None:
        """The only reader of a value, if it is of one of these kinds."""
        readers = self.following[value]
        if len(readers) != 1 or value in self.graph.outputs or readers[0].layer.name not in kinds:
            return None
        return self.sites[readers[0].name]

    def own(self, site: Site) -> dict[str, Floats]:
        """A site's weights by their own names."""
        return {name.rpartition(".")[2]: self.weights[name] for name in site.node.weights}

    def raw(self, *values: Floats) -> None:
        """Numbers as they are."""
        self.data.extend(np.ascontiguousarray(value, "<f4").tobytes() for value in values)

    def text(self) -> str:
        """The text of the model."""
        return "\n".join([str(MAGIC), f"{len(self.lines)} {self.blobs}", *self.lines, ""])


def _linear(writer: _Writer, site: Site, kind: str, arguments: Arguments) -> None:
    """A convolution or dense layer with the batch norm and the activation that follow it. 5 and 1 are ncnn's keys of `has a bias`."""
    own = writer.own(site)
    weight, bias, result = own["weight"], own.get("bias"), site.node.output.name
    if (norm := writer.next(result, frozenset({"bn"}))) is not None:
        factor, shift = _affine(writer.own(norm), norm.layer.eps)
        weight = weight * factor.reshape(-1, *(1,) * (weight.ndim - 1))
        bias = shift if bias is None else bias * factor + shift
        result = norm.node.output.name
        writer.done.add(norm.node.name)
    if (activation := writer.next(result, frozenset(FUSED))) is not None:
        number, parameters = FUSED[activation.layer.name]
        arguments |= {9: number} | ({10: parameters} if parameters else {})
        result = activation.node.output.name
        writer.done.add(activation.node.name)
    sizes: Arguments = (
        {5: int(bias is not None), 6: weight.size} if site.layer.name == "conv" else {1: int(bias is not None), 2: weight.size}
    )
    writer.add(kind, site, {0: len(weight), **sizes, **arguments}, result)
    writer.data.append(RAW)
    writer.raw(weight, *([] if bias is None else [bias]))


def _affine(own: Mapping[str, Floats], eps: float) -> tuple[Floats, Floats]:
    """Batch norm as a factor and a shift of each channel."""
    factor: Floats = (own["scale"] / np.sqrt(own["var"] + eps)).astype(np.float32)
    shift: Floats = (own["shift"] - own["mean"] * factor).astype(np.float32)
    return factor, shift


def _conv(writer: _Writer, site: Site) -> None:
    layer = site.layer
    (top, bottom), (left, right) = site.pads
    size, stride, dilation = pair(layer.k), pair(layer.stride), pair(layer.dilation)
    arguments: Arguments = {1: size[1], 11: size[0], 2: dilation[1], 12: dilation[0], 3: stride[1], 13: stride[0]}
    arguments |= {4: left, 15: right, 14: top, 16: bottom}
    if layer.groups > 1:
        arguments[7] = layer.groups
    _linear(writer, site, "ConvolutionDepthWise" if layer.groups > 1 else "Convolution", arguments)


def _bn(writer: _Writer, site: Site) -> None:
    own = writer.own(site)
    writer.add("BatchNorm", site, {0: site.output[0], 1: site.layer.eps})
    writer.raw(own["scale"], own["mean"], own["var"], own["shift"])


def _pool(kind: int) -> Callable[[_Writer, Site], None]:
    def write(writer: _Writer, site: Site) -> None:
        if kind and site.averages_padding:
            raise UserError("the bench does not build averages that leave out padding for ncnn")
        (top, bottom), (left, right) = site.pads
        size, stride = site.window
        arguments: Arguments = {0: kind, 1: size[1], 11: size[0], 2: stride[1], 12: stride[0]}
        writer.add("Pooling", site, arguments | {3: left, 14: right, 13: top, 15: bottom, 5: 1, 6: kind})

    return write


def _merge(number: int) -> Callable[[_Writer, Site], None]:
    def write(writer: _Writer, site: Site) -> None:
        if len(site.shapes) != 2:
            raise UserError(f"the bench does not build `{site.layer.name}` of {len(site.shapes)} for ncnn")
        writer.add("BinaryOp", site, {0: number})

    return write


def _plain(kind: str, arguments: Callable[[Any], Arguments] = lambda layer: {}) -> Callable[[_Writer, Site], None]:
    return lambda writer, site: writer.add(kind, site, arguments(site.layer))


_LAYERS: dict[str, Callable[[_Writer, Site], None]] = {
    "conv": _conv,
    "dense": lambda writer, site: _linear(writer, site, "InnerProduct", {}),
    "bn": _bn,
    "maxpool": _pool(0),
    "avgpool": _pool(1),
    "gap": _plain("Pooling", lambda layer: {0: 1, 4: 1}),
    "flatten": _plain("Flatten"),
    "softmax": _plain("Softmax", lambda layer: {0: 0, 1: 1}),
    "relu": _plain("ReLU"),
    "relu6": _plain("Clip", lambda layer: {0: 0.0, 1: 6.0}),
    "leaky_relu": _plain("ReLU", lambda layer: {0: layer.slope}),
    "elu": _plain("ELU", lambda layer: {0: layer.alpha}),
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("TanH"),
    "gelu": _plain("GELU"),
    "silu": _plain("Swish"),
    "hardswish": _plain("HardSwish", lambda layer: {0: 1 / 6, 1: 0.5}),
    "add": _merge(0),
    "mul": _merge(2),
    "max": _merge(4),
    "concat": lambda writer, site: writer.add("Concat", site, {0: site.dimension}),
}
