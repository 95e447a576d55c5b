"""How weights start."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from netspec.graph.types import Init, Weight


def initial(weights: Iterable[Weight], seed: int) -> dict[str, NDArray[np.float32]]:
    """First values by name: a function of the seed and of the weight's name, so that a layer added elsewhere changes nothing here."""
    return {weight.name: _drawn(weight.name, _sizes(weight), weight.init, seed) for weight in weights}


def _sizes(weight: Weight) -> tuple[int, ...]:
    return tuple(extent for extent in weight.type.shape if isinstance(extent, int))


def _drawn(name: str, shape: tuple[int, ...], init: Init, seed: int) -> NDArray[np.float32]:
    if init.kind == "constant":
        return np.full(shape, init.scale, np.float32)
    stream = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    words = np.random.Philox(key=np.array([seed % (1 << 64), stream], np.uint64)).random_raw(2 * int(np.prod(shape)))
    first, second = (half.reshape(shape) for half in np.split((words >> np.uint64(11)) * 2.0**-53, 2))
    match init.kind:
        case "uniform":
            return ((2 * first - 1) * init.scale).astype(np.float32)
        case "normal":  # Box and Muller 1958
            return (np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second) * init.scale).astype(np.float32)
        case _:
            assert_never(init.kind)
