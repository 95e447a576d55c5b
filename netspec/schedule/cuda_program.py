"""A program for a GPU: kernels to compile, buffers, launches in order. Plain data, as the CPU's program is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netspec.kernels.affine import Axis, Extent, N
from netspec.schedule.nest import Chain
from netspec.schedule.program import Buffer, Size, Space
from netspec.schedule.targets import Target

COUNT = "count"
"""The extent of a kernel's only axis where nothing but the number of elements matters: kernels of all sizes are then one."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An array that a kernel is given, row-major."""

    name: str
    shape: tuple[Extent, ...]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A chain over the kernel's own names, one thread per element of the axes that it keeps. What is passed on inside is called `value`.

    `parameters`: results first. `scalars`: the numbers of a step that it needs, in the program's order; `key` stands for random numbers,
    `N` for the images in the batch. Names are words that stand in generated code: none is a user's, but for the label in `name`.
    """

    name: str
    chain: Chain
    parameters: tuple[Parameter, ...]
    scalars: tuple[str, ...]

    @property
    def kept(self) -> tuple[Axis, ...]:
        """The axes of the result; the last one runs fastest along the threads."""
        return self.chain.formula.kept

    def shape(self, name: str) -> tuple[Extent, ...]:
        """The extents of a parameter."""
        return next(item.shape for item in self.parameters if item.name == name)


@dataclass(frozen=True, slots=True)
class KernelLaunch:
    """A kernel applied to buffers, in the order of its parameters, by `threads` threads. `name` is the tensor that it computes."""

    name: str
    kernel: Kernel
    buffers: tuple[str, ...]
    threads: Size
    origin: str


@dataclass(frozen=True)
class CudaProgram:
    """All of it. `batch` is the largest number of images; `scalars` names the numbers a step is called with, in order.

    Every tensor is row-major. `external` maps the names under which users pass and get tensors of the batch to their buffers; weights and
    results without batch are `persistent`, the rest is `shared` by those that live at different times. Offsets and `spaces` are in floats.
    """

    name: str
    target: Target
    batch: int
    buffers: dict[str, Buffer]
    launches: tuple[KernelLaunch, ...]
    external: dict[str, str]
    scalars: tuple[str, ...]
    spaces: dict[Space, int]

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """The different kernels, in order of first use."""
        return tuple(dict.fromkeys(launch.kernel for launch in self.launches))

    def __str__(self) -> str:
        return "\n".join(_lines(self)) + "\n"


def _lines(program: CudaProgram) -> Iterator[str]:
    spaces = ", ".join(f"{space} {4 * size} bytes" for space, size in program.spaces.items())
    yield f"program {program.name} for {program.target.name}, up to {program.batch} images: {spaces}"
    yield f"{len(program.kernels)} kernels, {len(program.launches)} launches"
    yield ""
    for buffer in program.buffers.values():
        place = "" if buffer.space == "external" else f" at {buffer.offset}"
        yield f"buffer {buffer.name}: {buffer.size} floats, {buffer.space}{place}"
    yield ""
    for launch in program.launches:
        threads = str(launch.threads).replace("images", N)
        yield f"{launch.kernel.name}<{threads}>({', '.join((*launch.kernel.scalars, *launch.buffers))})"
