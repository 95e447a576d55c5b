"""Graph x Target -> CudaProgram: one kernel per chain, one thread per element of its result.

Tensors lie row-major, as users pass them, so nothing is copied at the border of the program; what lies outside a tensor is told by
comparing indices, so no borders are stored. Each thread sums in order, so the bits do not depend on the size of the grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netspec.graph.graph import Graph
from netspec.kernels.affine import Extent, N, size_of
from netspec.kernels.scalar import SCALARS, accesses
from netspec.schedule.cuda_kernel import Surroundings, formulas_of, kernel_of, unique, word
from netspec.schedule.cuda_program import CudaProgram, Kernel, KernelLaunch
from netspec.schedule.memory import Piece, place
from netspec.schedule.nest import Chain
from netspec.schedule.program import Buffer, Count, Size, Space, resolve
from netspec.schedule.schedule import steps_of
from netspec.schedule.staging import OUTSIDE
from netspec.schedule.targets import Target


def schedule_cuda(graph: Graph, target: Target, batch: int) -> CudaProgram:
    """A program that runs up to `batch` images on a GPU."""
    assert target.kind == "cuda", target.name
    launches = _launches(graph)
    alias = {value: weight for weight, value in graph.updates}
    for value, weight in alias.items():
        _check_in_place(launches, graph, value, weight)
    buffers, spaces = _memory(graph, launches, alias, batch)
    external = {value.name: value.name for value in graph.inputs if N in value.type.shape}
    external |= {name + OUTSIDE: name for name in graph.outputs if N in graph.shape(name)}
    return CudaProgram(graph.name, target, batch, buffers, tuple(launches), external, tuple(SCALARS), spaces)


def _launches(graph: Graph) -> list[KernelLaunch]:
    """A launch for every chain, in order; equal kernels are one, named after the first tensor that it computes."""
    shapes, weights = {name: item.type.shape for name, item in graph.types.items()}, {item.name for item in graph.weights}
    around = Surroundings(shapes, weights, tuple(SCALARS))
    known: dict[Kernel, Kernel] = {}
    names: set[str] = set()
    launches: list[KernelLaunch] = []
    for step in steps_of(graph):
        kernel, buffers = kernel_of(step.chain, around)
        if kernel not in known:
            known[kernel] = replace(kernel, name=_kernel_name(step.chain, names))
        threads = _size(tuple(axis.extent for axis in step.chain.formula.kept))
        launches.append(KernelLaunch(step.name, known[kernel], buffers, threads, step.origin))
    return launches


def _kernel_name(chain: Chain, names: set[str]) -> str:
    """What it does and a label: `dot_c1`, `map_d_c1_relu`."""
    formula = chain.formula
    kind = "dot" if formula.factors else "map" if formula.combine == "none" else formula.combine
    return unique(f"{kind}_{word(chain.out.tensor, len(names))}", names)


def _size(shape: tuple[Extent, ...]) -> Size:
    """The number of elements; N is the batch that a step is called with."""
    assert N not in shape[1:], f"the batch is not the first of {shape}"
    size = size_of(shape)
    return Count(size) if N in shape else size


def _check_in_place(launches: list[KernelLaunch], graph: Graph, value: str, weight: str) -> None:
    """The next value of a weight is written over it: nobody may look at the old one afterwards, nor at other elements meanwhile."""
    writers = [k for k, launch in enumerate(launches) if launch.name == value]
    assert len(writers) == 1, f"{value} is computed in {len(writers)} parts"
    (writer,) = writers
    late = [launch.name for launch in launches[writer + 1 :] if weight in launch.buffers]
    assert not late, f"{late} read {weight}, which {value} has overwritten"
    launch = launches[writer]
    for name, tensor in zip((item.name for item in launch.kernel.parameters), launch.buffers, strict=True):
        if tensor == weight:
            out = launch.kernel.chain.out
            reads = [item for formula in formulas_of(launch.kernel.chain) for item in accesses(formula.body) if item.tensor == name]
            assert all((item.indices, item.view) == (out.indices, out.view) for item in reads), f"{value} reads {weight} elsewhere"


def _memory(graph: Graph, launches: list[KernelLaunch], alias: Mapping[str, str], batch: int) -> tuple[dict[str, Buffer], dict[Space, int]]:
    """Weights and results persist; of the rest, what lives at the same time lies apart."""
    inputs = {value.name for value in graph.inputs}
    kept = {*inputs, *graph.outputs, *(weight.name for weight in graph.weights)}
    lives: dict[str, tuple[int, int]] = {}
    for clock, launch in enumerate(launches):
        for name in launch.buffers:
            lives[name] = lives.get(name, (clock, clock))[0], clock
    buffers: dict[str, Buffer] = {}
    groups: dict[Space, list[Piece]] = {"persistent": [], "shared": []}
    order = (*(item.name for item in (*graph.inputs, *graph.weights)), *graph.outputs, *lives)
    for name in dict.fromkeys(item for item in order if item not in alias):
        size = _size(graph.shape(name))
        space: Space = "shared" if name not in kept else "external" if isinstance(size, Count) else "persistent"
        buffers[name] = Buffer(name, space, size)
        if space in groups:
            first, last = lives[name] if space == "shared" else (0, len(launches))
            groups[space].append(Piece(name, resolve(size, batch), first, last))
    spaces: dict[Space, int] = {}
    for space, pieces in groups.items():
        offsets, spaces[space] = place(pieces)
        buffers.update({name: replace(buffers[name], offset=offset) for name, offset in offsets.items()})
    buffers.update({value: replace(buffers[weight], name=value) for value, weight in alias.items()})
    return buffers, spaces
