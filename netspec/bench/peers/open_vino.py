"""OpenVINO: tuned for latency, all threads in one stream, float32 throughout (it would otherwise take bfloat16 where the CPU has it)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from netspec.bench.candidates import Built
from netspec.bench.job import Job
from netspec.bench.onnx_model import onnx_model


def build(job: Job) -> Built:
    """An inference request on an array that it need not copy."""
    library: Any = import_module("openvino")
    core = library.Core()
    model = core.read_model(onnx_model(job.graph, job.weights, job.batch))
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": job.threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "EXECUTION_MODE_HINT": "ACCURACY",
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    x = [job.x]
    return Built(lambda: request.infer(x, share_inputs=True, share_outputs=True)[0], "latency, f32")
