"""JAX: one jitted function with channels last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from math import prod
from typing import Any

from netspec.bench import nhwc
from netspec.bench.candidates import Built
from netspec.bench.job import Job
from netspec.bench.recipe import Recipe, recipe
from netspec.bench.steps import Function, Site, Steps, steps
from netspec.diagnostics import UserError
from netspec.layers.arguments import pair


@cache
def jax() -> Any:
    """JAX, which is loaded when it is first asked for."""
    return import_module("jax")


def build(job: Job) -> Built:
    """A jitted net; XLA makes as many threads as there are cores to run on."""
    order = nhwc.order(job.graph)
    averages: dict[str, Any] = {}
    net = steps(job.graph, _table(order, averages), "JAX", training=job.training)
    put = jax().numpy.asarray
    weights = {name: put(value) for name, value in order.weights(job.graph, job.weights).items()}
    x = put(nhwc.channels_last(job.x))
    if job.training:
        return Built(_training(job, net, weights, averages, x), "jit, donated weights", float)
    infer = jax().jit(net)
    return Built(lambda: infer(x, weights).block_until_ready(), "jit", _channels_first)


def _channels_first(y: Any) -> Any:
    return nhwc.channels_first(import_module("numpy").asarray(y))


def _training(job: Job, net: Steps, weights: dict[str, Any], averages: dict[str, Any], x: Any) -> Callable[[], Any]:
    plan, numpy = recipe(job), jax().numpy
    plan.momentum("JAX")
    labels = numpy.asarray(job.labels)
    names = [weight.name for weight in job.graph.weights if weight.role == "trainable"]
    trained = {name: weights[name] for name in names}
    state = {name: value for name, value in weights.items() if name not in trained}
    momenta = {name: numpy.zeros_like(value) for name, value in trained.items()}

    def loss_of(trained: Any, state: Any, x: Any, labels: Any) -> Any:
        averages.clear()
        loss = _cross_entropy(net(x, {**trained, **state}), labels, plan.smoothing)
        return loss, dict(averages)

    def step(trained: Any, momenta: Any, state: Any, x: Any, labels: Any) -> Any:
        (loss, following), gradients = jax().value_and_grad(loss_of, has_aux=True)(trained, state, x, labels)
        made = {name: _update(plan, name, trained[name], momenta[name], gradients[name]) for name in trained}
        return loss, {name: item[0] for name, item in made.items()}, {name: item[1] for name, item in made.items()}, following

    compiled = jax().jit(step, donate_argnums=(0, 1, 2))

    def train() -> Any:
        nonlocal trained, momenta, state
        loss, trained, momenta, state = jax().block_until_ready(compiled(trained, momenta, state, x, labels))
        return loss

    return train


def _cross_entropy(logits: Any, labels: Any, smoothing: float) -> Any:
    likely = jax().nn.log_softmax(logits)
    loss = -jax().numpy.take_along_axis(likely, labels[:, None], 1).mean()
    return loss if not smoothing else (1 - smoothing) * loss - smoothing * likely.mean()


def _update(plan: Recipe, name: str, weight: Any, momentum: Any, gradient: Any) -> tuple[Any, Any]:
    """The weight and its momentum after a step."""
    share, nesterov = plan.momentum("JAX")
    gradient = gradient + plan.l2.get(name, 0.0) * weight
    if l1 := plan.l1.get(name):
        gradient = gradient + l1 * jax().numpy.sign(weight)
    momentum = share * momentum + gradient
    return weight - plan.rate * (gradient + share * momentum if nesterov else momentum), momentum


# ── layers ───────────────────────────────────────────────────────────────────────────────────────


def _table(order: nhwc.Order, averages: dict[str, Any]) -> dict[str, Callable[[Site], Function]]:
    """The layers; while they are traced, batch norm puts its next running averages into `averages`."""
    nn, numpy = jax().nn, jax().numpy
    return {
        "conv": _conv,
        "dense": lambda _site: lambda inputs, own: _biased(inputs[0] @ own["weight"], own),
        "bn": lambda site: _bn(site, averages),
        "maxpool": lambda site: _windows(site, -numpy.inf, jax().lax.max, 1.0),
        "avgpool": _avgpool,
        "gap": lambda _site: lambda inputs, own: inputs[0].mean((1, 2)),
        "flatten": lambda site: _flatten(site, order),
        "softmax": _pointwise(nn.softmax),
        "relu": _pointwise(nn.relu),
        "relu6": _pointwise(nn.relu6),
        "elu": lambda site: lambda inputs, own: nn.elu(inputs[0], site.layer.alpha),
        "leaky_relu": lambda site: lambda inputs, own: nn.leaky_relu(inputs[0], site.layer.slope),
        "sigmoid": _pointwise(nn.sigmoid),
        "tanh": _pointwise(numpy.tanh),
        "gelu": _pointwise(lambda x: nn.gelu(x, approximate=False)),
        "silu": _pointwise(nn.silu),
        "hardswish": _pointwise(nn.hard_swish),
        "add": _merge(numpy.add),
        "mul": _merge(numpy.multiply),
        "max": _merge(numpy.maximum),
        "concat": lambda site: lambda inputs, own: numpy.concatenate(inputs, nhwc.axis(site)),
    }


def _pointwise(function: Callable[[Any], Any]) -> Callable[[Site], Function]:
    return lambda _site: lambda inputs, own: function(inputs[0])


def _biased(y: Any, own: Mapping[str, Any]) -> Any:
    return y + own["bias"] if "bias" in own else y


def _conv(site: Site) -> Function:
    convolve, stride, dilation = jax().lax.conv_general_dilated, pair(site.layer.stride), pair(site.layer.dilation)
    pads, groups, dimensions = site.pads, site.layer.groups, ("NHWC", "HWIO", "NHWC")

    def conv(inputs: list[Any], own: Mapping[str, Any]) -> Any:
        y = convolve(
            inputs[0], own["weight"], stride, pads, rhs_dilation=dilation, dimension_numbers=dimensions, feature_group_count=groups
        )  # fmt: skip
        return _biased(y, own)

    return conv


def _bn(site: Site, averages: dict[str, Any]) -> Function:
    rsqrt, eps, share = jax().lax.rsqrt, site.layer.eps, site.layer.momentum
    names = {name.rpartition(".")[2]: name for name in site.node.weights}
    axes = tuple(range(len(site.output)))

    def normalise(inputs: list[Any], own: Mapping[str, Any]) -> Any:
        x, mean, var = inputs[0], own["mean"], own["var"]
        if site.training:
            count = prod(x.shape[:-1])
            batch_mean, batch_var = x.mean(axes), x.var(axes)
            averages[names["mean"]] = (1 - share) * mean + share * batch_mean
            averages[names["var"]] = (1 - share) * var + share * batch_var * (count / max(1, count - 1))
            mean, var = batch_mean, batch_var
        factor = rsqrt(var + eps) * own["scale"]
        return (x - mean) * factor + own["shift"]

    return normalise


def _windows(site: Site, start: float, join: Any, factor: float) -> Function:
    (k, stride), reduce = site.window, jax().lax.reduce_window
    around = ((0, 0), *site.pads, (0, 0))
    return lambda inputs, own: reduce(inputs[0], start, join, (1, *k, 1), (1, *stride, 1), around) * factor


def _avgpool(site: Site) -> Function:
    if site.averages_padding:
        raise UserError("the bench does not build averages that leave out padding for JAX")
    return _windows(site, 0.0, jax().lax.add, 1 / prod(site.window[0]))


def _flatten(site: Site, order: nhwc.Order) -> Function:
    turn = len(site.shapes[0]) == 3 and site.node.name not in order.straight
    return lambda inputs, own: (inputs[0].transpose(0, 3, 1, 2) if turn else inputs[0]).reshape(len(inputs[0]), -1)


def _merge(join: Callable[[Any, Any], Any]) -> Callable[[Site], Function]:
    def merge(inputs: list[Any], _own: Mapping[str, Any]) -> Any:
        rank = max(x.ndim for x in inputs)
        first, *rest = (x if x.ndim == rank else x[:, None, None, :] for x in inputs)
        for item in rest:
            first = join(first, item)
        return first

    return lambda _site: merge
