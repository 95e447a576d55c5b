"""A net in PyTorch, layer by layer: a peer to be timed, and the judge of whole nets. Weights come by name, in PyTorch's layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from netspec.bench.steps import Function, Site, Steps, steps
from netspec.graph.graph import Graph
from netspec.layers.arguments import pair

KEPT_BY_NOBODY = frozenset({"conv", "dense", "bn", "add"})
"""Layers whose gradient does not need their result: what follows may overwrite it, as torchvision's models do."""


def torch() -> Any:
    """PyTorch, which is loaded when it is first asked for."""
    return import_module("torch")


@cache
def functional() -> Any:
    """Its functions."""
    return import_module("torch.nn.functional")


def forward(graph: Graph, x: Any, weights: Mapping[str, Any], training: bool = False) -> Any:
    """The result of a graph of layers. In training, dropout is not drawn (the net must not have it), and no running average changes."""
    averages = [weight.name for weight in graph.weights if training and weight.role == "state"]
    return twin(graph, training)(x, {**weights, **dict.fromkeys(averages)})


def twin(graph: Graph, training: bool = False, overwrite: bool = False) -> Steps:
    """The steps of a graph; with `overwrite` they compute in place where a gradient does not mind."""
    return steps(graph, _LAYERS, "PyTorch", training=training, overwrite=overwrite)


def module(graph: Graph, weights: Mapping[str, Any], training: bool) -> Any:
    """A net as a module, with copies of the weights."""
    library = torch()
    base: Any = library.nn.Module
    net = twin(graph, training, overwrite=True)
    names = {weight.name: weight.name.replace(".", "__") for weight in graph.weights}

    class Twin(base):
        def __init__(self) -> None:
            super().__init__()  # pyright: ignore[reportUnknownMemberType]
            for weight in graph.weights:
                value = library.tensor(weights[weight.name])
                if weight.role == "trainable":
                    self.register_parameter(names[weight.name], library.nn.Parameter(value))
                else:
                    self.register_buffer(names[weight.name], value)

        def forward(self, x: Any) -> Any:
            return net(x, {name: getattr(self, safe) for name, safe in names.items()})

    return Twin().train(training)


def _conv(site: Site) -> Function:
    convolve, pad = functional().conv2d, _padding(site, 0.0)
    padding = site.even or (0, 0)
    stride, dilation, groups = pair(site.layer.stride), pair(site.layer.dilation), site.layer.groups
    return lambda inputs, own: convolve(pad(inputs[0]), own["weight"], own.get("bias"), stride, padding, dilation, groups)


def _padding(site: Site, value: float) -> Callable[[Any], Any]:
    """What is to be done before a window that cannot pad both sides differently."""
    if site.even is not None:
        return lambda x: x
    (top, bottom), (left, right) = site.pads
    pad = functional().pad
    return lambda x: pad(x, (left, right, top, bottom), value=value)


def _dense(_site: Site) -> Function:
    linear = functional().linear
    return lambda inputs, own: linear(inputs[0], own["weight"], own.get("bias"))


def _bn(site: Site) -> Function:
    normalise, training, momentum, eps = functional().batch_norm, site.training, site.layer.momentum, site.layer.eps
    return _by_channel(site, lambda x, own: normalise(x, own["mean"], own["var"], own["scale"], own["shift"], training, momentum, eps))


def _by_channel(site: Site, function: Callable[[Any, Mapping[str, Any]], Any]) -> Function:
    """A function of [n, c, ..], also for [n, t, f], whose channels come last."""
    if len(site.shapes[0]) != 2:
        return lambda inputs, own: function(inputs[0], own)
    return lambda inputs, own: function(inputs[0].movedim(2, 1), own).movedim(1, 2)


def _layernorm(site: Site) -> Function:
    normalise, eps = functional().layer_norm, site.layer.eps

    def last(x: Any, own: Mapping[str, Any]) -> Any:
        return normalise(x, x.shape[-1:], own["scale"], own["shift"], eps)

    if len(site.shapes[0]) < 3:
        return lambda inputs, own: last(inputs[0], own)
    return lambda inputs, own: last(inputs[0].movedim(1, -1), own).movedim(-1, 1)


def _groupnorm(site: Site) -> Function:
    normalise, groups, eps = functional().group_norm, site.layer.groups, site.layer.eps
    return _by_channel(site, lambda x, own: normalise(x, groups, own["scale"], own["shift"], eps))


def _lrn(site: Site) -> Function:
    normalise, n, alpha, beta, k = functional().local_response_norm, site.layer.n, site.layer.alpha, site.layer.beta, site.layer.k
    return _by_channel(site, lambda x, own: normalise(x, n, alpha, beta, k))


def _prelu(site: Site) -> Function:
    prelu = functional().prelu
    return _by_channel(site, lambda x, own: prelu(x, own["slope"]))


def _maxpool(site: Site) -> Function:
    pool, (k, stride) = functional().max_pool2d, site.window
    (top, bottom), (left, right) = site.layer.pads(*site.shapes)
    if (top, left) == (bottom, right):
        ceil = site.layer.ceil
        return lambda inputs, own: pool(inputs[0], k, stride, (top, left), 1, ceil)
    pad = _padding(site, float("-inf"))
    return lambda inputs, own: pool(pad(inputs[0]), k, stride)


def _avgpool(site: Site) -> Function:
    pool, (k, stride) = functional().avg_pool2d, site.window
    (top, bottom), (left, right) = site.layer.pads(*site.shapes)
    assert (top, left) == (bottom, right), "PyTorch pads averages alike on both sides"
    ceil, count = site.layer.ceil, site.layer.count_pad
    return lambda inputs, own: pool(inputs[0], k, stride, (top, left), ceil, count)


