"""The compiled engine: walks through a program's table, alone or over a whole epoch. Compiled once for all nets.

Work is cut by the sizes of the problem, never by the number of threads: whoever does it, the bits are the same.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownParameterType=false
# pyright: reportMissingParameterType=false, reportUnknownArgumentType=false, reportIndexIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic

from netspec.runtime.cache import private_cache

INT8, INT64 = ir.IntType(8), ir.IntType(64)


@intrinsic
def _call(_context, driver, plan, private, block, part, first, last):
    """Call a driver by its address."""

    def generate(context, builder, _signature, arguments):
        kind = ir.FunctionType(ir.VoidType(), [INT64] * 6)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7), generate


@intrinsic
def _clear(_context, address, size):
    """Set bytes to zero."""

    def generate(context, builder, _signature, arguments):
        kind = ir.FunctionType(ir.VoidType(), [INT8.as_pointer(), INT8, INT64, ir.IntType(1)])
        name = "llvm.memset.p0.i64"
        known = builder.module.globals.get(name)
        function = known if known is not None else ir.Function(builder.module, kind, name)
        pointer = builder.inttoptr(arguments[0], INT8.as_pointer())
        builder.call(function, [pointer, ir.Constant(INT8, 0), arguments[1], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def _run(segments, launches, threads, blocks, private, private_bytes, parts_base, part_bytes):
    """One step. `private` is the address of the first thread's arena, `parts_base` that of the sums over the batch."""
    for s in range(segments.shape[0]):
        start, end = segments[s, 1], segments[s, 2]
        if segments[s, 0] == 0:
            for n in range(start, end):
                driver, plan, tasks = launches[n, 0], launches[n, 1], launches[n, 2]
                if tasks == 1 or threads == 1:
                    _call(driver, plan, 0, 0, 0, 0, tasks)
                else:
                    for thread in prange(threads):
                        _call(driver, plan, 0, 0, 0, tasks * thread // threads, tasks * (thread + 1) // threads)
        else:
            sums = segments[s, 3]
            parts = sums if sums > 0 else blocks
            for thread in prange(threads):
                for part in range(parts * thread // threads, parts * (thread + 1) // threads):
                    if sums > 0:
                        _clear(parts_base + part * part_bytes, part_bytes)
                    for block in range(part * blocks // parts, (part + 1) * blocks // parts):
                        for n in range(start, end):
                            _call(launches[n, 0], launches[n, 1], private + thread * private_bytes, block, part, 0, launches[n, 2])


with private_cache():
    run = njit(parallel=True, nogil=True, cache=True, error_model="numpy")(_run)
