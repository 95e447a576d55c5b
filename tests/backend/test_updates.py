"""What stands between gradients and weights, compiled: three steps of every optimizer, clips, limits and accumulated batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from netspec.compiler import curvature_graph, training_graph
from netspec.graph.graph import Graph
from netspec.runtime import reference
from netspec.runtime.build import build
from netspec.runtime.executable import Executable
from netspec.schedule.layout import Order
from netspec.schedule.schedule import schedule
from netspec.schedule.targets import TARGETS
from netspec.training.clipping import Norm, Value
from netspec.training.losses import CrossEntropy, MapRbf, Term
from netspec.training.optimizers import Adagrad, Adam, AdamW, Lion, Optimizer, Rmsprop, Sdlm, Sgd
from netspec.training.plan import TrainPlan
from netspec.training.regularizers import L2, MaxNorm
from tests.backend.compiled import compiled, execute
from tests.backend.nets import Builder
from tests.backend.steps import LABEL, tensors_of
from tests.tolerances import close

BATCH, IMAGES = 16, 11
Tensors = dict[str, NDArray[np.float64]]


def plan(optimizer: Optimizer, **settings: object) -> TrainPlan:
    return replace(TrainPlan("net", loss=(Term(1.0, CrossEntropy()),), optimizer=optimizer, epochs=1), **settings)


PLANS = {
    "adagrad": plan(Adagrad(initial=0.1)),
    "adam": plan(Adam()),
    "adamw": plan(AdamW(decay=0.1)),
    "rmsprop": plan(Rmsprop(momentum=0.8, centered=True)),
    "lion": plan(Lion(decay=0.1), regularize=(L2(amount=0.01),)),
    "clip_norm": plan(Sgd(lr=0.1), clip=Norm(limit=0.05), regularize=(L2(amount=0.1),)),
    "clip_value": plan(Sgd(lr=0.1, momentum=0.5), clip=Value(limit=0.01)),
    "max_norm": plan(Sgd(lr=0.1), regularize=(MaxNorm(amount=0.3), MaxNorm(amount=0.2, on="dense4"))),
    "accumulate": plan(Sgd(lr=0.1, momentum=0.5), accumulate=3, clip=Norm(limit=0.05)),
}


def net() -> Graph:
    builder = Builder((6, 1, 1))
    hidden = builder.add("bn", builder.add("dense", builder.add("flatten", "image"), units=5, bias=False))
    builder.add("dense", builder.add("tanh", hidden), units=4)
    return builder.graph("net")


def after(graph: Graph, tensors: Tensors, batches: Iterator[tuple[Tensors, Mapping[str, float]]]) -> Tensors:
    """All that outlives a step, after these batches, in float64."""
    kept = {item.name: tensors.get(item.name, np.zeros(item.type.sample)) for item in graph.weights}
    for external, scalars in batches:
        found = reference.run(graph, {**kept, **external}, scalars, len(external[LABEL]))
        kept = kept | {name: found[value] for name, value in graph.updates}
    return kept


def batches(tensors: Tensors, parts: int) -> Iterator[tuple[Tensors, dict[str, float]]]:
    """Three steps of so many batches each, the last batch of each smaller than the others."""
    bounds = np.linspace(0, IMAGES, parts + 1).round().astype(int)
    for step in range(1, 4):
        for k, (start, end) in enumerate(pairwise(bounds)):
            told = {"share": (end - start) / IMAGES, "first": float(k == 0), "last": float(k == parts - 1)}
            external = {"image": tensors["image"][start:end] * step, LABEL: tensors[LABEL][start:end]}
            yield external, {"lr": 0.05, "step": step, "seed": 1, **told}


@pytest.fixture(scope="module")
def executables() -> dict[str, Executable]:
    """One net, all plans: their kernels are compiled together."""
    programs = {name: schedule(training_graph(net(), item), TARGETS["avx512"], BATCH) for name, item in PLANS.items()}
    build(tile for program in programs.values() for tile in program.tiles)
    return {name: Executable(program, 2) for name, program in programs.items()}


@pytest.mark.parametrize("name", PLANS)
def test_three_steps(name: str, executables: dict[str, Executable]) -> None:
    exe, graph, tensors = executables[name], training_graph(net(), PLANS[name]), tensors_of(net(), IMAGES)
    parts = PLANS[name].accumulate
    expected = after(graph, tensors, batches(tensors, parts))
    for weight in net().weights:
        exe.write(weight.name, tensors[weight.name].astype(np.float32))
    for external, scalars in batches(tensors, parts):
        given = {key: np.ascontiguousarray(value, np.float32) for key, value in external.items()}
        exe.run(given, len(external[LABEL]), scalars)
    for weight in graph.weights:
        close(exe.read(weight, weight.type.sample), expected[weight.name], f"{name}: {weight.name}", factor=10)


@pytest.mark.parametrize("order", ["images", pytest.param("channels", marks=pytest.mark.slow)])
def test_second_derivatives(order: Order) -> None:
    """The layers of LeNet-5 of 1998, small: links left out, trained subsampling, distances to codes."""
    builder = Builder((2, 8, 8))
    x = builder.add("stanh", builder.add("conv", "image", c=3, k=3, connect=("XX.", ".XX")))
    x = builder.add("flatten", builder.add("stanh", builder.add("subsample", x, k=2)))
    builder.add("rbf", builder.add("stanh", builder.add("dense", x, units=6)), units=4)
    small = builder.graph("small")
    graph = curvature_graph(small, replace(plan(Sdlm()), loss=(Term(1.0, MapRbf()),)))
    tensors = tensors_of(small, IMAGES)
    tensors |= {item.name: np.ones(item.type.sample) for item in graph.weights if item.name not in tensors}
    exe = compiled(graph, order, BATCH)
    for first in (1.0, 0.0):
        scalars = {"share": 0.5, "first": first}
        expected = reference.run(graph, tensors, scalars, IMAGES)
        found = execute(exe, graph, tensors, IMAGES, scalars)
        assert len(graph.updates) == 6
        for name, value in graph.updates:
            assert (expected[value] > 0).all()
            close(found[value], expected[value], f"{name}, {order}", factor=10)


def test_batches_that_make_one_step_give_what_one_large_batch_gives() -> None:
    """Without batch norm, whose statistics are each batch's own; also with more than one place where the gradient is clipped."""
    builder = Builder((6, 1, 1))
    builder.add("dense", builder.add("tanh", builder.add("dense", builder.add("flatten", "image"), units=5)), units=4)
    plain, settings = builder.graph("plain"), {"clip": Norm(limit=0.05), "regularize": (L2(amount=0.1), MaxNorm(amount=0.5))}
    tensors = tensors_of(plain, IMAGES)
    once, thrice = (training_graph(plain, plan(Adam(), accumulate=count, **settings)) for count in (1, 3))
    expected = after(once, tensors, batches(tensors, 1))
    found = after(thrice, tensors, batches(tensors, 3))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-10, atol=1e-14, err_msg=name)


