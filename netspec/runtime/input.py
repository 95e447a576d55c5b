"""The input pipeline, compiled: bytes to [0, 1], one random affine map, preparation, into a staging buffer [batch, size].

Every sample is a function of its pixels, the seed, the epoch and its own number: a caller may cut the batch among threads as it likes.
All arithmetic is float32, in one order, without fused operations: the same bits for any target, but for the last of sin and cos.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from math import cos, sin
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from netspec.kernels.random import GOLDEN, MASK, mix
from netspec.runtime.cache import compiled

STREAM = 0x494E5000
"""The first stream of the pipeline's random numbers, one for each step of a chain; layers count theirs from 0."""

DRAWS = 5
"""Numbers that a step draws for a sample: shift down, shift right, angle, factor, flip."""

Floats = NDArray[np.float32]
_mix = njit(mix)


class Source(NamedTuple):
    """`pixels` [n, c*h*w] uint8 or float32, `targets` [n, t] float32."""

    pixels: NDArray[Any]
    targets: Floats


class Tables(NamedTuple):
    """What is done to a sample.

    `shape`: its c, h, w; 1, 1, size where it is no picture. `unit`: what it is divided by. `moves` [steps, 5]: a row for each step of the
    chain, as netspec.training.augmentation.Move. `scale`, `offset` [c]. `pad`: pixels added around it, which are those of `border`, a
    picture [c, h + 2*pad, w + 2*pad] in one row.
    """

    shape: tuple[int, int, int]
    unit: np.float32
    moves: Floats
    scale: Floats
    offset: Floats
    pad: int
    border: Floats

    def unmoved(self) -> Tables:
        """The same without random moves, for evaluation."""
        return self._replace(moves=self.moves[:0])


Rings = Sequence[tuple[int, Sequence[float]]]


def source(inputs: NDArray[Any], targets: NDArray[Any] | None) -> Source:
    """Samples [n, ..] and targets [n, ..] in rows: views, but for class numbers, which become float32. Without targets, rows of none."""
    rows = np.zeros((len(inputs), 0), np.float32) if targets is None else targets.reshape(len(targets), -1)
    return Source(inputs.reshape(len(inputs), -1), rows.astype(np.float32, copy=False))


def tables(inputs: NDArray[Any], moves: Sequence[Sequence[float]], scale: Sequence[float], offset: Sequence[float], rings: Rings) -> Tables:
    """Tables for samples [n, ..], in which a byte of 255 stands for 1; the rest as netspec.training.preparation.Prepared has it."""
    shape = inputs.shape[1:]
    c, h, w = shape if len(shape) == 3 else (1, 1, int(np.prod(shape)))
    pad = sum(width for width, _ in rings)
    border = np.zeros((c, h + 2 * pad, w + 2 * pad), np.float32)
    edge = 0
    for width, value in reversed(rings):  # from the outside in, each painting over what lies within
        border[:, edge : border.shape[1] - edge, edge : border.shape[2] - edge] = np.asarray(value, np.float32)[:, None, None]
        edge += width
    unit = np.float32(255 if inputs.dtype == np.uint8 else 1)
    rows = np.asarray(moves, np.float32).reshape(len(moves), DRAWS)
    return Tables((c, h, w), unit, rows, np.asarray(scale, np.float32), np.asarray(offset, np.float32), pad, border.reshape(-1))


@compiled
def load_samples(
    source: Source,
    tables: Tables,
    order: NDArray[np.int64],
    start: int,
    seed: int,
    epoch: int,
    x_out: Floats,
    y_out: Floats,
    first: int,
    last: int,
) -> None:
    """Write the samples `order[start + i]`, i in [first, last), to the rows i of `x_out` [batch, size] and `y_out` [batch, t].

    Rows are [c, h, w] as prepared. Sizes must agree: nothing is checked.
    """
    shape, unit, moves, scale, offset, pad, border = tables
    c, h, w = shape
    out_width, out_size = w + 2 * pad, (h + 2 * pad) * (w + 2 * pad)
    one, zero = np.float32(1), np.float32(0)
    # one zero before each axis and two behind it: every neighbour of a clamped position is there
    framed = np.zeros((h + 3) * (w + 3) if len(moves) else 0, np.float32)
    for i in range(first, last):
        sample = order[start + i]
        pixels, out = source.pixels[sample], x_out[i]
        for t in range(len(source.targets[sample])):
            y_out[i, t] = source.targets[sample, t]
        if pad:
            for k in range(len(border)):
                out[k] = border[k]
        inverse = _inverse(moves, seed, epoch, sample)
        for channel in range(c):
            channel_in, channel_out = pixels[channel * h * w :], out[channel * out_size + pad * out_width + pad :]
            if len(moves):
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
            line[x] = (above + part_y[x] * (below - above)) * factor + term
