"""Random small nets of four templates: chains, residual nets with batch norm, branches that join, and chains with the norms, slopes and
pools that the others do not have. A seed makes the same net again.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from netspec.graph.graph import Graph, Node, verify
from netspec.graph.types import Shape, Value, Weight, batched
from netspec.layers import LAYERS

CLASSES = 5
ACTIVATIONS = ("relu", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "gelu", "hardswish")


class Builder:
    """A graph written down layer by layer."""

    def __init__(self, shape: Shape) -> None:
        self.shapes: dict[str, Shape] = {"image": shape}
        self.weights: list[Weight] = []
        self.nodes: list[Node] = []

    def add(self, kind: str, *inputs: str, **arguments: object) -> str:
        """Apply a layer; the name of its result."""
        layer, shapes, name = LAYERS[kind](**arguments), tuple(self.shapes[item] for item in inputs), f"{kind}{len(self.nodes)}"
        self.shapes[name] = layer.infer(*shapes)
        own = [Weight(f"{name}.{item.name}", item.type, item.init, item.role) for item in layer.weights(*shapes)]
        self.weights += own
        self.nodes.append(Node(name, layer, inputs, tuple(item.name for item in own), Value(name, batched(self.shapes[name]))))
        return name

    def graph(self, name: str) -> Graph:
        """The net, its last layer the output."""
        inputs = (Value("image", batched(self.shapes["image"])),)
        return verify(Graph(name, inputs, tuple(self.weights), tuple(self.nodes), (self.nodes[-1].name,)))


class Vocabulary:
    """What nets are made of. Few words, and nets share their kernels; many, and every tile is met."""

    def __init__(self, wide: bool) -> None:
        self.channels = (1, 3, 4, 6, 8, 17) if wide else (8,)
        self.sizes = (5, 6, 7, 8, 9, 12) if wide else (8,)
        self.activations = ACTIVATIONS if wide else ("relu", "tanh")
        self.windows = (1, 2, 3, 5) if wide else (3,)
        self.strides = (1, 1, 1, 2, 3) if wide else (1,)
        self.wide = wide


def chain(random: Random, words: Vocabulary) -> Graph:
    """Convolutions, activations and pools, then dense layers."""
    net = Builder((random.choice(words.channels), random.choice(words.sizes), random.choice(words.sizes)))
    x = "image"
    for _ in range(random.randint(1, 3)):
        x = _convolution(net, x, random, words, bias=random.random() < 0.8)
        if random.random() < 0.8:
            x = net.add(random.choice(words.activations), x)
        if random.random() < 0.6 and min(net.shapes[x][1:]) >= 4:
            x = net.add(random.choice(("maxpool", "avgpool")), x, k=2, **_overlapping(random, words))
    x = net.add("flatten", x)
    if random.random() < 0.5:
        x = net.add(random.choice(words.activations), net.add("dense", x, units=random.choice((16, 7) if words.wide else (16,))))
    net.add("dense", x, units=CLASSES)
    return net.graph("chain")


def residual(random: Random, words: Vocabulary) -> Graph:
    """Blocks of convolutions with batch norm around which the value is passed on, projected where its shape changes."""
    net = Builder((random.choice(words.channels), random.choice(words.sizes), random.choice(words.sizes)))
    x = _normalised(net, "image", random.choice(words.channels), 1, random, words)
    for _ in range(random.randint(1, 3)):
        channels, stride = random.choice(words.channels), random.choice((1, 2) if words.wide and min(net.shapes[x][1:]) > 3 else (1,))
        branch = _normalised(net, x, channels, stride, random, words)
        branch = net.add("bn", net.add("conv", branch, c=channels, k=3, pad=1, bias=False))
        if net.shapes[x] != net.shapes[branch]:
            x = net.add("bn", net.add("conv", x, c=channels, k=1, stride=stride, bias=False))
        x = net.add(random.choice(words.activations), net.add("add", branch, x))
    net.add("dense", net.add("gap", x), units=CLASSES)
    return net.graph("residual")


def branches(random: Random, words: Vocabulary) -> Graph:
    """Branches of one value that are joined by concatenation, sum, product or maximum; dropout before the last layer."""
    net = Builder((random.choice(words.channels), random.choice(words.sizes), random.choice(words.sizes)))
    x = _convolution(net, "image", random, words)
    for _ in range(random.randint(1, 2)):
        channels = random.choice(words.channels)
        parts = [_branch(net, x, channels, random, words) for _ in range(random.randint(2, 3))]
        x = net.add(random.choice(("concat", "add", "max", "mul")), *parts)
    if random.random() < 0.5:
        gate = net.add("sigmoid", net.add("dense", net.add("gap", x), units=net.shapes[x][0]))
        x = net.add("mul", x, gate)
    x = net.add("dropout", net.add(random.choice(("gap", "flatten")), x), rate=0.25)
    net.add("dense", x, units=CLASSES)
    return net.graph("branches")


def normalised(random: Random, words: Vocabulary) -> Graph:
    """Convolutions, normalised by sample or by channel; rarer activations; pools that are sums; whole branches dropped."""
    net = Builder((random.choice(words.channels), random.choice(words.sizes), random.choice(words.sizes)))
    x = "image"
    for _ in range(random.randint(1, 2)):
        x = _convolution(net, x, random, words)
        channels = net.shapes[x][0]
        groups = [count for count in range(1, channels + 1) if channels % count == 0 and (words.wide or count == 2)]
        norms: tuple[tuple[str, dict[str, object]], ...] = (
            ("layernorm", {}), ("groupnorm", {"groups": random.choice(groups)}), ("lrn", {"n": 3, "alpha": random.choice((1e-4, 1.0))})
        )  # fmt: skip
        name, arguments = random.choice(norms)
        y = net.add(
            random.choice(("prelu", "selu", "softplus", "hardsigmoid") if words.wide else ("prelu",)), net.add(name, x, **arguments)
        )
        x = net.add("add", x, net.add("droppath", y, rate=0.25)) if random.random() < 0.5 else y
        if min(net.shapes[x][1:]) >= 4:
            x = net.add(random.choice(("subsample", "lppool", "gausspool")), x, k=2, **_overlapping(random, words))
    x = net.add("dense", net.add("flatten", x), units=CLASSES)
    if random.random() < 0.5:
        net.add("logsoftmax", x)
    return net.graph("normalised")


TEMPLATES: tuple[Callable[[Random, Vocabulary], Graph], ...] = (chain, residual, branches, normalised)


def random_net(seed: int, wide: bool = True) -> Graph:
    """The net of a seed; templates take turns."""
    return TEMPLATES[seed % len(TEMPLATES)](Random(seed), Vocabulary(wide))


def _convolution(net: Builder, x: str, random: Random, words: Vocabulary, bias: bool = True) -> str:
    channels, height, width = net.shapes[x]
    c, k, stride = random.choice(words.channels), random.choice(words.windows), random.choice(words.strides)
    pad = random.choice(("half", "same", 0)) if words.wide and k <= min(height, width) else "same"
    groups = channels if words.wide and c % channels == 0 and random.random() < 0.3 else 1
    return net.add("conv", x, c=c, k=k, stride=stride, pad=pad, groups=groups, bias=bias)


def _overlapping(random: Random, words: Vocabulary) -> dict[str, object]:
    return random.choice(({}, {"stride": 1}, {"pad": 1}, {"stride": 3, "ceil": True})) if words.wide else {}


def _normalised(net: Builder, x: str, channels: int, stride: int, random: Random, words: Vocabulary) -> str:
    x = net.add("bn", net.add("conv", x, c=channels, k=3, stride=stride, pad=1, bias=False))
    return net.add(random.choice(words.activations), x)


def _branch(net: Builder, x: str, channels: int, random: Random, words: Vocabulary) -> str:
    match random.randrange(3):
        case 0:
            x = net.add("conv", x, c=channels, k=1)
        case 1:
            x = net.add("conv", x, c=channels, k=3, pad=1)
        case _:
            x = net.add("conv", net.add("maxpool", x, k=3, stride=1, pad=1), c=channels, k=1)
    return net.add(random.choice(words.activations), x) if random.random() < 0.7 else x