def test_a_batch_that_is_not_fine_changes_no_weight() -> None:
    graph, tensors = training_graph(net(), PLANS["accumulate"]), tensors_of(net(), IMAGES)
    *before, (external, scalars) = list(batches(tensors, 3))[:3]
    broken = {**external, "image": external["image"] * np.nan}
    found = after(graph, tensors, iter([*before, (broken, scalars)]))
    for weight in net().weights:
        if weight.role == "trainable":
            np.testing.assert_array_equal(found[weight.name], tensors[weight.name])


@pytest.mark.parity
@pytest.mark.parametrize("name", ["clip_norm", "clip_value", "max_norm"])
def test_limits_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    unpenalised = tuple(item for item in PLANS[name].regularize if item.name != "l2")
    graph, tensors = training_graph(net(), replace(PLANS[name], regularize=unpenalised)), tensors_of(net(), IMAGES)
    found = after(graph, tensors, iter(list(batches(tensors, 1))[:1]))
    trained = [weight.name for weight in net().weights if weight.role == "trainable"]
    weights = {key: torch.tensor(tensors[key], requires_grad=True) for key in trained}
    external, scalars = next(batches(tensors, 1))
    functional = torch.nn.functional
    x = functional.linear(torch.tensor(external["image"]).flatten(1), weights["dense1.weight"])
    x = functional.batch_norm(x, None, None, weights["bn2.scale"], weights["bn2.shift"], True).tanh()
    logits = functional.linear(x, weights["dense4.weight"], weights["dense4.bias"])
    functional.cross_entropy(logits, torch.tensor(external[LABEL]).long()).backward()
    if name == "clip_norm":
        torch.nn.utils.clip_grad_norm_(weights.values(), 0.05)
    if name == "clip_value":
        torch.nn.utils.clip_grad_value_(weights.values(), 0.01)
    torch.optim.SGD(weights.values(), lr=scalars["lr"]).step()
    for key, weight in weights.items():
        value = weight.detach()
        if name == "max_norm" and value.ndim > 1:
            value = torch.renorm(value, 2, 0, 0.2 if key == "dense4.weight" else 0.3)
        np.testing.assert_allclose(found[key], value.numpy(), rtol=1e-6, atol=1e-12, err_msg=key)
