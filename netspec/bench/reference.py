"""What float64 gives: by PyTorch where it is installed, else by netspec's own interpreter, which takes its time."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from netspec.bench.candidates import Built
from netspec.bench.job import Job
from netspec.compiler import inference_graph, training_graph
from netspec.diagnostics import UserError
from netspec.passes.attach_loss import LOSS, field_input
from netspec.runtime import reference
from netspec.training import FIELD

MOST = 1e9
"""Floating-point operations that the interpreter is asked for; it does some 1e9 a second."""


def build(job: Job) -> Built:
    """Results to compare others with. Raises UserError for a net too large to be judged without PyTorch."""
    if find_spec("torch") is not None:
        from netspec.bench.peers.pytorch import Way, built

        return built(job, Way("float64", double=True))
    if job.operations > MOST:
        raise UserError(f"float64 takes {job.operations / 1e9:,.0f} GFLOP, too many without PyTorch", "pip install torch")
    return Built(_training(job) if job.training else _inference(job), "float64, interpreted")


def _inference(job: Job) -> Callable[[], Any]:
    graph, x = inference_graph(job.graph), job.x
    (source,), (result,) = ([value.name for value in graph.inputs], graph.outputs)
    tensors = {name: value.astype(np.float64) for name, value in job.weights.items()} | {source: x.astype(np.float64)}
    return lambda: reference.run(graph, tensors)[result]


def _training(job: Job) -> Callable[[], Any]:
    plan = job.model.plan
    assert plan is not None
    graph = training_graph(job.graph, plan)
    tensors = {weight.name: np.zeros(weight.type.sample) for weight in graph.weights}
    tensors |= {name: value.astype(np.float64) for name, value in job.weights.items()}
    tensors |= {job.graph.inputs[0].name: job.x.astype(np.float64), field_input(FIELD): job.labels.astype(np.float64)}
    steps = 0

    def step() -> Any:
        nonlocal steps
        steps += 1
        found = reference.run(graph, tensors, {"lr": job.rate, "step": steps})
        tensors.update({weight: found[value] for weight, value in graph.updates})
        return found[LOSS].item()

    return step
