"""The input pipeline, compiled: bytes to [0, 1], one random affine map, preparation, into staging buffers [batch, size].

Every sample is a function of its pixels, the seed, the epoch and its own number: a caller may cut the batch among threads as it likes.
All pictures of a sample are moved by the same map.
All arithmetic is float32, in one order, without fused operations: the same bits for any target, but for the last of sin and cos.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false
# pyright: reportCallIssue=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Sequence
from math import cos, sin
from typing import Any, NamedTuple

import numpy as np
from numba import carray, njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from netspec.kernels.random import GOLDEN, MASK, mix
from netspec.runtime.cache import compiled

STREAM = 0x494E5000
"""The first stream of the pipeline's random numbers, one for each step of a chain; layers count theirs from 0."""

DRAWS = 5
"""Numbers that a step draws for a sample: shift down, shift right, angle, factor, flip."""

Floats = NDArray[np.float32]
_mix = njit(mix)


PIXELS, BYTES, C, H, W, PAD, MOVED, NUMBERS, OUT = range(9)
"""Columns of `Stream.places`."""

ROWS, WIDTH, INTO = range(3)
"""Columns of `Stream.fields`."""


class Stream(NamedTuple):
    """Where samples come from, what is done to them and where they go, for any number of inputs and fields: addresses, sizes, numbers.

    `places` [inputs, 9]: the address of all samples [n, c*h*w], whether they are bytes, else float32; c, h, w (1, 1, size of what is no
    picture); pixels added around; whether it is moved; where its part of `numbers` begins; the address of a batch of them.
    `fields` [fields, 3]: the address of all rows [n, width] float32, their width, the address of a batch of them.
    `numbers`: for each input a scale and an offset by channel, then what stands in its border, a picture [c, h + 2*pad, w + 2*pad].
    `moves` [steps, 5]: a row for each step of the chain, as netspec.training.augmentation.Move.
    """

    places: NDArray[np.int64]
    fields: NDArray[np.int64]
    numbers: Floats
    moves: Floats


Rings = Sequence[tuple[int, Sequence[float]]]


class Line(NamedTuple):
    """An input on its way: `samples` [n, ..], bytes of which 255 stands for 1, or float32; preparation as
    netspec.training.preparation.Prepared has it; whether steps move it; the staging buffer [batch, size].
    """

    samples: NDArray[Any]
    scale: Sequence[float]
    offset: Sequence[float]
    rings: Rings
    moved: bool
    out: Floats


def stream(lines: Sequence[Line], fields: Sequence[tuple[Floats, Floats]], moves: Sequence[Sequence[float]]) -> Stream:
    """The numbers for some inputs and, for each field, all rows [n, width] and the staging buffer [batch, width].

    Whoever loads by them keeps these arrays alive: numbers do not.
    """
    places = np.zeros((len(lines), 9), np.int64)
    numbers: list[Floats] = []
    for place, line in zip(places, lines, strict=True):
        shape = line.samples.shape[1:]
        c, h, w = shape if len(shape) == 3 else (1, 1, int(np.prod(shape)))
        pad = sum(width for width, _ in line.rings)
        bytes = line.samples.dtype == np.uint8
        assert line.samples.flags.c_contiguous and (bytes or line.samples.dtype == np.float32)
        begin = sum(map(len, numbers))
        place[:] = _address(line.samples), bytes, c, h, w, pad, line.moved and len(moves) > 0, begin, _address(line.out)
        numbers += [np.asarray(line.scale, np.float32), np.asarray(line.offset, np.float32), _border((c, h, w), pad, line.rings)]
    rows = [(_address(source), source.shape[1], _address(out)) for source, out in fields]
    steps = np.asarray(moves, np.float32).reshape(len(moves), DRAWS)
    return Stream(places, np.array(rows, np.int64).reshape(-1, 3), np.concatenate(numbers), steps)


def _address(array: NDArray[Any]) -> int:
    return array.ctypes.data


