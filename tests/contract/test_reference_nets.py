"""Small nets of every family, whole: the reference's value and gradients equal PyTorch's in float64, in training and in inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from harness import Array, random_tensors

from netspec.graph.graph import Graph, Node, Op, verify
from netspec.graph.types import Shape, TensorType, Value, Weight, batched
from netspec.kernels.affine import Axis
from netspec.kernels.formula import Tensor, d, total
from netspec.layers import LAYERS
from netspec.passes.differentiate import Differentiate
from netspec.passes.lower import Lower
from netspec.runtime import reference

pytestmark = pytest.mark.parity


class Net:
    """A graph written down layer by layer; `x` is the input."""

    def __init__(self, shape: Shape) -> None:
        self.shapes: dict[str, Shape] = {"x": shape}
        self.weights: list[Weight] = []
        self.nodes: list[Node] = []

    def add(self, name: str, kind: str, *inputs: str, **arguments: object) -> str:
        layer, shapes = LAYERS[kind](**arguments), tuple(self.shapes[item] for item in inputs)
        self.shapes[name] = layer.infer(*shapes)
        weights = [Weight(f"{name}.{item.name}", item.type, item.init, item.role) for item in layer.weights(*shapes)]
        self.weights += weights
        self.nodes.append(Node(name, layer, inputs, tuple(item.name for item in weights), Value(name, batched(self.shapes[name]))))
        return name

    def chain(self, start: str, prefix: str, *steps: tuple[str, dict[str, object]]) -> str:
        for kind, arguments in steps:
            start = self.add(f"{prefix}{len(self.nodes)}", kind, start, **arguments)
        return start

    def graph(self, training: bool) -> Graph:
        result = self.nodes[-1].output
        layers = Graph("net", (Value("x", batched(self.shapes["x"])),), tuple(self.weights), tuple(self.nodes), (result.name,))
        graph = verify(Lower(training)(verify(layers)))
        if not training:
            return graph
        axes = tuple(Axis(f"i{k}", extent) for k, extent in enumerate(result.type.shape))
        formula = total(Tensor("loss")[0], Tensor(result.name)[axes] * Tensor("probe")[axes])
        loss = Op("loss", (formula,), (Value("loss", TensorType((1,))),), "loss")
        inputs = (*graph.inputs, Value("probe", result.type))
        whole = Graph("net", inputs, graph.weights, (*graph.ops, loss), (*graph.outputs, "loss"), graph.updates)
        return verify(Differentiate("loss", ("x",))(verify(whole)))


def twin(torch: ModuleType, net: Net, t: Mapping[str, Any], training: bool) -> Any:
    """The same net in PyTorch, node by node."""
    f = torch.nn.functional

    def bn(node: Node, x: Any) -> Any:
        scale, shift, mean, var = (t[name] for name in node.weights)
        return f.batch_norm(x, mean.clone(), var.clone(), scale, shift, training, node.layer.momentum, node.layer.eps)

    def conv(node: Node, x: Any) -> Any:
        layer: Any = node.layer
        weight, *bias = (t[name] for name in node.weights)
        weight = weight if layer.connect is None else whole(torch, layer.connect, weight)
        if x.ndim == 3:
            return f.conv1d(x.mT, weight, *bias, stride=layer.stride, padding=layer.pad).mT
        return f.conv2d(x, weight, *bias, stride=layer.stride, padding=layer.pad, groups=layer.groups)

    def convt(node: Node, x: Any) -> Any:
        return f.conv_transpose2d(x, *(t[name] for name in node.weights), stride=node.layer.stride, padding=node.layer.pad)

    known: dict[str, Callable[[Node, Any], Any]] = {
        "bn": bn,
        "conv": conv,
        "convt": convt,
        "dense": lambda node, x: f.linear(x, *(t[name] for name in node.weights)),
        "add": lambda node, *x: sum(x),
        "mul": lambda node, x, y: x * y[:, :, None, None],
        "concat": lambda node, *x: torch.cat(x, 1),
    }
    values: dict[str, Any] = {"x": t["x"]}
    for node in net.nodes:
        inputs = [values[name] for name in node.inputs]
        if node.layer.name in known:
            values[node.name] = known[node.layer.name](node, *inputs)
        elif node.layer.name in WITHOUT_WEIGHTS:
            values[node.name] = WITHOUT_WEIGHTS[node.layer.name](f, node.layer, *inputs)
        else:
            values[node.name] = getattr(f, node.layer.name)(*inputs)
    return values[net.nodes[-1].name]


def whole(torch: ModuleType, table: tuple[str, ...], weight: Any) -> Any:
    """The kernels of a connection table among zeros."""
    links = [(c, i) for c in range(len(table[0])) for i, row in enumerate(table) if row[c] == "X"]
    dense = torch.zeros(len(table[0]), len(table), *weight.shape[1:], dtype=torch.float64)
    return dense.index_put(tuple(torch.tensor(links).T), weight)


def maxpool(f: Any, layer: Any, x: Any) -> Any:
    """Along height and width, or along steps."""
    return f.max_pool1d(x.mT, layer.k).mT if x.ndim == 3 else f.max_pool2d(x, layer.k, layer.stride, layer.pad)


def crop(f: Any, layer: Any, x: Any) -> Any:
    """The middle; negative pads cut."""
    (h, w), (height, width) = layer.size, x.shape[2:]
    top, left = (height - h) // 2, (width - w) // 2
    return f.pad(x, (-left, w + left - width, -top, h + top - height))


WITHOUT_WEIGHTS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "maxpool": maxpool,
    "crop": crop,
    "avgpool": lambda f, layer, x: f.avg_pool2d(x, layer.k),
    "gap": lambda f, layer, x: x.mean(1) if x.ndim == 3 else x.mean((2, 3)),
    "flatten": lambda f, layer, x: x.flatten(1),
    "reshape": lambda f, layer, x: x.reshape(-1, *layer.shape),
    "up": lambda f, layer, x: f.interpolate(x, scale_factor=layer.factor, mode={"linear": "bilinear"}.get(layer.mode, "nearest")),
    "shuffle": lambda f, layer, x: f.channel_shuffle(x, layer.groups),
    "crelu": lambda f, layer, x: f.relu(x.unsqueeze(1) * x.new_tensor([1, -1])[:, None, None, None]).flatten(1, 2),
    "stanh": lambda f, layer, x: 1.7159 * f.tanh(2 / 3 * x),
}
"""Of torch.nn.functional, a layer and its input."""


def lenet() -> Net:
    net = Net((1, 14, 14))
    steps = [("conv", {"c": 3, "k": 5, "pad": 2}), ("relu", {}), ("maxpool", {"k": 2}), ("conv", {"c": 4, "k": 3}), ("tanh", {})]
    head = [("avgpool", {"k": 2}), ("flatten", {}), ("dense", {"units": 6}), ("relu", {}), ("dense", {"units": 5})]
    net.chain("x", "s", *steps, *head)
    return net


def resnet() -> Net:
    net = Net((3, 12, 12))
    conv = {"bias": False}
    x = net.chain(
        "x",
        "s",
        ("conv", {"c": 4, "k": 3, "stride": 2, "pad": 1, **conv}),
        ("bn", {}),
        ("relu", {}),
        ("maxpool", {"k": 3, "stride": 2, "pad": 1}),
    )
    for k, stride in enumerate((1, 2)):
        body = [
            ("conv", {"c": 3, "k": 1, **conv}),
            ("bn", {}),
            ("relu", {}),
            ("conv", {"c": 3, "k": 3, "stride": stride, "pad": 1, **conv}),
        ]
        left = net.chain(x, f"left{k}_", *body, ("bn", {}), ("relu", {}), ("conv", {"c": 8, "k": 1, **conv}), ("bn", {}))
        right = net.chain(x, f"right{k}_", ("conv", {"c": 8, "k": 1, "stride": stride, **conv}), ("bn", {}))
        gate = net.chain(left, f"gate{k}_", ("gap", {}), ("dense", {"units": 2}), ("silu", {}), ("dense", {"units": 8}), ("sigmoid", {}))
        left = net.add(f"scaled{k}", "mul", left, gate)
        x = net.chain(net.add(f"sum{k}", "add", left, right), f"out{k}_", ("relu", {}))
    net.chain(x, "head", ("gap", {}), ("dense", {"units": 5}))
    return net


def mobilenet() -> Net:
    net = Net((4, 7, 7))
    expand = [("conv", {"c": 8, "k": 1, "bias": False}), ("bn", {}), ("relu6", {})]
    depthwise = [("conv", {"c": 8, "k": 3, "pad": 1, "groups": 8, "bias": False}), ("bn", {}), ("hardswish", {})]
    branch = net.chain("x", "b", *expand, *depthwise, ("conv", {"c": 4, "k": 1}), ("bn", {}))
    x = net.add("joined", "add", branch, "x")
    net.chain(x, "h", ("conv", {"c": 8, "k": 3, "stride": 2, "groups": 2}), ("gelu", {}), ("gap", {}), ("dense", {"units": 3}))
    return net


def densenet() -> Net:
    net, x = Net((3, 6, 6)), "x"
    for k in range(3):
        new = net.chain(x, f"layer{k}_", ("bn", {}), ("elu", {}), ("conv", {"c": 2, "k": 3, "pad": 1, "bias": False}))
        x = net.add(f"all{k}", "concat", x, new)
    net.chain(x, "h", ("avgpool", {"k": 2}), ("flatten", {}), ("dense", {"units": 4}))
    return net


def unet() -> Net:
    """Down and up again; the encoder's maps are cropped and joined, as in the paper."""
    net = Net((2, 12, 14))
    keep = net.chain("x", "a", ("conv", {"c": 3, "k": 3}), ("silu", {}))
    x = net.chain(keep, "b", ("maxpool", {"k": 2}), ("conv", {"c": 4, "k": 3}), ("silu", {}))
    x = net.chain(x, "up", ("convt", {"c": 3, "k": 2, "stride": 2}))
    x = net.add("joined", "concat", net.add("cut", "crop", keep, size=net.shapes[x][1:]), x)
    net.chain(x, "c", ("conv", {"c": 2, "k": 3}), ("up", {"factor": (2, 1)}), ("up", {"factor": 2, "mode": "linear"}))
    return net


