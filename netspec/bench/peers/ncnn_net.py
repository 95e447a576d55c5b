"""ncnn: float32, Winograd and packed channels on, as they are by default. It takes one picture at a time."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from netspec.bench.candidates import WINOGRAD, Built
from netspec.bench.job import Job
from netspec.bench.ncnn_model import ncnn_model


def build(job: Job) -> Built:
    """An extractor for each picture of the batch."""
    library: Any = import_module("ncnn")
    net = library.Net()
    options = net.opt
    options.num_threads, options.use_vulkan_compute = job.threads, False
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = options.use_bf16_storage = False
    text, weights = ncnn_model(job.graph, job.weights)
    places = job.folder / "ncnn.param", job.folder / "ncnn.bin"
    places[0].write_text(text, encoding="utf-8")
    places[1].write_bytes(weights)
    if net.load_param(str(places[0])) or net.load_model(str(places[1])):
        raise RuntimeError("ncnn does not read what the bench wrote")
    pictures = [library.Mat(picture) for picture in job.x]

    def infer() -> list[Any]:
        return [_extract(net, picture) for picture in pictures]

    return Built(infer, "Winograd, f32, a picture at a time", lambda found: np.array([np.array(item) for item in found]), WINOGRAD)


def _extract(net: Any, picture: Any) -> Any:
    extractor = net.create_extractor()
    extractor.input("x", picture)
    code, result = extractor.extract("y")
    if code:
        raise RuntimeError(f"ncnn's extractor gave {code}")
    return result
