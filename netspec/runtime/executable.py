"""A program ready to run: compiled drivers, memory, weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from netspec.graph.types import Weight
from netspec.kernels.random import MASK, mix
from netspec.kernels.scalar import SCALARS
from netspec.runtime.build import build
from netspec.runtime.table import Table, make_table
from netspec.runtime.threads import one_at_a_time
from netspec.schedule.layout import Layout
from netspec.schedule.program import Program, Space, resolve

Floats = NDArray[np.float32]
ALIGN = 64


class Executable:
    """Runs a program on the CPU. Weights are named NumPy arrays in PyTorch's layout."""

    def __init__(self, program: Program, threads: int) -> None:
        from netspec.runtime.engine import address, run

        self.program, self.threads = program, threads
        self._run, self._address = one_at_a_time(run), address
        self.drivers = build(program.tiles)
        sizes = dict(program.spaces)
        self.private_bytes = -(-4 * sizes.get("private", 0) // 4096) * 4096
        sizes["private"] = self.private_bytes // 4 * threads
        sizes["scalars"] = len(program.scalars) + len(program.constants)
        self.arenas: dict[Space, Floats] = {space: _aligned(size) for space, size in sizes.items()}
        self.bases: dict[Space, int] = {space: arena.ctypes.data for space, arena in self.arenas.items()}
        self.part_bytes = 4 * (program.part_stride)
        self.scalars = self.arenas["scalars"]
        self.scalars[len(program.scalars) :] = program.constants
        self._tables: dict[int, Table] = {}
        self._loading = make_table(program, program.load, self.drivers, self.bases, 1) if program.load else None
        self._loaded = self._loading is None
        self._count = program.scalars.index("N")
        self._surroundings: dict[int, tuple[int, ...]] = {}

    def table(self, images: int) -> Table:
        """The table for a batch of so many images."""
        table = self._tables.get(images)
        if table is None:
            table = self._tables[images] = make_table(self.program, self.program.segments, self.drivers, self.bases, images)
        return table

    def bind(self, external: Mapping[str, Floats], images: int) -> Table:
        """The table for so many images, with the addresses of these arrays in it; what depends on weights alone is up to date."""
        if not self._loaded:
            self._loaded = True
            table = self._loading or self.table(images)
            self._run(table.segments, table.launches, *self.surroundings(1))
        table = self.table(images)
        for name, place, offset in table.external:
            table.records[place] = self._address(external[name].ravel()) + offset  # one compiled form for all ranks
        return table

    def run(self, external: Mapping[str, Floats], images: int, scalars: Mapping[str, float] | None = None) -> None:
        """One step on contiguous arrays for what users pass and get."""
        table = self.bind(external, images)
        if scalars or self.scalars[self._count] != images:
            self._set_scalars(images, scalars or {})
        self._run(table.segments, table.launches, *self.surroundings(images))

    def surroundings(self, images: int) -> tuple[int, ...]:
        """What the engine is told beside a table: threads, blocks of images, the arenas of threads and of sums over the batch."""
        known = self._surroundings.get(images)
        if known is None:
            blocks = -(-images // self.program.target.lanes)
            parts = self.bases.get("parts", 0)
            known = self.threads, blocks, self.bases["private"], self.private_bytes, parts, self.part_bytes
            self._surroundings[images] = known
        return known

    def _set_scalars(self, images: int, scalars: Mapping[str, float]) -> None:
        key = mix(mix(int(scalars.get("seed", 0)) & MASK) ^ (int(scalars.get("step", 0)) & MASK))
        self.scalars[:1].view(np.uint32)[0] = key
        values = {**SCALARS, **scalars, "N": images}
        for i, name in enumerate(self.program.scalars[1:], 1):
            self.scalars[i] = values[name]

    def view(self, name: str) -> Floats:
        """A persistent tensor as it lies in memory, seen in its finest dimensions, a blocked one of those as two."""
        buffer = self.program.buffers[name]
        layout = self.program.layouts[name]
        assert isinstance(layout, Layout)
        arena = self.arenas[buffer.space]
        start = resolve(buffer.offset, 1) + layout.offset
        shape = [extent for extent in layout.dims if isinstance(extent, int)]
        assert len(shape) == len(layout.dims), f"{name} belongs to the batch"
        strides = list(layout.strides)
        if block := layout.block:
            shape[block.dimension : block.dimension + 1] = shape[block.dimension] // block.size, block.size
            strides.insert(block.dimension, block.stride)
        return as_strided(arena[start:], shape, [4 * stride for stride in strides])

    def read(self, weight: Weight | str, shape: tuple[int, ...]) -> Floats:
        """A copy of a weight, a gradient or a result, in its own shape."""
        name = weight if isinstance(weight, str) else weight.name
        return np.array(self.view(name), order="C").reshape(shape)

    def write(self, name: str, value: Floats) -> None:
        """Set a weight."""
        self._loaded = self._loading is None
        place = self.view(name)
        place[...] = np.asarray(value, np.float32).reshape(place.shape)


def _aligned(size: int) -> Floats:
    """Zeros that start at a cache line."""
    memory = np.zeros(size + ALIGN // 4, np.float32)
    skip = -memory.ctypes.data % ALIGN // 4
    return memory[skip : skip + size]
