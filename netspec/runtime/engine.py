"""The compiled engine: walks through a program's table, alone or over a whole epoch. Compiled once for all nets.

Work is cut by the sizes of the problem, never by the number of threads: whoever does it, the bits are the same.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownParameterType=false
# pyright: reportMissingParameterType=false, reportUnknownArgumentType=false, reportIndexIssue=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from netspec.kernels.random import MASK, mix
from netspec.runtime.cache import private_cache
from netspec.runtime.input import Stream, load_samples
from netspec.runtime.table import MODES
from netspec.runtime.threads import choose

STOP, DONE, TROUBLE = 0, 1, 2
"""Places in the control block that a running epoch and its caller share."""

LINE = 8
"""Whole numbers in a cache line."""
FETCHES = 8
"""In how many pieces a thread takes its shares of a launch."""
APART, BY_IMAGE = MODES["apart"], MODES["by_image"]
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


@intrinsic
def _fetch(_context, counter, several):
    """The value at an address, which grows by so many at the same time, whoever else does this."""

    def generate(_context, builder, _signature, arguments):
        return builder.atomic_rmw("add", builder.inttoptr(arguments[0], INT64.as_pointer()), arguments[1], "monotonic")

    return types.int64(types.int64, types.int64), generate


def _run(segments, launches, threads, blocks, private, private_bytes, parts_base, part_bytes):
    """One step. `private` is the address of the first thread's arena, `parts_base` that of the sums over the batch.

    Every thread has an equal share of what there is to do, and takes over from others when it is done with its own: a slower core, or one
    that is used for something else as well, delays nobody. Who does what changes no bits.
    """
    taken = np.empty(threads * LINE, np.int64)  # zeros would be a parallel region of their own
    for s in range(segments.shape[0]):
        start, end, sums = segments[s, 1], segments[s, 2], segments[s, 0] == APART and segments[s, 3] > 0
        parts, count, first, last = _shares(segments[s, 0], segments[s, 3], blocks, threads)
        if parts > 0:
            _deal(taken, parts, threads)
            for thread in prange(threads):
                own = private + thread * private_bytes
                _take_parts(taken.ctypes.data, thread, threads, launches, start, end, own, parts, count, parts_base, part_bytes, sums)
        for image in range(first, last):
            for n in range(start, end):
                driver, plan, tasks, grain = launches[n, 0], launches[n, 1], launches[n, 2], launches[n, 3]
                shares = tasks // grain if threads > 1 else 1
                if shares == 1:
                    _call(driver, plan, private, image, 0, 0, tasks)
                else:
                    _deal(taken, shares, threads)
                    for thread in prange(threads):
                        _take_shares(taken.ctypes.data, thread, threads, driver, plan, private, image, shares, grain)


def _deal(taken, shares, threads):
    """Give each thread its shares: `taken` is the first that is left of each, in a cache line of its own."""
    for thread in range(threads):
        taken[thread * LINE] = shares * thread // threads


def _take_shares(taken, thread, threads, driver, plan, private, image, shares, grain):
    """Of a launch that all threads share: a thread's own shares, then what is left of those of others."""
    several = max(1, shares // (threads * FETCHES))
    for k in range(threads):
        owner = (thread + k) % threads
        stop = shares * (owner + 1) // threads
        begin = _fetch(taken + 8 * LINE * owner, several)
        while begin < stop:
            _call(driver, plan, private, image, 0, grain * begin, grain * min(begin + several, stop))
            begin = _fetch(taken + 8 * LINE * owner, several)


def _take_parts(taken, thread, threads, launches, start, end, private, parts, count, parts_base, part_bytes, sums):
    """A thread's own parts, then what is left of those of others: their blocks (or images), one after the other, through all launches of a
    segment, in the thread's own memory.
    """
    for k in range(threads):
        owner = (thread + k) % threads
        part = _fetch(taken + 8 * LINE * owner, 1)
        while part < parts * (owner + 1) // threads:
            _clear(parts_base + part * part_bytes, part_bytes if sums else 0)
            for block in range(part * count // parts, (part + 1) * count // parts):
                for n in range(start, end):
                    _call(launches[n, 0], launches[n, 1], private, block, part, 0, launches[n, 2])
            part = _fetch(taken + 8 * LINE * owner, 1)


def _shares(mode, number, blocks, threads):
    """What each thread takes through all launches of a segment, and what all share: parts, the blocks or images in them; first and last
    image that threads share.
    """
    if mode == APART:
        return (number if number > 0 else blocks), blocks, 0, 0
    if mode == BY_IMAGE:
        own = number // threads * threads
        return own, own, own, number
    return 0, 0, 0, 1


def _step_key(seed, step):
    """What the random numbers of a step share, as netspec.kernels.random.key mixes it before the stream."""
    return _mix(_mix(seed & MASK) ^ (step & MASK))


def _load(stream, order, start, seed, epoch, count, threads):
    """Fill the staging buffers, threads side by side. Tuples cannot enter a parallel loop: they are taken apart before it."""
    places, fields, numbers, moves = stream.places, stream.fields, stream.numbers, stream.moves
    for thread in prange(threads):
        first, last = count * thread // threads, count * (thread + 1) // threads
        load_samples(Stream(places, fields, numbers, moves), order, start, seed, epoch, first, last)


def _train(tables, memory, stream, order, batch, batches, first, last, seed, epoch, rates, before, control, sums):
    """Steps [first, last) of an epoch, each made of so many `batches`: load, step, add up. `before` steps were made in earlier epochs;
    `rates` are those of this epoch.

    `control`: STOP is looked at before every step; DONE counts the steps made; TROUBLE is set, to the number of the epoch's batch from 1,
    when one was not finite and changed nothing.
    `sums`: loss times samples, correct samples, samples.
    """
    scalars, results, threads, private, private_bytes, parts_base, part_bytes, lanes = memory
    words = scalars.view(np.uint32)
    for step in range(first, last):
        if control[STOP]:
            return
        whole = min(batch * batches, len(order) - step * batch * batches)
        for number in range(step * batches, step * batches + (whole + batch - 1) // batch):
            start = number * batch
            count = min(batch, len(order) - start)
            segments, launches = tables[0] if count == batch else tables[1]
            _load(stream, order, start, seed, epoch, count, threads)
            words[0] = _step_key(seed, before * batches + number + 1)
            scalars[1] = count
            scalars[2] = rates[step]
            scalars[3] = before + step + 1
            scalars[4] = count / whole
            scalars[5] = number == step * batches
            scalars[6] = start + count == step * batch * batches + whole
            run(segments, launches, threads, (count + lanes - 1) // lanes, private, private_bytes, parts_base, part_bytes)
            if not (np.isfinite(results[0][0]) and np.isfinite(results[2][0])):
                control[TROUBLE] = number + 1
                return
            sums[0] += np.float64(results[0][0]) * count
            sums[1] += np.float64(results[1][0])
            sums[2] += count
        control[DONE] = step + 1


def _evaluate(tables, memory, stream, order, batch, control, sums):
    """A pass over `order` without changing anything; `control` and `sums` as in training."""
    scalars, results, threads, private, private_bytes, parts_base, part_bytes, lanes = memory
    for step in range((len(order) + batch - 1) // batch):
        if control[STOP]:
            return
        start = step * batch
        count = min(batch, len(order) - start)
        segments, launches = tables[0] if count == batch else tables[1]
        _load(stream, order, start, 0, 0, count, threads)
        scalars[1] = count
        run(segments, launches, threads, (count + lanes - 1) // lanes, private, private_bytes, parts_base, part_bytes)
        sums[0] += np.float64(results[0][0]) * count
        sums[1] += np.float64(results[1][0])
        sums[2] += count


def _address(array):
    """Where an array lies."""
    return array.ctypes.data


choose()
with private_cache():
    address: Callable[[NDArray[np.float32]], int] = njit(cache=True)(_address)
    _mix = njit(mix)
    _step_key = njit(_step_key)
    _deal, _take_shares, _take_parts = njit(_deal), njit(_take_shares), njit(_take_parts)
    _shares = njit(_shares)
    run: Callable[..., None] = njit(parallel=True, nogil=True, cache=True, error_model="numpy")(_run)
    _load = njit(parallel=True, nogil=True, cache=True, error_model="numpy")(_load)
    train: Callable[..., None] = njit(nogil=True, cache=True, error_model="numpy")(_train)
    evaluate: Callable[..., None] = njit(nogil=True, cache=True, error_model="numpy")(_evaluate)
