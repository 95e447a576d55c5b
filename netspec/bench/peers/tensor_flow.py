"""TensorFlow: a tf.function with channels last, as it is or compiled by XLA, whichever is faster here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from netspec.bench import nhwc
from netspec.bench.candidates import Built
from netspec.bench.job import Job
from netspec.bench.recipe import Recipe, recipe
from netspec.bench.steps import Function, Site, Steps, steps
from netspec.bench.timing import time_per_call, warm
from netspec.diagnostics import UserError
from netspec.layers.arguments import pair


@cache
def tf() -> Any:
    """TensorFlow, which is loaded when it is first asked for."""
    return import_module("tensorflow")


def build(job: Job) -> Built:
    """The faster of the two ways of running the net."""
    threads = tf().config.threading
    threads.set_intra_op_parallelism_threads(job.threads)
    threads.set_inter_op_parallelism_threads(1)
    order = nhwc.order(job.graph)
    ways = {words: steps(job.graph, _table(order, xla), "TensorFlow", training=job.training) for words, xla in _WAYS.items()}
    weights, x = order.weights(job.graph, job.weights), tf().constant(nhwc.channels_last(job.x))
    words, call, reset = _training(job, ways, weights, x) if job.training else _inference(ways, weights, x)
    reset()
    return Built(call, words, float if job.training else lambda y: nhwc.channels_first(y.numpy()))


_WAYS = {"tf.function": False, "tf.function(jit_compile=True)": True}
"""Ways of running a net, and whether XLA compiles it then."""
Nets = Mapping[str, Steps]
Made = tuple[str, Callable[[], Any], Callable[[], None]]
"""The way that was chosen, what runs a net in it, and what sets its weights back."""


def _inference(nets: Nets, weights: Mapping[str, Any], x: Any) -> Made:
    def ready(net: Steps, xla: bool) -> Callable[[], Any]:
        # as arrays, weights become constants of the graph: batch norm is folded, weights are packed once; XLA likes them better as they are
        given = {name: tf().constant(value) for name, value in weights.items()} if xla else weights

        def infer(x: Any) -> Any:
            return net(x, given)

        function = tf().function(infer, jit_compile=xla)
        return lambda: function(x)

    words, call = _faster({words: ready(net, _WAYS[words]) for words, net in nets.items()})
    return words, call, lambda: None


def _faster(ways: Mapping[str, Callable[[], Any]]) -> tuple[str, Callable[[], Any]]:
    """The fastest of several that work; the error of the first where none does."""
    seconds: dict[str, float] = {}
    error: Exception | None = None
    for words, call in ways.items():
        try:
            warm(call)
            seconds[words] = time_per_call(call, 0.1).seconds
        except Exception as problem:  # XLA does not compile everything
            error = error or problem
    if not seconds and error is not None:
        raise error
    best = min(seconds, key=seconds.__getitem__)
    return best, ways[best]


def _training(job: Job, nets: Nets, weights: Mapping[str, Any], x: Any) -> Made:
    plan = recipe(job)
    trained = [weight.name for weight in job.graph.weights if weight.role == "trainable"]
    variables = {name: tf().Variable(value, trainable=name in trained) for name, value in weights.items()}
    momenta = {name: tf().Variable(tf().zeros_like(variables[name])) for name in trained}
    labels = tf().constant(job.labels)

    def ready(net: Steps, xla: bool) -> Callable[[], Any]:
        def step(x: Any, labels: Any) -> Any:
            with tf().GradientTape() as tape:
                loss = _cross_entropy(net(x, variables), labels, plan.smoothing)
            gradients = tape.gradient(loss, [variables[name] for name in trained])
            for name, gradient in zip(trained, gradients, strict=True):
                _update(plan, name, variables[name], momenta[name], gradient)
            return loss

        function = tf().function(step, jit_compile=xla)
        return lambda: function(x, labels).numpy()

    def reset() -> None:
        for name, value in weights.items():
            variables[name].assign(value)
        for momentum in momenta.values():
            momentum.assign(tf().zeros_like(momentum))

    words, call = _faster({words: ready(net, _WAYS[words]) for words, net in nets.items()})
    return words, call, reset


def _cross_entropy(logits: Any, labels: Any, smoothing: float) -> Any:
    nn, mean = tf().nn, tf().reduce_mean
    loss = mean(nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    return loss if not smoothing else (1 - smoothing) * loss - smoothing * mean(nn.log_softmax(logits))


def _update(plan: Recipe, name: str, variable: Any, momentum: Any, gradient: Any) -> None:
    """The penalties' gradients, then TensorFlow's own fused step, which is PyTorch's formula."""
    share, nesterov = plan.momentum("TensorFlow")
    if l2 := plan.l2.get(name):
        gradient += l2 * variable
    if l1 := plan.l1.get(name):
        gradient += l1 * tf().sign(variable)
    tf().raw_ops.ResourceApplyMomentum(
        var=variable.handle, accum=momentum.handle, lr=plan.rate, grad=gradient, momentum=share, use_nesterov=nesterov
    )  # fmt: skip


# ── layers ───────────────────────────────────────────────────────────────────────────────────────


