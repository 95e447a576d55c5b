"""First weights: functions of seed and name, whatever is drawn at a time."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from netspec.graph.types import Init, TensorType, Weight
from netspec.runtime import weights


@pytest.mark.parametrize("shape", [(1,), (5, 7), (64,), (130, 3)])
@pytest.mark.parametrize("kind", ["uniform", "normal", "sign"])
def test_pieces_have_the_bits_of_the_whole(kind: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    weight = Weight("c1.weight", TensorType(shape), Init(kind, 0.3))  # type: ignore[arg-type]
    whole = weights.initial([weight], 5)["c1.weight"]
    monkeypatch.setattr(weights, "CHUNK", 32)
    assert weights.initial([weight], 5)["c1.weight"].tobytes() == whole.tobytes()
    stream = int.from_bytes(hashlib.sha256(b"c1.weight").digest()[:8], "little")
    words = np.random.Philox(key=np.array([5, stream], np.uint64)).random_raw(2 * whole.size) >> np.uint64(11)
    first, second = np.split(words * 2.0**-53, 2)
    expected = {
        "uniform": 2 * first - 1,
        "normal": np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second),
        "sign": np.sign(first - 0.5),
    }
    assert np.array_equal(whole.ravel(), (expected[kind] * 0.3).astype(np.float32))


def test_signs_are_even() -> None:
    weight = Weight("rbf.0.codes", TensorType((100, 84)), Init("sign"))
    codes = weights.initial([weight], 1)[weight.name]
    assert set(codes.ravel().tolist()) == {-1.0, 1.0}
    assert abs(codes.mean()) < 0.03


def test_given_numbers_are_repeated_over_the_first_axes() -> None:
    weight = Weight("blur.weight", TensorType((3, 1, 2, 2)), Init("values", values=(1.0, 2.0, 3.0, 4.0)))
    value = weights.initial([weight], 0)[weight.name]
    assert value.dtype == np.float32
    assert value.tolist() == [[[[1.0, 2.0], [3.0, 4.0]]]] * 3
