"""Every address that a launch writes or reads, enumerated from the program alone: what a driver would do, without running one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from netspec.schedule.memory import SLACK, aligned
from netspec.schedule.program import Launch, Loop, Program, resolve

Integers = NDArray[np.int64]


def _grid(loops: tuple[Loop, ...], operand: int, images: int) -> Integers:
    """How far an operand has moved at every step of the loops, as one row."""
    moved = np.zeros(1, np.int64)
    for loop in loops:
        steps = np.arange(resolve(loop.extent, images), dtype=np.int64) * loop.strides[operand]
        moved = (moved[:, None] + steps).ravel()
    return moved


def _left(launch: Launch, images: int) -> dict[str, int]:
    """The operands that say how many lanes, vectors and rows are left."""
    tile, number, found = launch.tile, len(launch.operands), dict[str, int]()
    for name, there in (("lanes", tile.tail), ("vectors", tile.ragged_vectors), ("rows", tile.ragged_rows)):
        if there:
            number -= 1
            found[name] = number
    return found


def addresses(launch: Launch, operand: int, images: int, block: int = 0) -> Integers:
    """Byte offsets, relative to the operand's buffer, that the launch touches there; clipped loops are taken whole."""
    tile, place = launch.tile, launch.operands[operand]
    loops = launch.loops
    stored = any(operand == number for number, _ in tile.results) and not _read_in_body(launch, operand)
    summed = (*loops, *launch.reduce) if not stored else loops
    left = _left(launch, images)
    starts = {name: resolve(launch.operands[n].offset, images) + block * launch.operands[n].block for name, n in left.items()}
    numbers = {name: starts[name] + _grid(summed, n, images) for name, n in left.items()}
    here = resolve(place.offset, images) + block * place.block + _grid(summed, operand, images)
    kind, found = tile.kinds[operand], list[Integers]()
    lanes = 1 if kind.lane == "same" or (stored and tile.lane_sum) else tile.lanes
    for i, j in product(range(tile.rows if kind.rows else 1), range(tile.vectors if kind.vectors else 1)):
        row = np.minimum(i, numbers["rows"] - 1) if "rows" in left else i
        vector = np.minimum(j, numbers["vectors"] - 1) if "vectors" in left else j
        at = here + row * place.row + vector * place.vector
        for lane in range(lanes):
            there = at + lane * place.lane
            if "lanes" in left:
                gone = numbers["lanes"] + (vector * launch.operands[left["lanes"]].vector if tile.kinds[left["lanes"]].vectors else 0)
                there = there[lane < gone] if lanes > 1 else there
            found.append(there)
    return np.concatenate(found)


def _read_in_body(launch: Launch, operand: int) -> bool:
    return (
        launch.tile.body is not None
        and f"s{operand}" in str(launch.tile.body).replace("(", " ").replace(")", " ").replace(",", " ").split()
    )


def outside(program: Program, images: int) -> Iterator[str]:
    """The operands of launches that leave their tensors. Kernels may run over the end of our own, into the room kept behind each."""
    for segment in program.segments:
        for launch in segment.launches:
            written = {number for number, _ in launch.tile.results}
            for number, operand in enumerate(launch.operands):
                if operand.buffer is None or operand.buffer == "scalars" or launch.tile.clipped:
                    continue
                room = _room(program, operand.buffer, images, number in written)
                touched = addresses(launch, number, images)
                low, high = int(touched.min(initial=0)), int(touched.max(initial=0))
                if low < 0 or high >= 4 * room:
                    yield f"{launch.name}: operand {number} in {operand.buffer} reaches {low}..{high} of {4 * room} bytes: {launch.tile}"


def _room(program: Program, name: str, images: int, write: bool) -> int:
    """How many floats from a tensor's start on may be touched."""
    buffer = program.buffers[name]
    match buffer.space:
        case "external":
            return resolve(buffer.size, images)
        case "parts":
            return program.spaces["parts"] - resolve(buffer.offset, images)
        case _:
            return aligned(resolve(buffer.size, program.batch)) + (0 if write else SLACK)
