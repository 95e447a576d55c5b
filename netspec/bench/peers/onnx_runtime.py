"""ONNX Runtime: all graph optimisations, as many threads as asked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from netspec.bench.candidates import Built
from netspec.bench.job import Job
from netspec.bench.onnx_model import onnx_model


def build(job: Job) -> Built:
    """`session.run` on an array."""
    library: Any = import_module("onnxruntime")
    options = library.SessionOptions()
    options.graph_optimization_level = library.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = library.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads, options.inter_op_num_threads = job.threads, 1
    options.log_severity_level = 3
    model = onnx_model(job.graph, job.weights, job.batch)
    session = library.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (given,), x = session.get_inputs(), {session.get_inputs()[0].name: job.x}
    assert given.shape == list(job.x.shape)
    return Built(lambda: session.run(None, x)[0], "all graph optimisations")
