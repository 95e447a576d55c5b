"""Every primitive over its whole range against float64, for every width of vector and with and without fused multiply-add."""

from __future__ import annotations

import ctypes
from math import erf

import numpy as np
import pytest
from numpy.typing import NDArray

from netspec.kernels.scalar import PRIMITIVES, Call
from netspec.runtime.build import build
from netspec.runtime.reference import BINARY, UNARY
from netspec.schedule.program import Kind, Slot, Tile
from netspec.targets.cpu import record

Floats = NDArray[np.float32]

ULPS = {
    "exp": 1.5, "expm1": 2.5, "log": 1.0, "log1p": 2.5, "tanh": 1.5, "sigmoid": 2.5, "softplus": 3.0, "erf": 6.5,
}  # fmt: skip
"""How many units in the last place a result may be off; of all others, the nearest float is the only right one."""
FLUSHED = 2.0**-126
"""The smallest normal number: a sigmoid below it may be zero."""

UNARIES = tuple(name for name, count in PRIMITIVES.items() if count == 1)
BINARIES = tuple(name for name, count in PRIMITIVES.items() if count == 2)
WIDTHS = [(16, True), (8, True), (4, True), (4, False), (1, True), (1, False)]
SPECIAL = [
    0.0, 1e-45, 1.1754942e-38, 1.17549435e-38, 1e-8, 0.5, 0.625, 1.0, 2.0**23, 87.0, 88.0, 88.73, 89.0, 103.9, 104.0, 1e4, 3.4028235e38,
    np.inf,
]  # fmt: skip


def inputs(seed: int = 0) -> Floats:
    """Floats of every exponent and sign, the range in which functions bend, the special ones; a multiple of 16 of them."""
    random = np.random.default_rng(seed)
    bits = random.integers(0, 1 << 32, 1 << 15, dtype=np.uint64).astype(np.uint32).view(np.float32)
    dense = np.concatenate([random.uniform(-reach, reach, 1 << 14) for reach in (1, 6, 110)]).astype(np.float32)
    special = np.array([sign * value for value in SPECIAL for sign in (1, -1)] + [np.nan] * 12, np.float32)
    values = np.concatenate([special, dense, bits])
    return values[: len(values) // 16 * 16]


def tile(lanes: int, fma: bool) -> tuple[Tile, tuple[str, ...]]:
    """A tile with all primitives of two operands, and the primitives in the order of its results."""
    names = (*UNARIES, *BINARIES, "select")
    a, b = Slot(len(names)), Slot(len(names) + 1)
    arguments = {1: (a,), 2: (a, b), 3: (b, a, b)}
    results = tuple((k, Call(name, arguments[PRIMITIVES[name]])) for k, name in enumerate(names))
    return Tile(lanes, 1, 1, (Kind(lane="vector"),) * (len(names) + 2), results, fma=fma), names


def run(lanes: int, fma: bool, a: Floats, b: Floats) -> dict[str, Floats]:
    """What the driver of the tile computes."""
    made, names = tile(lanes, fma)
    results = {name: np.empty_like(a) for name in names}
    plan = np.zeros(record.field(len(made.kinds), 0), np.int64)
    plan[record.LOOP_EXTENT] = len(a) // lanes
    for n, array in enumerate((*results.values(), a, b)):
        plan[record.field(n, record.ADDRESS)], plan[record.field(n, record.LOOP)] = array.ctypes.data, 4 * lanes
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(build([made])[made])(plan.ctypes.data, 0, 0, 0, 0, len(a) // lanes)
    return results


def exact(name: str, a: Floats, b: Floats) -> NDArray[np.float64]:
    """The true value, as far as float64 knows it."""
    with np.errstate(all="ignore"):
        x, y = a.astype(np.float64), b.astype(np.float64)
        match name:
            case "select":
                return np.where(y != 0, x, y)
            case "erf":
                return np.array([erf(item) for item in x.tolist()])
            case _ if name in UNARY:
                return np.asarray(UNARY[name](x), np.float64)
            case _:
                return np.asarray(BINARY[name](x, y), np.float64)


def off(found: Floats, true: NDArray[np.float64]) -> NDArray[np.float64]:
    """The error in units of the last place of the true value; infinite where one of the two is NaN. Infinity follows the largest float."""
    with np.errstate(all="ignore"):
        nearest = true.astype(np.float32)
        unit = np.maximum(np.spacing(np.abs(nearest)).astype(np.float64), 2.0**-149)
        unit = np.where(np.isinf(nearest) | (np.abs(nearest) >= 2.0**127), 2.0**104, unit)
        bounded = np.clip(found.astype(np.float64), -(2.0**128), 2.0**128)
        error = np.abs(bounded - np.clip(true, -(2.0**128), 2.0**128)) / unit
    return np.where(np.isnan(found) != np.isnan(true), np.inf, np.where(np.isnan(true), 0.0, error))


@pytest.mark.parametrize(("lanes", "fma"), WIDTHS)
def test_primitives(lanes: int, fma: bool) -> None:
    a = inputs()
    b = np.roll(a[::-1], 5).copy()
    worst: dict[str, str] = {}
    for name, found in run(lanes, fma, a, b).items():
        true = exact(name, a, b)
        error = off(found, true)
        if name == "sigmoid":
            error[(true < FLUSHED) & (found < FLUSHED)] = 0.0
        at = int(error.argmax())
        if error[at] > ULPS.get(name, 0.5):
            worst[name] = f"{error[at]:.2f} ulp at {a[at]!r}, {b[at]!r}: {found[at]!r}, not {true[at]!r}"
    assert not worst
