"""PyTorch: eager, with channels last, compiled by Inductor."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from netspec.bench.candidates import Built
from netspec.bench.job import Job
from netspec.bench.recipe import Recipe, recipe
from netspec.bench.twin import functional, module, torch
from netspec.records import record


@record
class Way:
    """One way of using PyTorch, in a few words."""

    words: str
    channels_last: bool = False
    compile: bool = False
    double: bool = False


def eager(job: Job) -> Built:
    """As it is."""
    return built(job, Way("eager"))


def channels_last(job: Job) -> Built:
    """Weights and samples channels last."""
    return built(job, Way("channels last", channels_last=True))


def compiled(job: Job) -> Built:
    """Compiled, channels last; for inference with its weights frozen, so that batch norm is folded and weights are packed once."""
    return built(job, Way("compiled, channels last", channels_last=True, compile=True))


def built(job: Job, way: Way) -> Built:
    """A net used in this way."""
    library = torch()
    library.set_num_threads(job.threads)
    library.set_num_interop_threads(1)
    net, x = module(job.graph, job.weights, job.training), library.from_numpy(job.x)
    if way.double:
        net, x = net.double(), x.double()
    if way.channels_last:
        net = net.to(memory_format=library.channels_last)
        x = x.to(memory_format=library.channels_last) if x.ndim == 4 else x
    made = _training(job, way, net, x) if job.training else _inference(way, net, x)
    words = f"{way.words}, fused optimizer" if job.training and not way.double else way.words
    return Built(made, words, float if job.training else _as_array)


def _as_array(result: Any) -> Any:
    return result.numpy()


def _inference(way: Way, net: Any, x: Any) -> Callable[[], Any]:
    library = torch()
    if not way.compile:
        mode = library.inference_mode
    else:
        inductor: Any = import_module("torch._inductor.config")
        inductor.freezing = True
        net, mode = library.compile(net), library.no_grad  # freezing is for `no_grad`

    def infer() -> Any:
        with mode():
            return net(x)

    return infer


def _training(job: Job, way: Way, net: Any, x: Any) -> Callable[[], Any]:
    plan, labels, cross_entropy = recipe(job), torch().from_numpy(job.labels), functional().cross_entropy
    parameters = {name.replace("__", "."): value for name, value in net.named_parameters()}
    optimizer = _optimizer(plan, parameters, fused=not way.double)
    penalised = [(parameters[name], amount) for name, amount in plan.l1.items()]

    def loss_of(x: Any) -> Any:
        return cross_entropy(net(x), labels, label_smoothing=plan.smoothing)

    loss_of = torch().compile(loss_of) if way.compile else loss_of

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_of(x)
        loss.backward()
        for parameter, amount in penalised:
            parameter.grad.add_(parameter.detach().sign(), alpha=amount)
        optimizer.step()
        return loss.item()

    return step


def _optimizer(plan: Recipe, parameters: dict[str, Any], fused: bool) -> Any:
    """PyTorch's optimizer with a group of parameters for each amount of weight decay, which is what l2 is."""
    groups: dict[float, list[Any]] = {}
    for name, parameter in parameters.items():
        groups.setdefault(plan.l2.get(name, 0.0), []).append(parameter)
    optim, ours = torch().optim, plan.optimizer
    given = [{"params": found, "weight_decay": amount} for amount, found in groups.items()]
    if ours.name == "sgd":
        return optim.SGD(given, lr=plan.rate, momentum=ours.momentum, nesterov=ours.nesterov, fused=fused)
    if ours.name == "adamw":
        given = [{"params": list(parameters.values()), "weight_decay": ours.decay}]
        return optim.AdamW(given, lr=plan.rate, betas=(ours.beta1, ours.beta2), eps=ours.eps, fused=fused)
    return optim.Adam(given, lr=plan.rate, betas=(ours.beta1, ours.beta2), eps=ours.eps, fused=fused)