def _summed(site: Site) -> Callable[[Any], Any]:
    """The sums of all windows."""
    pool, (k, stride), pad, ceil = functional().avg_pool2d, site.window, _padding(site, 0.0), site.layer.ceil
    padding = site.even or (0, 0)
    return lambda x: pool(pad(x), k, stride, padding, ceil, divisor_override=1)


def _subsample(site: Site) -> Function:
    summed = _summed(site)
    return lambda inputs, own: summed(inputs[0]) * own["scale"][:, None, None] + own["shift"][:, None, None]


def _lppool(site: Site) -> Function:
    summed = _summed(site)
    return lambda inputs, own: summed(inputs[0] ** 2).sqrt()


def _gausspool(site: Site) -> Function:
    library, convolve, (k, stride), pad = torch(), functional().conv2d, site.window, _padding(site, 0.0)
    padding, channels = site.even or (0, 0), site.shapes[0][0]

    def bell(size: int) -> Any:
        centre = (size - 1) / 2
        away = (library.arange(size, dtype=library.float64) - centre) / (site.layer.sigma or 0.3 * (centre - 1) + 0.8)
        return library.softmax(-0.5 * away**2, 0)

    kernel = library.outer(bell(k[0]), bell(k[1])).expand(channels, 1, *k)
    return lambda inputs, own: convolve(pad(inputs[0]), kernel.to(inputs[0]), None, stride, padding, 1, channels)


def _rbf(_site: Site) -> Function:
    return lambda inputs, own: ((inputs[0][:, None] - own["codes"]) ** 2).sum(-1)


def _gram(site: Site) -> Function:
    steps = len(site.shapes[0]) == 2

    def products(x: Any) -> Any:
        flat = x.movedim(2, 1) if steps else x.flatten(2)
        return flat @ flat.movedim(1, 2)

    return lambda inputs, own: products(inputs[0])


def _broadcast(inputs: list[Any]) -> list[Any]:
    rank = max(x.ndim for x in inputs)
    return [x.reshape(*x.shape, *(1,) * (rank - x.ndim)) for x in inputs]


def _add(site: Site) -> Function:
    if site.source in KEPT_BY_NOBODY and len(set(site.shapes)) == 1:
        return lambda inputs, own: _joined(inputs, lambda a, b: a.add_(b))
    return lambda inputs, own: _joined(inputs, lambda a, b: a + b)


def _joined(inputs: list[Any], join: Callable[[Any, Any], Any]) -> Any:
    first, *rest = _broadcast(inputs)
    for item in rest:
        first = join(first, item)
    return first


def _max(_site: Site) -> Function:
    maximum = torch().maximum
    return lambda inputs, own: _joined(inputs, maximum)


def _concat(site: Site) -> Function:
    cat, dimension = torch().cat, 1 + site.dimension
    return lambda inputs, own: cat(inputs, dimension)


def _rectifier(name: str) -> Callable[[Site], Function]:
    """relu or relu6."""

    def make(site: Site) -> Function:
        function, inplace = getattr(functional(), name), site.source in KEPT_BY_NOBODY
        return lambda inputs, own: function(inputs[0], inplace=inplace)

    return make


def _pointwise(name: str, *arguments: str) -> Callable[[Site], Function]:
    """A function of torch.nn.functional, with fields of the layer as its further arguments."""

    def make(site: Site) -> Function:
        function, further = getattr(functional(), name), tuple(getattr(site.layer, item) for item in arguments)
        return lambda inputs, own: function(inputs[0], *further)

    return make


_LAYERS: dict[str, Callable[[Site], Function]] = {
    "conv": _conv,
    "dense": _dense,
    "bn": _bn,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "gap": lambda _site: lambda inputs, own: inputs[0].mean((2, 3)),
    "flatten": lambda _site: lambda inputs, own: inputs[0].flatten(1),
    "dropout": lambda _site: lambda inputs, own: inputs[0],
    "droppath": lambda _site: lambda inputs, own: inputs[0],
    "softmax": lambda site: _by_channel(site, lambda x, own: x.softmax(1)),
    "logsoftmax": lambda site: _by_channel(site, lambda x, own: x.log_softmax(1)),
    "layernorm": _layernorm,
    "groupnorm": _groupnorm,
    "lrn": _lrn,
    "subsample": _subsample,
    "lppool": _lppool,
    "gausspool": _gausspool,
    "rbf": _rbf,
    "gram": _gram,
    "prelu": _prelu,
    "stanh": lambda site: lambda inputs, own: site.layer.amplitude * (site.layer.slope * inputs[0]).tanh(),
    "relu": _rectifier("relu"),
    "relu6": _rectifier("relu6"),
    "leaky_relu": _pointwise("leaky_relu", "slope"),
    "elu": _pointwise("elu", "alpha"),
    "sigmoid": _pointwise("sigmoid"),
    "tanh": _pointwise("tanh"),
    "gelu": _pointwise("gelu"),
    "silu": _pointwise("silu"),
    "hardswish": _pointwise("hardswish"),
    "hardsigmoid": lambda _site: lambda inputs, own: functional().relu6(inputs[0] + 3) / 6,  # its own gradient has 1/6 in 24 bits alone
    "selu": _pointwise("selu"),
    "softplus": _pointwise("softplus"),
    "add": _add,
    "mul": lambda _site: lambda inputs, own: _joined(inputs, lambda a, b: a * b),
    "max": _max,
    "concat": _concat,
}
