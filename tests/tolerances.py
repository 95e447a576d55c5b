"""How far compiled results may lie from the float64 reference: one table, by element type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Tolerance:
    """`relative` to the element; `scale` relative to the largest element of the tensor: what cancels in a sum was as large as that."""

    relative: float
    scale: float


TOLERANCES = {"f32": Tolerance(1e-5, 1e-5)}


def error(actual: ArrayLike, expected: ArrayLike) -> float:
    """The largest deviation, relative to the largest element expected; infinite where only one of the two is finite."""
    a, b = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert a.shape == b.shape, f"shapes {a.shape} and {b.shape}"
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return float("inf")
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    return float(np.abs(a - b).max(initial=0.0) / max(np.abs(b).max(initial=0.0), 1e-30))


def close(actual: ArrayLike, expected: NDArray[np.float64], what: str = "", *, factor: float = 1.0, largest: float | None = None) -> None:
    """Fail where `actual` is further off than `factor` times what the table allows. `largest`: what was summed, where that is known."""
    allowed = TOLERANCES["f32"]
    if largest is None:
        largest = float(np.abs(expected, where=np.isfinite(expected), out=np.zeros_like(expected)).max(initial=0.0))
    rtol, atol = factor * allowed.relative, factor * allowed.scale * largest + 1e-30
    np.testing.assert_allclose(np.asarray(actual, np.float64), expected, rtol=rtol, atol=atol, err_msg=what)
