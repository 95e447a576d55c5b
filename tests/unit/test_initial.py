"""First weights: functions of seed and name, whatever is drawn at a time."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from netspec.graph.types import Init, TensorType, Weight
from netspec.runtime import weights


@pytest.mark.parametrize("shape", [(1,), (5, 7), (64,), (130, 3)])
@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_pieces_have_the_bits_of_the_whole(kind: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    weight = Weight("c1.weight", TensorType(shape), Init(kind, 0.3))  # type: ignore[arg-type]
    whole = weights.initial([weight], 5)["c1.weight"]
    monkeypatch.setattr(weights, "CHUNK", 32)
    assert weights.initial([weight], 5)["c1.weight"].tobytes() == whole.tobytes()
    stream = int.from_bytes(hashlib.sha256(b"c1.weight").digest()[:8], "little")
    words = np.random.Philox(key=np.array([5, stream], np.uint64)).random_raw(2 * whole.size) >> np.uint64(11)
    first, second = np.split(words * 2.0**-53, 2)
    expected = 2 * first - 1 if kind == "uniform" else np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second)
    assert np.array_equal(whole.ravel(), (expected * 0.3).astype(np.float32))
