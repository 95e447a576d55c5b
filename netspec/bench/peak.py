"""The machine's peak: as many multiply-adds as it can do, all in registers."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
# pyright: reportUntypedFunctionDecorator=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from netspec.bench.candidates import Built
from netspec.bench.job import Job
from netspec.runtime.host import host_target
from netspec.schedule.targets import Target

SUMS = 12
"""Sums that do not wait for each other: more than latency times ports (4 x 2), and few enough for 16 registers."""
REPEATS = 2_000_000
"""Some milliseconds: to wake the threads takes a hundredth of that."""
FLOAT, INT32, INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)


def build(job: Job) -> Built:
    """A call keeps every thread busy with `sum = sum * factor + factor`."""
    target = host_target(job.target)
    call, operations = busy(target, job.threads)
    return Built(call, target.name, operations=operations)


def busy(target: Target, threads: int) -> tuple[Callable[[], list[float]], int]:
    """The call for so many threads, and how many floating-point operations it is."""
    work = _compiled(target)
    pool = ThreadPoolExecutor(threads)

    def call() -> list[float]:
        return list(pool.map(work, [REPEATS] * threads))

    call()
    return call, 2 * target.lanes * SUMS * REPEATS * threads


def _compiled(target: Target) -> Callable[[int], float]:
    burn: Any = _burn(target)

    @njit(nogil=True)
    def work(repeats: int) -> float:
        return burn(repeats, 0.5)

    work(1)
    return work


def _burn(target: Target) -> Any:
    """An intrinsic `burn(repeats, factor)`: its result depends on all sums, so that none of them can be left out."""
    vector = ir.VectorType(FLOAT, target.lanes)

    @intrinsic
    def burn(_context: object, _repeats: object, _factor: object) -> object:
        def generate(_context: object, builder: ir.IRBuilder, _signature: object, arguments: Any) -> Any:
            repeats, factor = arguments
            splat = builder.insert_element(ir.Constant(vector, ir.Undefined), builder.fptrunc(factor, FLOAT), INT32(0))
            splat = builder.shuffle_vector(splat, splat, ir.Constant(ir.VectorType(INT32, target.lanes), [0] * target.lanes))
            sums = _loop(builder, repeats, splat, vector, target.fma)
            result = sums[0]
            for item in sums[1:]:
                result = builder.fadd(result, item)
            return builder.fpext(builder.extract_element(result, INT32(0)), ir.DoubleType())

        return types.float64(types.int64, types.float64), generate

    return burn


def _loop(builder: ir.IRBuilder, repeats: Any, factor: Any, vector: Any, fma: bool) -> list[Any]:
    """The sums after so many rounds; they start apart, or all would be one."""
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{vector.count}f32")
    before, body, after = builder.block, builder.append_basic_block("round"), builder.append_basic_block("done")
    builder.branch(body)
    builder.position_at_end(body)
    count, sums = builder.phi(INT64), [builder.phi(vector) for _ in range(SUMS)]
    following = [
        builder.call(function, [item, factor, factor]) if fma else builder.fadd(builder.fmul(item, factor), factor) for item in sums
    ]
    left = builder.sub(count, INT64(1))
    count.add_incoming(repeats, before)
    count.add_incoming(left, body)
    for k, (item, value) in enumerate(zip(sums, following, strict=True)):
        item.add_incoming(ir.Constant(vector, [float(k)] * vector.count), before)
        item.add_incoming(value, body)
    builder.cbranch(builder.icmp_signed(">", left, INT64(0)), body, after)
    builder.position_at_end(after)
    return following
