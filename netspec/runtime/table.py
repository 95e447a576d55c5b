"""A program as numbers: what the compiled engine walks through. One table per size of batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from netspec.schedule.program import Launch, Mode, Operand, Program, Segment, Space, Tile, resolve
from netspec.targets.cpu import record

Integers = NDArray[np.int64]
MODES: dict[Mode, int] = {"together": 0, "apart": 1, "by_image": 2}
"""Modes as the engine knows them."""


@dataclass(frozen=True, slots=True)
class Table:
    """`segments`: mode, first and last launch, parts (apart) or images (by image). `launches`: address of the driver, of its record, tasks,
    how many of them one thread must do in a row. `records`: all records.

    `external` tells where the addresses of external buffers go: (buffer, place in `records`, offset in bytes).
    """

    segments: Integers
    launches: Integers
    records: Integers
    external: tuple[tuple[str, int, int], ...]


def make_table(program: Program, chosen: Sequence[Segment], drivers: Mapping[Tile, int], bases: Mapping[Space, int], images: int) -> Table:
    """The table of some segments of a program for so many images; `bases` are the addresses of the arenas."""
    segments: list[list[int]] = []
    launches: list[list[int]] = []
    records: list[int] = []
    external: list[tuple[str, int, int]] = []
    for segment in chosen:
        start = len(launches)
        for launch in segment.launches:
            tasks = prod(resolve(loop.extent, images) for loop in launch.loops)
            grain = prod(resolve(loop.extent, images) for loop in launch.loops[launch.cut :])
            launches.append([drivers[launch.tile], 8 * len(records), tasks, grain if launch.shared else tasks])
            for name, operand, offset in _external(program, launch, images):
                external.append((name, len(records) + record.field(operand, record.ADDRESS), offset))
            records += _record(program, launch, bases, images)
        segments.append([MODES[segment.mode], start, len(launches), images if segment.mode == "by_image" else segment.parts])
    table = np.array(records, np.int64)
    made = np.array(launches, np.int64).reshape(-1, 4)
    made[:, 1] += table.ctypes.data
    return Table(np.array(segments, np.int64).reshape(-1, 4), made, table, tuple(external))


def _external(program: Program, launch: Launch, images: int) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    for number, operand in enumerate(launch.operands):
        if operand.buffer in program.buffers and program.buffers[operand.buffer].space == "external":
            found.append((operand.buffer, number, resolve(operand.offset, images)))
    return found


def _record(program: Program, launch: Launch, bases: Mapping[Space, int], images: int) -> list[int]:
    numbers = [0] * record.field(len(launch.operands), 0)
    numbers[record.SCALARS] = bases["scalars"]
    numbers[record.LOOP_EXTENT] = 1
    for start, loops in ((record.LOOP_EXTENT, launch.loops[::-1]), (record.REDUCE_EXTENT, launch.reduce)):
        for i, loop in enumerate(loops):
            numbers[start + i] = resolve(loop.extent, images)
    for number, operand in enumerate(launch.operands):
        _fill(numbers, number, launch, operand)
        address, private = _address(program, operand, bases, images)
        numbers[record.field(number, record.ADDRESS)] = address
        numbers[record.field(number, record.PRIVATE)] = private
    return numbers


def _fill(numbers: list[int], number: int, launch: Launch, operand: Operand) -> None:
    fields = {
        record.BLOCK: operand.block, record.PART: operand.part, record.ROW: operand.row, record.VECTOR: operand.vector,
        record.LANE: operand.lane, record.SIZE: operand.size, record.STEP: operand.step,
    }  # fmt: skip
    for name, value in fields.items():
        numbers[record.field(number, name)] = value
    for i, value in enumerate(operand.near):
        numbers[record.field(number, record.NEAR + i)] = value
    for start, loops in ((record.LOOP, launch.loops[::-1]), (record.REDUCE, launch.reduce)):
        for i, loop in enumerate(loops):
            numbers[record.field(number, start + i)] = loop.strides[number]


def _address(program: Program, operand: Operand, bases: Mapping[Space, int], images: int) -> tuple[int, int]:
    """Where an operand starts, and whether each thread has its own."""
    offset = resolve(operand.offset, images)
    if operand.buffer is None:
        return offset, 0
    if operand.buffer == "scalars":
        return bases["scalars"] + offset, 0
    buffer = program.buffers[operand.buffer]
    if buffer.space == "external":
        return 0, 0
    place = 4 * resolve(buffer.offset, images) + offset
    return (place, 1) if buffer.space == "private" else (bases[buffer.space] + place, 0)