def _border(shape: tuple[int, int, int], pad: int, rings: Rings) -> Floats:
    c, h, w = shape
    border = np.zeros((c, h + 2 * pad, w + 2 * pad) if pad else 0, np.float32)
    edge = 0
    for width, value in reversed(rings):  # from the outside in, each painting over what lies within
        if width:
            border[:, edge : border.shape[1] - edge, edge : border.shape[2] - edge] = np.asarray(value, np.float32)[:, None, None]
        edge += width
    return border.reshape(-1)


@intrinsic
def _pointer(_context: Any, address: Any) -> Any:
    """An address as a pointer, of which numba makes arrays."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate


@njit
def _bytes(address: int, size: int) -> NDArray[np.uint8]:
    return carray(_pointer(address), (size,), np.uint8)


@njit
def _floats(address: int, size: int) -> Floats:
    return carray(_pointer(address), (size,), np.float32)


@compiled
def load_samples(stream: Stream, order: NDArray[np.int64], start: int, seed: int, epoch: int, first: int, last: int) -> None:
    """Write the samples `order[start + i]`, i in [first, last), to the rows i of the staging buffers.

    Rows are [c, h, w] as prepared. Sizes must agree: nothing is checked.
    """
    for k in range(len(stream.places)):
        place = stream.places[k]
        c, h, w, pad = place[C], place[H], place[W], place[PAD]
        size, out_size = c * h * w, c * (h + 2 * pad) * (w + 2 * pad)
        moves = stream.moves if place[MOVED] else stream.moves[:0]
        # one zero before each axis and two behind it: every neighbour of a clamped position is there
        framed = np.zeros((h + 3) * (w + 3) if len(moves) else 0, np.float32)
        numbers = stream.numbers[place[NUMBERS] :]
        for i in range(first, last):
            sample = order[start + i]
            inverse = _inverse(moves, seed, epoch, sample)
            out = _floats(place[OUT] + 4 * i * out_size, out_size)
            if place[BYTES]:
                _prepare(_bytes(place[PIXELS] + sample * size, size), np.float32(255), place, numbers, framed, inverse, out)
            else:
                _prepare(_floats(place[PIXELS] + 4 * sample * size, size), np.float32(1), place, numbers, framed, inverse, out)
    for k in range(len(stream.fields)):
        width = stream.fields[k, WIDTH]
        for i in range(first, last):
            row = _floats(stream.fields[k, ROWS] + 4 * order[start + i] * width, width)
            out = _floats(stream.fields[k, INTO] + 4 * i * width, width)
            for t in range(width):
                out[t] = row[t]


@njit(error_model="numpy")
def _prepare(
    pixels: NDArray[Any],
    unit: np.float32,
    place: NDArray[np.int64],
    numbers: Floats,
    framed: Floats,
    inverse: tuple[np.float32, ...],
    out: Floats,
) -> None:
    """One input of one sample; it is moved where there is a frame to move it in."""
    c, h, w, pad = place[C], place[H], place[W], place[PAD]
    scale, offset, border = numbers, numbers[c:], numbers[2 * c :]
    out_width, out_size = w + 2 * pad, (h + 2 * pad) * (w + 2 * pad)
    one, zero = np.float32(1), np.float32(0)
    if pad:
        for k in range(len(out)):
            out[k] = border[k]
    for channel in range(c):
        channel_in, channel_out = pixels[channel * h * w :], out[channel * out_size + pad * out_width + pad :]
        if len(framed):
            _convert(channel_in, h, w, unit, one, zero, framed[w + 4 :], w + 3)
            _resample(framed, h, w, inverse, scale[channel], offset[channel], channel_out, out_width)
        else:
            _convert(channel_in, h, w, unit, scale[channel], offset[channel], channel_out, out_width)


@njit(error_model="numpy")
def _convert(
    pixels: NDArray[Any], h: int, w: int, unit: np.float32, factor: np.float32, term: np.float32, out: Floats, out_width: int
) -> None:
    for y in range(h):
        line_in, line_out = pixels[y * w : y * w + w], out[y * out_width : y * out_width + w]
        for x in range(w):
            line_out[x] = np.float32(line_in[x]) / unit * factor + term


@njit
def _uniform(key: int, position: int) -> np.float32:
    """As netspec.kernels.random."""
    return np.float32(_mix((position * GOLDEN + key) & MASK) >> 8) * np.float32(2.0**-24)


@njit(error_model="numpy")
def _inverse(moves: Floats, seed: int, epoch: int, sample: int) -> tuple[np.float32, ...]:
    """From positions in the result to positions in the sample, about the centre: x' = a*x + b*y + e, y' = c*x + d*y + f."""
    one, two = np.float32(1), np.float32(2)
    a, b, c, d, e, f = one, np.float32(0), np.float32(0), one, np.float32(0), np.float32(0)
    run = _mix(_mix(seed & MASK) ^ (epoch & MASK))
    for step in range(len(moves)):
        key, position = _mix(run ^ (STREAM + step)), sample * DRAWS
        dy = (two * _uniform(key, position) - one) * moves[step, 0]
        dx = (two * _uniform(key, position + 1) - one) * moves[step, 0]
        turn = (two * _uniform(key, position + 2) - one) * moves[step, 1]
        factor = moves[step, 2] + _uniform(key, position + 3) * (moves[step, 3] - moves[step, 2])
        mirror = -one if _uniform(key, position + 4) < moves[step, 4] else one
        # undo the step: move back, turn back, shrink, mirror
        cosine, sine = np.float32(cos(turn)) / factor, np.float32(sin(turn)) / factor
        p, q, r, s = mirror * cosine, mirror * sine, -sine, cosine
        u, v = -(p * dx + q * dy), -(r * dx + s * dy)
        a, b, e, c, d, f = a * p + b * r, a * q + b * s, a * u + b * v + e, c * p + d * r, c * q + d * s, c * u + d * v + f
    return a, b, c, d, e, f


@njit(error_model="numpy")
def _resample(
    framed: Floats,
    h: int,
    w: int,
    inverse: tuple[np.float32, ...],
    factor: np.float32,
    term: np.float32,
    out: Floats,
    out_width: int,
) -> None:
    """One channel, bilinear, zero outside. Positions are clamped to one pixel beyond the sample, where the frame is zero."""
    a, b, c, d, e, f = inverse
    one, half = np.float32(1), np.float32(0.5)
    middle_y, middle_x = np.float32(h - 1) * half, np.float32(w - 1) * half
    bottom, right, width = np.float32(h), np.float32(w), np.int32(w + 3)
    # indices are unsigned: Numba would test signed ones for being negative, and nothing would be vectorised
    one_row, one_pixel = np.uint64(w + 3), np.uint64(1)
    corner, part_y, part_x = np.empty(w, np.uint32), np.empty(w, np.float32), np.empty(w, np.float32)
    value = np.empty(w, np.float32)  # not the staging buffer itself: that is an address, which might be the frame's for all that LLVM knows
    for y in range(h):
        down = np.float32(y) - middle_y
        from_x, from_y = b * down + e + middle_x, d * down + f + middle_y
        for x in range(w):
            across = np.float32(np.int32(x)) - middle_x
            sx, sy = a * across + from_x, c * across + from_y
            sx = (-one if sx < -one else right if sx > right else sx) + one
            sy = (-one if sy < -one else bottom if sy > bottom else sy) + one
            left, top = np.floor(sx), np.floor(sy)
            part_y[x], part_x[x] = sy - top, sx - left
            corner[x] = np.uint32(np.int32(top) * width + np.int32(left))
        line = out[y * out_width : y * out_width + w]
        for x in range(w):
            k, right_part = np.uint64(corner[x]), part_x[x]
            above = framed[k] + right_part * (framed[k + one_pixel] - framed[k])
            k += one_row
            below = framed[k] + right_part * (framed[k + one_pixel] - framed[k])
            value[x] = (above + part_y[x] * (below - above)) * factor + term
        for x in range(w):
            line[x] = value[x]
