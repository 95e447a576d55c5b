"""Graphs compiled, run, and held against the reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netspec.compiler import OPTIMISE
from netspec.graph.graph import Graph
from netspec.kernels.affine import N
from netspec.passes import run
from netspec.runtime import reference
from netspec.runtime.executable import Executable
from netspec.schedule.layout import Order
from netspec.schedule.schedule import schedule
from netspec.schedule.targets import TARGETS
from tests.tolerances import close

Tensors = Mapping[str, NDArray[np.float64]]
ORDERS: tuple[Order, ...] = ("channels", "images")
THREADS = 2


def optimised(graph: Graph) -> Graph:
    """The graph as the compiler schedules it."""
    return run(graph, OPTIMISE)


def compiled(graph: Graph, order: Order, batch: int, target: str = "avx512") -> Executable:
    """An optimised graph, ready to run."""
    return Executable(schedule(graph, TARGETS[target], batch, order), THREADS)


def single(tensors: Tensors) -> dict[str, NDArray[np.float64]]:
    """The same numbers as float32 can hold them: what both sides are given."""
    return {name: value.astype(np.float32).astype(np.float64) for name, value in tensors.items()}


def execute(
    exe: Executable, graph: Graph, tensors: Tensors, images: int, scalars: Mapping[str, float] | None = None
) -> dict[str, NDArray[np.float32]]:
    """Write the weights, make one step, and return all results and the next value of every updated weight (under the value's name)."""
    for weight in graph.weights:
        exe.write(weight.name, tensors[weight.name].astype(np.float32))
    external = {value.name: np.ascontiguousarray(tensors[value.name][:images], np.float32) for value in graph.inputs}
    shapes = {name: tuple(images if extent == N else int(extent) for extent in graph.shape(name)) for name in graph.types}
    batched = [name for name in graph.outputs if N in graph.shape(name)]
    # Beyond the last image there must stay what was there.
    buffers = {name: np.full((images + 1, *shapes[name][1:]), 7.0, np.float32) for name in batched}
    exe.run({**external, **{f"{name}/out": buffer for name, buffer in buffers.items()}}, images, scalars)
    assert all((buffer[images] == 7.0).all() for buffer in buffers.values()), "written beyond the batch"
    results = {name: buffers[name][:images] if name in buffers else exe.read(name, shapes[name]) for name in graph.outputs}
    return results | {value: exe.read(weight, shapes[weight]) for weight, value in graph.updates}


def agree(
    graph: Graph, tensors: Tensors, order: Order, *, images: tuple[int, ...] = (5,), batch: int = 16, target: str = "avx512",
    scalars: Mapping[str, float] | None = None, factor: float = 1.0,
) -> None:  # fmt: skip
    """Compile an unoptimised graph once; for each size of batch, all results and updates equal the reference's."""
    tensors, lean = single(tensors), optimised(graph)
    exe = compiled(lean, order, batch, target)
    inputs = {value.name for value in graph.inputs}
    for count in images:
        part = {name: value[:count] if name in inputs else value for name, value in tensors.items()}
        expected = reference.run(graph, part, scalars, count)
        for name, actual in execute(exe, lean, part, count, scalars).items():
            # The sum of y * probe may cancel: it is as good as its terms.
            largest = float(np.abs(part["probe"] * expected["y"]).sum()) if name == "loss" and "probe" in part else None
            close(actual, expected[name], f"{name}, {order}, {count} images of {batch}, {target}", factor=factor, largest=largest)