def speech() -> Net:
    """Windows along the steps of [t, f]."""
    net = Net((17, 5))
    steps = [("conv", {"c": 6, "k": 5, "stride": 2, "pad": 2}), ("silu", {}), ("conv", {"c": 4, "k": 3, "pad": 1}), ("tanh", {})]
    net.chain("x", "s", *steps, ("maxpool", {"k": 2}), ("gap", {}), ("dense", {"units": 3}))
    return net


def spectrogram() -> Net:
    net = Net((9, 6))
    steps = [("reshape", {"shape": (1, 9, 6)}), ("conv", {"c": 3, "k": (5, 3)}), ("tanh", {}), ("maxpool", {"k": (1, 2)})]
    net.chain("x", "s", *steps, ("flatten", {}), ("dense", {"units": 4}))
    return net


def lenet_of_1998() -> Net:
    """Maps that read some of the maps before them."""
    net, table = Net((1, 12, 12)), ("X..X", "XX.X", ".XX.")
    steps = [("conv", {"c": 3, "k": 5}), ("stanh", {}), ("avgpool", {"k": 2}), ("conv", {"c": 4, "k": 3, "connect": table}), ("stanh", {})]
    net.chain("x", "s", *steps, ("flatten", {}), ("dense", {"units": 4}))
    return net


