"""A GPU program ready to run, in the manner of netspec.runtime.executable."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netspec.graph.types import Weight
from netspec.kernels.random import MASK, mix
from netspec.kernels.scalar import SCALARS
from netspec.runtime.cuda_build import build
from netspec.schedule.cuda_program import CudaProgram
from netspec.schedule.program import Space, resolve

Floats = NDArray[np.float32]
BLOCK = 128
"""Threads of a block: four warps, so that the registers of a kernel suffice for many blocks on a multiprocessor."""


class CudaExecutable:
    """Runs a program on a GPU, or in numba's simulator. Weights are named NumPy arrays in PyTorch's layout; they stay on the device.

    Raises UserError where there is neither.
    """

    def __init__(self, program: CudaProgram) -> None:
        self.program = program
        module = build(program)
        self._kernels: dict[str, Any] = {kernel.name: getattr(module, kernel.name) for kernel in program.kernels}
        self._memory = _allocate(program)
        self._warned: set[int] = set()

    def run(self, external: Mapping[str, Floats], images: int, scalars: Mapping[str, float] | None = None) -> None:
        """One step on contiguous arrays for what users pass and get; it has ended when this returns."""
        program = self.program
        assert 0 < images <= program.batch, f"{images} images in a program for up to {program.batch}"
        results = {name: array for name, array in external.items() if program.external[name] != name}
        for name in external.keys() - results.keys():
            self._part(name, images).copy_to_device(
                np.ascontiguousarray(external[name], np.float32).reshape(-1)[: self._size(name, images)]
            )
        with warnings.catch_warnings():
            if images not in self._warned:  # numba warns once of every small grid; a small net has no other
                warnings.simplefilter("ignore")
                self._warned.add(images)
            self._launch(images, scalars or {})
        for name, array in results.items():
            buffer = program.external[name]
            self._part(buffer, images).copy_to_host(array.reshape(-1)[: self._size(buffer, images)])

    def read(self, weight: Weight | str, shape: tuple[int, ...]) -> Floats:
        """A copy of a weight, a gradient or a result, in its own shape."""
        name = weight if isinstance(weight, str) else weight.name
        result: Floats = self._memory[name].copy_to_host()
        return result.reshape(shape)

    def write(self, name: str, value: Floats) -> None:
        """Set a weight."""
        self._memory[name].copy_to_device(np.ascontiguousarray(value, np.float32).reshape(-1))

    def _size(self, buffer: str, images: int) -> int:
        return resolve(self.program.buffers[buffer].size, images)

    def _part(self, buffer: str, images: int) -> Any:
        """What so many images take of a buffer."""
        return self._memory[buffer][: self._size(buffer, images)]

    def _launch(self, images: int, scalars: Mapping[str, float]) -> None:
        numbers = _numbers(self.program.scalars, images, scalars)
        for launch in self.program.launches:
            threads = resolve(launch.threads, images)
            arguments = [numbers[name] for name in launch.kernel.scalars] + [self._memory[name] for name in launch.buffers]
            self._kernels[launch.kernel.name][-(-threads // BLOCK), BLOCK](threads, *arguments)


def _numbers(names: tuple[str, ...], images: int, scalars: Mapping[str, float]) -> dict[str, int | np.float32]:
    """The scalars of a step as kernels take them. `key` is what all random numbers of the step share."""
    key = mix(mix(int(scalars.get("seed", 0)) & MASK) ^ (int(scalars.get("step", 0)) & MASK))
    return {name: np.float32(scalars.get(name, SCALARS[name])) for name in names} | {"key": key, "N": images}


def _allocate(program: CudaProgram) -> dict[str, Any]:
    """An array on the device for every buffer: pieces of the arenas, and arrays of their own for what users pass and get. All zeros."""
    from numba import cuda

    arenas: dict[Space, Any] = {space: cuda.to_device(np.zeros(max(size, 1), np.float32)) for space, size in program.spaces.items()}
    memory: dict[str, Any] = {}
    for buffer in program.buffers.values():
        size = resolve(buffer.size, program.batch)
        if buffer.space == "external":
            memory[buffer.name] = cuda.to_device(np.zeros(size, np.float32))
        else:
            start = resolve(buffer.offset, program.batch)
            memory[buffer.name] = arenas[buffer.space][start : start + size]
    return memory
