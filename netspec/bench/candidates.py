"""Who takes part: netspec, its peers, and two that are no peers: the judge of results, and the machine's peak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from netspec.records import record

if TYPE_CHECKING:
    from netspec.bench.job import Job, Mode

DIRECT, WINOGRAD = 1e-5, 1e-4
"""Relative errors that float32 may have: of sums of products, and of Winograd's transforms (Lavin & Gray 2016)."""


@dataclass(frozen=True)
class Built:
    """A net of a library. `call` is what is timed: inference on a batch in memory, or a training step on it.

    `read` makes of what a call gives the result [N, ...] in PyTorch's order, or the loss before the step.
    """

    call: Callable[[], Any]
    settings: str
    read: Callable[[Any], ArrayLike] = np.asarray
    tolerance: float = DIRECT
    operations: int = 0
    """Floating-point operations of a call, where it runs no net."""


@record
class Candidate:
    """A library in one way of using it: the module it is imported as, the package it comes in, and who builds its nets."""

    name: str
    module: str
    package: str
    home: str
    modes: tuple[Mode, ...] = ("infer", "train")
    appetite: int = 2
    """How many copies of the weights it holds while it builds a net, besides what running it takes: measured with VGG-16, rounded up."""

    @property
    def installed(self) -> bool:
        """Whether its library is there."""
        return find_spec(self.module) is not None

    def version(self) -> str:
        """The library's version."""
        return version(self.package)

    def load(self) -> Callable[[Job], Built]:
        """What builds a net; its library is imported now."""
        file, _, function = self.home.partition(":")
        return getattr(import_module(f"netspec.bench.{file}"), function)


NETSPEC = Candidate("netspec", "netspec", "netspec-compiler", "peers.ours:build", appetite=3)
REFERENCE = Candidate("reference", "netspec", "netspec-compiler", "reference:build")
PEAK = Candidate("peak", "numba", "numba", "peak:build")
PEERS = {
    item.name: item
    for item in (
        Candidate("torch", "torch", "torch", "peers.pytorch:eager"),
        Candidate("torch-channels-last", "torch", "torch", "peers.pytorch:channels_last"),
        Candidate("torch-compile", "torch", "torch", "peers.pytorch:compiled"),
        Candidate("tensorflow", "tensorflow", "tensorflow-cpu", "peers.tensor_flow:build", appetite=16),
        Candidate("jax", "jax", "jax", "peers.jax_xla:build"),
        Candidate("onnxruntime", "onnxruntime", "onnxruntime", "peers.onnx_runtime:build", ("infer",), 4),
        Candidate("openvino", "openvino", "openvino", "peers.open_vino:build", ("infer",), 4),
        Candidate("ncnn", "ncnn", "ncnn", "peers.ncnn_net:build", ("infer",)),
    )
}
ALL = {item.name: item for item in (NETSPEC, REFERENCE, PEAK, *PEERS.values())}
