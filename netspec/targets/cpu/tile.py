"""The register tile: one generator of vector IR that serves every formula.

    result[i, j] = expression of (combine over up to three loops of body(operands at i, j))      rows i, vectors j, each of `lanes` numbers

A row of a contraction is one broadcast value, a vector a load; rows x vectors accumulators stay in registers. Whether an operand is
broadcast, loaded or gathered, and whether rows or vectors move it, is part of the tile's identity; how far, the launch's record tells.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from netspec.kernels.scalar import Call, Constant, Expr
from netspec.schedule.program import At, Kind, Place, Reduced, ReducedAt, Slot, Tile
from netspec.targets.cpu import record
from netspec.targets.cpu.vector_math import VectorMath

FLOAT, INT1, INT8, INT32, INT64 = ir.FloatType(), ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
Value = Any  # llvmlite has no types
Memory = dict[tuple[int, int, int, tuple[int, ...]], Value]
"""Operands that were read: their number, row, vector and steps."""
RUNS = 4
"""Accumulators up to which sums are formed in runs."""


def emit_tile(tile: Tile, builder: ir.IRBuilder, plan: Value, pointers: list[Value]) -> None:
    """Emit a tile at the builder's position. One pointer (or number, of an index) per operand, at the tile's first row, vector and lane;
    `plan` is the address of the launch's record.
    """
    _Emitter(tile, builder, plan, pointers).emit()


class _Emitter:
    """Emits one tile at the builder's position."""

    def __init__(self, tile: Tile, builder: ir.IRBuilder, plan: Value, pointers: list[Value]) -> None:
        self.tile, self.builder, self.plan, self.pointers = tile, builder, plan, pointers
        self.math = VectorMath(builder, tile.lanes, tile.fma)
        self.single = VectorMath(builder, 1, tile.fma)
        self.cells = [(i, j) for i in range(tile.rows) for j in range(tile.vectors)]
        self.strides: dict[tuple[int, int], Value] = {}
        extras = len(tile.kinds)
        self.left: dict[str, int] = {}
        for name, there in (("lanes", tile.tail), ("vectors", tile.ragged_vectors), ("rows", tile.ragged_rows)):
            if there:
                extras -= 1
                self.left[name] = extras
        self.clips = {loop: extras - len(tile.clipped) + k for k, loop in enumerate(tile.clipped)}

    def emit(self) -> None:
        """Everything, in order: offsets of rows and vectors, the reduction, the results, the stores."""
        tile = self.tile
        self.row_index = [self._bounded(i, "rows") for i in range(tile.rows)]
        self.vector_index = [self._bounded(j, "vectors") for j in range(tile.vectors)]
        self.masks = self._masks(self.pointers)
        totals, places = self._reduce() if tile.body is not None else ({}, {})
        math = self.single if tile.lane_sum else self.math
        if tile.lane_sum:
            totals = {cell: self._sum_lanes(value) for cell, value in totals.items()}
        memory: Memory = {}
        stores: list[tuple[Place, int, int, Value]] = []
        for i, j in self.cells:
            inner: dict[Expr, Value] = {Reduced(): totals.get((i, j)), ReducedAt(): places.get((i, j))}
            for place, expr in tile.results:
                stores.append((place, i, j, self._expression(expr, i, j, math, memory, self.pointers, inner)))
        for place, i, j, value in stores:
            self._store(place, i, j, value)

    # ── places ───────────────────────────────────────────────────────────────────────────────────

    def _stride(self, operand: int, name: int) -> Value:
        key = operand, name
        if key not in self.strides:
            place = ir.Constant(INT64, record.field(operand, name))
            with self.builder.goto_entry_block():  # read once, not with every tile
                self.strides[key] = self.builder.load(self.builder.gep(self.builder.inttoptr(self.plan, INT64.as_pointer()), [place]))
        return self.strides[key]

    def _bounded(self, number: int, what: str) -> Value:
        """The number of a row or vector, at most the last one there is: what is left over repeats the last one."""
        index = ir.Constant(INT64, number)
        if number == 0 or what not in self.left:
            return index
        last = self.builder.sub(self.pointers[self.left[what]], ir.Constant(INT64, 1))
        return self.builder.select(self.builder.icmp_signed("<", index, last), index, last)

    def _masks(self, pointers: list[Value]) -> list[Value | None]:
        return [self._mask(j, pointers) if self.tile.tail else None for j in range(self.tile.vectors)]

    def _mask(self, j: int, pointers: list[Value]) -> Value:
        """Which lanes of vector j are there."""
        number = self.left["lanes"]
        left = pointers[number]
        if self.tile.kinds[number].vectors and j:
            left = self.builder.add(left, self.builder.mul(self.vector_index[j], self._stride(number, record.VECTOR)))
        top = ir.Constant(INT64, self.tile.lanes)
        left = self.builder.select(self.builder.icmp_signed(">", left, top), top, left)
        return self.builder.icmp_signed("<", self.math.ramp(), self.math.splat(self.builder.trunc(left, INT32)))

    def _place(self, operand: int, i: int, j: int, pointers: list[Value]) -> Value:
        """The address (or number) of an operand at row i and vector j."""
        kind, place = self.tile.kinds[operand], pointers[operand]
        for moved, index, name in ((kind.rows, self.row_index[i], record.ROW), (kind.vectors, self.vector_index[j], record.VECTOR)):
            if moved and not (isinstance(index, ir.Constant) and index.constant == 0):
                place = self.builder.add(place, self.builder.mul(index, self._stride(operand, name)))
        return place

    # ── operands ─────────────────────────────────────────────────────────────────────────────────

    def _near(self, number: int, place: Value, steps: tuple[int, ...]) -> Value:
        """An address so many of an operand's steps further. Sums of the first ones are shared, the last is often part of an instruction."""
        for k, count in enumerate(steps):
            if count:
                distance = self.builder.mul(ir.Constant(INT64, count), self._stride(number, record.NEAR + k))
                place = self.builder.add(place, distance)
        return place

    def _operand(self, number: int, i: int, j: int, math: VectorMath, pointers: list[Value], steps: tuple[int, ...] = ()) -> Value:
        kind = self.tile.kinds[number]
        place = self._near(number, self._place(number, i, j, pointers), steps)
        match kind.what:
            case "memory":
                return self._load(number, kind, place, j, math)
            case "index":
                return math.to_float(self._positions(number, kind, place, math))
            case "random":
                return math.uniform(self._positions(number, kind, place, math), math.splat(self._key(kind.stream)))

    def _load(self, number: int, kind: Kind, place: Value, j: int, math: VectorMath) -> Value:
        b, mask = self.builder, self.masks[j]
        if kind.lane == "same" or math.lanes == 1:
            return math.splat(b.load(b.inttoptr(place, FLOAT.as_pointer()), align=4))
        if kind.lane == "strided":
            addresses = self._addresses(number, place)
            everywhere = ir.Constant(ir.VectorType(INT1, math.lanes), [1] * math.lanes)
            return self._declared(
                f"llvm.masked.gather.{math.suffix}.v{math.lanes}p0", math.type,
                [addresses, ir.Constant(INT32, 4), mask if mask is not None else everywhere, math.number(0.0)],
            )  # fmt: skip
        pointer = b.inttoptr(place, math.type.as_pointer())
        if mask is None:
            return b.load(pointer, align=4)
        return self._declared(f"llvm.masked.load.{math.suffix}.p0", math.type, [pointer, ir.Constant(INT32, 4), mask, math.number(0.0)])

    def _store(self, where: Place, i: int, j: int, value: Value) -> None:
        number, steps = (where.number, where.steps) if isinstance(where, At) else (where, ())
        b, kind, mask = self.builder, self.tile.kinds[number], None if self.tile.fills else self.masks[j]
        place = self._near(number, self._place(number, i, j, self.pointers), steps)
        if self.tile.lane_sum or self.tile.lanes == 1:
            b.store(value, b.inttoptr(place, FLOAT.as_pointer()), align=4)
            return
        math, align = self.math, ir.Constant(INT32, 4)
        if kind.lane == "strided":
            everywhere = ir.Constant(ir.VectorType(INT1, math.lanes), [1] * math.lanes)
            addresses = self._addresses(number, place)
            name = f"llvm.masked.scatter.{math.suffix}.v{math.lanes}p0"
            self._declared(name, ir.VoidType(), [value, addresses, align, mask if mask is not None else everywhere])
            return
        pointer = b.inttoptr(place, math.type.as_pointer())
        if mask is None:
            b.store(value, pointer, align=4)
        else:
            self._declared(f"llvm.masked.store.{math.suffix}.p0", ir.VoidType(), [value, pointer, align, mask])

    def _addresses(self, number: int, place: Value) -> Value:
        """Pointers along the lanes."""
        b, lanes = self.builder, self.tile.lanes
        wide = ir.VectorType(INT64, lanes)
        steps = b.mul(ir.Constant(wide, list(range(lanes))), self.math.splat(self._stride(number, record.LANE)))
        return b.inttoptr(b.add(self.math.splat(place), steps), ir.VectorType(FLOAT.as_pointer(), lanes))

    def _positions(self, number: int, kind: Kind, place: Value, math: VectorMath) -> Value:
        """An index as 32-bit integers along the lanes."""
        first = math.splat(self.builder.trunc(place, INT32))
        if kind.lane == "same" or math.lanes == 1:
            return first
        step = self.builder.trunc(self._stride(number, record.LANE), INT32)
        return self.builder.add(first, self.builder.mul(math.ramp(), math.splat(step)))

    def _key(self, stream: int) -> Value:
        """The key of a stream in this step: the step's key, which the runtime has mixed from seed and step, and the stream's number."""
        b = self.builder
        place = b.gep(b.inttoptr(self.plan, INT64.as_pointer()), [ir.Constant(INT64, record.SCALARS)])
        scalars = b.inttoptr(b.load(place), INT32.as_pointer())
        return self.single.mix(b.xor(b.load(scalars), ir.Constant(INT32, stream)))

    def _declared(self, name: str, result: ir.Type, arguments: list[Value]) -> Value:
        kind = ir.FunctionType(result, [item.type for item in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, arguments)

    # ── expressions ──────────────────────────────────────────────────────────────────────────────

    def _expression(
        self, expr: Expr, i: int, j: int, math: VectorMath, memory: Memory, pointers: list[Value],
        inner: dict[Expr, Value | None],
    ) -> Value:  # fmt: skip
        """The value of an expression at (i, j). Operands that rows or vectors do not move are read once, and what occurs again is not
        computed again: `inner` holds what is known at (i, j).
        """
        match expr:
            case Slot(number) | At(number):
                kind, steps = self.tile.kinds[number], expr.steps if isinstance(expr, At) else ()
                key = number, i if kind.rows else 0, j if kind.vectors or self.tile.tail else 0, steps
                if key not in memory:
                    memory[key] = self._operand(number, i, j, math, pointers, steps)
                return memory[key]
            case Constant(value):
                return math.number(value)
            case Reduced() | ReducedAt():
                value = inner[expr]
                assert value is not None
                return value
            case Call(function, arguments):
                found = inner.get(expr)
                if found is None:
                    values = [self._expression(item, i, j, math, memory, pointers, inner) for item in arguments]
                    found = inner[expr] = math.call(function, values)
                return found
            case _:
                raise AssertionError(f"{expr} in a tile")

    # ── the reduction ────────────────────────────────────────────────────────────────────────────

    def _reduce(self) -> tuple[dict[tuple[int, int], Value], dict[tuple[int, int], Value]]:
        tile, b, math = self.tile, self.builder, self.math
        start = math.number(float("-inf") if tile.combine == "max" else 0.0)
        totals = {cell: cgutils.alloca_once(b, math.type) for cell in self.cells}
        places = {cell: cgutils.alloca_once(b, math.type) for cell in self.cells} if tile.position is not None else {}
        for pointer in totals.values():
            b.store(start, pointer)
        for pointer in places.values():
            b.store(math.number(0.0), pointer)
        self._loops(0, self.pointers, totals, places)
        return {cell: b.load(at) for cell, at in totals.items()}, {cell: b.load(at) for cell, at in places.items()}

    def _loops(self, level: int, pointers: list[Value], totals: dict[tuple[int, int], Value], places: dict[tuple[int, int], Value]) -> None:
        if level == self.tile.depth:
            self._step(pointers, totals, places)
            return
        b = self.builder
        outer, nested = totals, level > 0 and self._in_runs()
        if nested:
            totals = {cell: cgutils.alloca_once(b, self.math.type) for cell in self.cells}
            for pointer in totals.values():
                b.store(self.math.number(0.0), pointer)
        first, count = self._bounds(level, pointers)
        still = {self.left[name] for name in self.left if name != "lanes" or not self.tile.lane_sum}
        moving = [n for n in range(len(pointers)) if n not in still]
        here = list(pointers)
        for n in moving:
            here[n] = b.add(pointers[n], b.mul(first, self._stride(n, record.REDUCE + level)))
        with cgutils.for_range(b, count, intp=INT64) as loop:
            inside = list(here)
            for n in moving:
                inside[n] = b.add(here[n], b.mul(loop.index, self._stride(n, record.REDUCE + level)))
            self._loops(level + 1, inside, totals, places)
        if nested:
            for cell, pointer in totals.items():
                b.store(b.fadd(b.load(outer[cell]), b.load(pointer)), outer[cell])

    def _in_runs(self) -> bool:
        """Whether each loop forms a sum of its own, which the one around it adds up: rounding errors then grow with the longest loop, not
        with the product of all. Contractions have no registers left for it.
        """
        return self.tile.combine == "sum" and len(self.cells) <= RUNS

    def _bounds(self, level: int, pointers: list[Value]) -> tuple[Value, Value]:
        """First step and number of steps of a loop; a clipped one stays where its position is inside the tensor."""
        b, zero, one = self.builder, ir.Constant(INT64, 0), ir.Constant(INT64, 1)
        place = ir.Constant(INT64, record.REDUCE_EXTENT + level)
        extent = b.load(b.gep(b.inttoptr(self.plan, INT64.as_pointer()), [place]))
        if level not in self.clips:
            return zero, extent
        operand = self.clips[level]
        position, step, size = pointers[operand], self._stride(operand, record.STEP), self._stride(operand, record.SIZE)
        before = b.sub(zero, position)
        first = b.sdiv(b.add(before, b.sub(step, one)), step)
        first = b.select(b.icmp_signed("<", before, one), zero, first)
        room = b.sub(b.sub(size, one), position)
        end = b.select(b.icmp_signed("<", room, zero), zero, b.add(b.sdiv(room, step), one))
        end = b.select(b.icmp_signed("<", end, extent), end, extent)
        return first, b.select(b.icmp_signed(">", end, first), b.sub(end, first), zero)

    def _step(self, pointers: list[Value], totals: dict[tuple[int, int], Value], places: dict[tuple[int, int], Value]) -> None:
        """One step of the innermost loop for all rows and vectors."""
        memory: Memory = {}
        tile, b, math = self.tile, self.builder, self.math
        body = tile.body
        assert body is not None
        if tile.lane_sum and tile.tail:  # the lanes are part of the sum: how many are left changes on the way
            self.masks = self._masks(pointers)
        # the fewer of broadcasts and vectors stay in registers while the others pass: beside the sums there is no room for more
        for i, j in self.cells if tile.vectors <= tile.rows else sorted(self.cells, key=lambda cell: cell[1]):
            total = b.load(totals[i, j])
            if tile.combine == "max":
                value = self._expression(body, i, j, math, memory, pointers, {})
                larger = b.or_(math.compare(">", value, total), b.fcmp_unordered("uno", value, value))
                b.store(b.select(larger, value, total), totals[i, j])
                if tile.position is not None:
                    at = self._expression(Slot(tile.position), i, j, math, memory, pointers, {})
                    b.store(b.select(larger, at, b.load(places[i, j])), places[i, j])
                continue
            b.store(self._added(body, total, i, j, memory, pointers), totals[i, j])

    def _added(self, body: Expr, total: Value, i: int, j: int, memory: Memory, pointers: list[Value]) -> Value:
        tile, b, math = self.tile, self.builder, self.math
        masked = tile.lane_sum and tile.tail
        if not masked and isinstance(body, Call) and body.function == "mul":
            x, y = (self._expression(item, i, j, math, memory, pointers, {}) for item in body.arguments)
            return math.fma(x, y, total)
        value = self._expression(body, i, j, math, memory, pointers, {})
        return b.fadd(total, b.select(self.masks[j], value, math.number(0.0)) if masked else value)

    def _sum_lanes(self, value: Value) -> Value:
        """Halves are added until one number is left: a fixed order."""
        lanes, b = self.tile.lanes, self.builder
        while lanes > 1:
            lanes //= 2
            undefined = ir.Constant(value.type, ir.Undefined)
            low, high = (
                b.shuffle_vector(value, undefined, ir.Constant(ir.VectorType(INT32, lanes), list(range(start, start + lanes))))
                for start in (0, lanes)
            )
            value = b.fadd(low, high)
        return b.extract_element(value, ir.Constant(INT32, 0))