def autoencoder() -> Net:
    net = Net((1, 8, 8))
    half = {"k": 4, "stride": 2, "pad": 1}
    encoder = [("conv", {"c": 3, **half}), ("silu", {}), ("flatten", {}), ("dense", {"units": 4})]
    decoder = [("dense", {"units": 48}), ("reshape", {"shape": (3, 4, 4)}), ("silu", {}), ("convt", {"c": 1, **half}), ("sigmoid", {})]
    net.chain("x", "s", *encoder, *decoder)
    return net


def shufflenet() -> Net:
    """Groups of one layer that are not those of the next."""
    net = Net((6, 5, 5))
    steps = [("conv", {"c": 12, "k": 1, "groups": 3}), ("silu", {}), ("shuffle", {"groups": 3}), ("conv", {"c": 12, "k": 3, "groups": 12})]
    net.chain("x", "s", *steps, ("conv", {"c": 8, "k": 1, "groups": 4}), ("crelu", {}), ("gap", {}), ("dense", {"units": 3}))
    return net


NETS = [lenet, resnet, mobilenet, densenet, unet, speech, spectrogram, lenet_of_1998, autoencoder, shufflenet]


@pytest.mark.parametrize("build", NETS)
def test_a_training_step_is_pytorchs(build: Callable[[], Net]) -> None:
    torch, net = pytest.importorskip("torch"), build()
    graph = net.graph(training=True)
    tensors = positive(random_tensors(graph, batch=4))
    ours = reference.run(graph, tensors)
    wanted = ["x", *(weight.name for weight in net.weights if weight.role == "trainable")]
    theirs = {name: torch.tensor(value, requires_grad=name in wanted) for name, value in tensors.items()}
    result = twin(torch, net, theirs, training=True)
    (result * theirs["probe"]).sum().backward()
    np.testing.assert_allclose(ours[net.nodes[-1].name], result.detach().numpy(), rtol=1e-8, atol=1e-8)
    for name in wanted:
        np.testing.assert_allclose(ours[d(name)], theirs[name].grad.numpy(), rtol=1e-8, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("build", NETS)
def test_inference_is_pytorchs(build: Callable[[], Net]) -> None:
    torch, net = pytest.importorskip("torch"), build()
    tensors = positive(random_tensors(net.graph(training=False), batch=4))
    ours = reference.run(net.graph(training=False), tensors)
    result = twin(torch, net, {name: torch.tensor(value) for name, value in tensors.items()}, training=False)
    np.testing.assert_allclose(ours[net.nodes[-1].name], result.numpy(), rtol=1e-8, atol=1e-8)


def positive(tensors: dict[str, Array]) -> dict[str, Array]:
    """Variances are."""
    return {name: np.abs(value) + 0.5 if name.endswith(".var") else value for name, value in tensors.items()}
