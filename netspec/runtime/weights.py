"""How weights start."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from netspec.graph.types import Init, Weight

CHUNK = 1 << 18
"""Numbers drawn at a time: what they take on the way is many times as large as they are."""
WORDS = 4
"""Of 64 bits that Philox gives for one value of its counter."""


def initial(weights: Iterable[Weight], seed: int) -> dict[str, NDArray[np.float32]]:
    """First values by name: a function of the seed and of the weight's name, so that a layer added elsewhere changes nothing here."""
    return {weight.name: _drawn(weight.name, _sizes(weight), weight.init, seed) for weight in weights}


def _sizes(weight: Weight) -> tuple[int, ...]:
    return tuple(extent for extent in weight.type.shape if isinstance(extent, int))


def _drawn(name: str, shape: tuple[int, ...], init: Init, seed: int) -> NDArray[np.float32]:
    if init.kind == "constant":
        return np.full(shape, init.scale, np.float32)
    if init.kind == "values":
        return np.tile(np.array(init.values, np.float32), int(np.prod(shape)) // len(init.values)).reshape(shape)
    stream = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    count = int(np.prod(shape))
    value = np.empty(count, np.float32)
    first, second = (_Words(seed, stream, skipped) for skipped in (0, count))
    for start in range(0, count, CHUNK):
        here = value[start : start + CHUNK]
        match init.kind:
            case "uniform":
                here[...] = (2 * first.next(len(here)) - 1) * init.scale
            case "normal":  # Box and Muller 1958
                here[...] = np.sqrt(-2 * np.log1p(-first.next(len(here)))) * np.cos(2 * np.pi * second.next(len(here))) * init.scale
            case "sign":
                here[...] = np.where(first.next(len(here)) < 0.5, -init.scale, init.scale)
            case _:
                assert_never(init.kind)
    return value.reshape(shape)


class _Words:
    """Uniform numbers of a keyed stream, from the one behind `skipped` on."""

    def __init__(self, seed: int, stream: int, skipped: int) -> None:
        self._generator = np.random.Philox(key=np.array([seed % (1 << 64), stream], np.uint64))
        self._generator.advance(skipped // WORDS)
        self._generator.random_raw(skipped % WORDS)

    def next(self, count: int) -> NDArray[np.float64]:
        """So many in [0, 1)."""
        return (self._generator.random_raw(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
