"""Drivers: the loops around a tile, each a function of its own in machine code.

A driver runs the tasks [first, last) of a launch. What a task is, the launch's record tells: the loops around the tile, counted as one.

    void driver(plan, private, block, part, first, last):                          # 64-bit integers all; plan: address of the record
        for task in first..last, innermost loop by innermost loop:
            p[n] = origin[n] + sum over loops of (index of the loop in this task) * stride[n, loop]
            tile(p)

A driver knows nothing of any net: sizes and strides are the record's. Many drivers are compiled at once, as one module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from netspec.schedule.program import Tile
from netspec.targets.cpu import record
from netspec.targets.cpu.tile import emit_tile

INT32, INT64 = ir.IntType(32), ir.IntType(64)
DRIVER = ir.FunctionType(ir.VoidType(), [INT64] * 6)
Value = Any  # llvmlite has no types


def driver_name(tile: Tile) -> str:
    """What it is, and a hash that tells it from all others."""
    what = "map" if tile.body is None else "dot" if str(tile.body).count("*") == 1 and tile.combine == "sum" else tile.combine
    digest = hashlib.sha256(repr(tile).encode()).hexdigest()[:12]
    return f"{what}_{tile.rows}x{tile.vectors}x{tile.lanes}_{digest}"


def make_drivers(tiles: Sequence[Tile]) -> Callable[[int], int]:
    """An intrinsic `drivers(number)`: the address of the driver of the tile of that number."""

    @intrinsic
    def drivers(_context: object, number: object) -> object:
        def generate(_context: object, builder: ir.IRBuilder, _signature: object, arguments: tuple[Value]) -> Value:
            module = builder.module
            functions = [_Driver(tile, ir.Function(module, DRIVER, driver_name(tile))).function for tile in tiles]
            kind = ir.ArrayType(INT64, len(functions))
            table = ir.GlobalVariable(module, kind, "drivers")
            table.linkage, table.global_constant = "internal", True
            table.initializer = ir.Constant(kind, [function.ptrtoint(INT64) for function in functions])  # pyright: ignore
            return builder.load(builder.gep(table, [ir.Constant(INT32, 0), arguments[0]]))

        return types.int64(types.int64), generate

    return drivers  # pyright: ignore


class _Driver:
    """Emits the body of one driver."""

    def __init__(self, tile: Tile, function: ir.Function) -> None:
        self.tile, self.function = tile, function
        function.linkage = "internal"
        self.builder = builder = ir.IRBuilder(function.append_basic_block("entry"))
        plan, private, block, part, first, last = function.args
        self.plan, self.operands = plan, range(len(tile.kinds))
        places = (record.PRIVATE, private), (record.BLOCK, block), (record.PART, part)
        origins = [self._read(record.field(n, record.ADDRESS)) for n in self.operands]
        for n in self.operands:
            for name, number in places:
                origins[n] = builder.add(origins[n], builder.mul(number, self._read(record.field(n, name))))
        self.steps = [self._read(record.field(n, record.LOOP)) for n in self.operands]
        self.extent = self._read(record.LOOP_EXTENT)
        self._rows_of_tasks(origins, first, last)
        builder.ret_void()

    def _read(self, place: int | Value) -> Value:
        """A number of the launch's record."""
        index = ir.Constant(INT64, place) if isinstance(place, int) else place
        return self.builder.load(self.builder.gep(self.builder.inttoptr(self.plan, INT64.as_pointer()), [index]))

    def _rows_of_tasks(self, origins: list[Value], first: Value, last: Value) -> None:
        """All tasks, those of one run of the innermost loop after the other."""
        b = self.builder
        task = cgutils.alloca_once_value(b, first)
        with self._as_long_as(lambda: b.icmp_signed("<", b.load(task), last)):
            start = b.load(task)
            rest = b.sdiv(start, self.extent)
            index = b.sub(start, b.mul(rest, self.extent))
            here = [b.add(origins[n], b.mul(index, self.steps[n])) for n in self.operands]
            here = self._moved_by_outer_loops(here, rest)
            count, left = b.sub(self.extent, index), b.sub(last, start)
            count = b.select(b.icmp_signed("<", count, left), count, left)
            with cgutils.for_range(b, count, intp=INT64) as loop:
                pointers = [b.add(here[n], b.mul(loop.index, self.steps[n])) for n in self.operands]
                emit_tile(self.tile, b, self.plan, pointers)
            b.store(b.add(start, count), task)

    def _moved_by_outer_loops(self, here: list[Value], rest: Value) -> list[Value]:
        """The places of all operands, moved as far as the loops around the innermost one say."""
        b = self.builder
        left, loop = cgutils.alloca_once_value(b, rest), cgutils.alloca_once_value(b, ir.Constant(INT64, 1))
        places = [cgutils.alloca_once_value(b, value) for value in here]
        with self._as_long_as(lambda: b.icmp_signed(">", b.load(left), ir.Constant(INT64, 0))):
            number, before = b.load(loop), b.load(left)
            extent = self._read(b.add(number, ir.Constant(INT64, record.LOOP_EXTENT)))
            outer = b.sdiv(before, extent)
            index = b.sub(before, b.mul(outer, extent))
            for n, place in enumerate(places):
                stride = self._read(b.add(number, ir.Constant(INT64, record.field(n, record.LOOP))))
                b.store(b.add(b.load(place), b.mul(index, stride)), place)
            b.store(outer, left)
            b.store(b.add(number, ir.Constant(INT64, 1)), loop)
        return [b.load(place) for place in places]

    @contextmanager
    def _as_long_as(self, condition: Callable[[], Value]) -> Generator[None]:
        """A loop around what is emitted inside."""
        b = self.builder
        test, body, end = (self.function.append_basic_block(name) for name in ("while", "do", "done"))
        b.branch(test)
        b.position_at_end(test)
        b.cbranch(condition(), body, end)
        b.position_at_end(body)
        yield
        b.branch(test)
        b.position_at_end(end)
