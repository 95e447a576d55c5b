"""Stochastic depth: whole samples, as often as the rate says, other ones with every step; nothing in inference."""

from __future__ import annotations

import numpy as np
import pytest
from harness import lowered

from netspec.graph.types import Shape
from netspec.layers import LAYERS
from netspec.runtime import reference

SAMPLES = 2000


@pytest.mark.parametrize("shape", [(3, 2, 2), (2, 5), (4,)])
def test_a_sample_is_dropped_whole_or_scaled_whole(shape: Shape) -> None:
    graph = lowered(LAYERS["droppath"](rate=0.2), (shape,), training=True)
    x = np.random.default_rng(0).standard_normal((SAMPLES, *shape))
    first, second = (reference.run(graph, {"x": x}, {"seed": 1, "step": step})["y"] for step in (1, 2))
    kept = (first != 0).reshape(SAMPLES, -1)
    assert (kept.all(1) | ~kept.any(1)).all()
    assert kept.mean() == pytest.approx(0.8, abs=0.03)
    np.testing.assert_allclose(first[kept[:, 0]], x[kept[:, 0]] / 0.8)
    assert (first != second).any()


def test_in_inference_and_at_rate_zero_it_is_the_identity() -> None:
    x = np.random.default_rng(0).standard_normal((5, 3))
    for rate, training in ((0.5, False), (0.0, True)):
        assert np.array_equal(reference.run(lowered(LAYERS["droppath"](rate=rate), ((3,),), training), {"x": x})["y"], x)