def _table(order: nhwc.Order, xla: bool) -> dict[str, Callable[[Site], Function]]:
    nn = tf().nn
    return {
        "conv": _conv,
        "dense": lambda _site: lambda inputs, own: _biased(tf().matmul(inputs[0], own["weight"]), own),
        "bn": _bn,
        "maxpool": lambda site: _maxpool(site, xla),
        "avgpool": _avgpool,
        "gap": lambda _site: lambda inputs, own: tf().reduce_mean(inputs[0], (1, 2)),
        "flatten": lambda site: _flatten(site, order),
        "softmax": lambda _site: lambda inputs, own: nn.softmax(inputs[0]),
        "relu": _pointwise(nn.relu),
        "relu6": _pointwise(nn.relu6),
        "elu": lambda site: lambda inputs, own: tf().keras.activations.elu(inputs[0], site.layer.alpha),
        "leaky_relu": lambda site: lambda inputs, own: nn.leaky_relu(inputs[0], site.layer.slope),
        "sigmoid": _pointwise(nn.sigmoid),
        "tanh": _pointwise(nn.tanh),
        "gelu": _pointwise(nn.gelu),
        "silu": _pointwise(nn.silu),
        "hardswish": _pointwise(lambda x: x * nn.relu6(x + 3) / 6),
        "add": _merge(lambda a, b: a + b),
        "mul": _merge(lambda a, b: a * b),
        "max": _merge(lambda a, b: tf().maximum(a, b)),
        "concat": lambda site: lambda inputs, own: tf().concat(inputs, nhwc.axis(site)),
    }


def _pointwise(function: Callable[[Any], Any]) -> Callable[[Site], Function]:
    return lambda _site: lambda inputs, own: function(inputs[0])


def _biased(y: Any, own: Mapping[str, Any]) -> Any:
    return tf().nn.bias_add(y, own["bias"]) if "bias" in own else y


def _padding(site: Site) -> Any:
    """Padding by its name where it has one, else in numbers."""
    if site.pads == ((0, 0), (0, 0)):
        return "VALID"
    return "SAME" if site.pads == site.layer.replaced(pad="same").pads(*site.shapes) else [(0, 0), *site.pads, (0, 0)]


def _conv(site: Site) -> Function:
    if site.depthwise:
        return _depthwise(site)
    convolve, padding = tf().nn.conv2d, _padding(site)
    stride, dilation = pair(site.layer.stride), pair(site.layer.dilation)
    return lambda inputs, own: _biased(convolve(inputs[0], own["weight"], stride, padding, dilations=dilation), own)


def _depthwise(site: Site) -> Function:
    convolve, named = tf().nn.depthwise_conv2d, _padding(site)
    apart = not isinstance(named, str)  # numbers end the process, in the optimiser of its graphs
    around, padding = [(0, 0), *site.pads, (0, 0)], "VALID" if apart else named
    channels, strides, dilation = site.shapes[0][0], (1, *pair(site.layer.stride), 1), pair(site.layer.dilation)

    def depthwise(inputs: list[Any], own: Mapping[str, Any]) -> Any:
        weight = tf().reshape(own["weight"], (*own["weight"].shape[:2], channels, site.output[0] // channels))
        x = tf().pad(inputs[0], around) if apart else inputs[0]
        return _biased(convolve(x, weight, strides, padding, dilations=dilation), own)

    return depthwise


def _bn(site: Site) -> Function:
    share, eps, flat = site.layer.momentum, site.layer.eps, len(site.output) == 1

    def normalise(inputs: list[Any], own: Mapping[str, Any]) -> Any:
        x = inputs[0][:, None, None, :] if flat else inputs[0]
        given = {} if site.training else {"mean": own["mean"], "variance": own["var"]}
        fused = tf().compat.v1.nn.fused_batch_norm
        y, mean, var = fused(x, own["scale"], own["shift"], **given, epsilon=eps, is_training=site.training)
        if site.training:
            own["mean"].assign(own["mean"] * (1 - share) + mean * share)
            own["var"].assign(own["var"] * (1 - share) + var * share)
        return y[:, 0, 0, :] if flat else y

    return normalise


def _maxpool(site: Site, xla: bool) -> Function:
    (k, stride), named, pool = site.window, _padding(site), tf().nn.max_pool2d
    if not xla or isinstance(named, str):
        return lambda inputs, own: pool(inputs[0], k, stride, named)
    around = [(0, 0), *site.pads, (0, 0)]  # XLA's pooling takes no numbers
    return lambda inputs, own: pool(tf().pad(inputs[0], around, constant_values=float("-inf")), k, stride, "VALID")


def _avgpool(site: Site) -> Function:
    if site.averages_padding:
        raise UserError("TensorFlow's averages do not count padding as this net does")
    (k, stride), around = site.window, [(0, 0), *site.pads, (0, 0)]
    padded = any(map(any, site.pads))
    return lambda inputs, own: tf().nn.avg_pool2d(tf().pad(inputs[0], around) if padded else inputs[0], k, stride, "VALID")


def _flatten(site: Site, order: nhwc.Order) -> Function:
    turn = len(site.shapes[0]) == 3 and site.node.name not in order.straight

    def flatten(inputs: list[Any], _own: Mapping[str, Any]) -> Any:
        x = tf().transpose(inputs[0], (0, 3, 1, 2)) if turn else inputs[0]
        return tf().reshape(x, (x.shape[0], -1))

    return flatten


def _merge(join: Callable[[Any, Any], Any]) -> Callable[[Site], Function]:
    def merge(inputs: list[Any], _own: Mapping[str, Any]) -> Any:
        rank = max(len(x.shape) for x in inputs)
        first, *rest = (x if len(x.shape) == rank else x[:, None, None, :] for x in inputs)
        for item in rest:
            first = join(first, item)
        return first

    return lambda _site: merge
