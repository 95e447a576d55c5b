"""Random numbers: one definition, the same bits everywhere, and random indeed."""

from __future__ import annotations

import numpy as np

from netspec.kernels.random import key, mix, uniform
from netspec.runtime import reference


def test_the_reference_computes_the_defined_bits() -> None:
    positions = [0, 1, 2, 1000, 2**31, 2**32 - 1, 2**32 + 5]
    for arguments in ((0, 0, 0), (7, 3, 1), (2**32 - 1, 10**6, 99)):
        expected = [uniform(key(*arguments), position) for position in positions]
        assert reference.uniform(key(*arguments), np.array(positions)).tolist() == expected


def test_known_numbers_stay_as_they_are() -> None:
    assert mix(0) == 0
    assert mix(1) == 1753845952
    assert [uniform(key(7, 0, 0), position) for position in range(3)] == [0.9433521628379822, 0.1779022216796875, 0.7046210169792175]


def test_neighbours_of_every_kind_are_independent() -> None:
    """Means, and correlations between neighbouring positions, steps, streams and seeds, within five standard deviations."""
    positions, bound = np.arange(200_000), 5 / np.sqrt(200_000)
    base = reference.uniform(key(1, 1, 1), positions)
    others = [reference.uniform(key(*item), positions) for item in ((1, 1, 2), (1, 2, 1), (2, 1, 1))]
    for other in (*others, np.roll(base, 1)):
        assert abs(np.corrcoef(base, other)[0, 1]) < bound
    assert abs(base.mean() - 0.5) < bound * base.std()
    counts = np.bincount((base * 16).astype(int), minlength=16)
    assert abs(counts - 12_500).max() < 5 * np.sqrt(12_500)
    assert base.min() >= 0
    assert base.max() < 1
