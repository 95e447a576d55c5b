"""Random small nets: the compiled loss and every gradient equal the reference's. `python -m tests.backend.fuzz 2000` tries many more."""

from __future__ import annotations

import pytest

from tests.backend.compiled import ORDERS
from tests.backend.nets import random_net
from tests.backend.steps import check_net

NETS = 30
SLACK = 10
"""Roundings add up from layer to layer: a net may be so many times further off than a layer."""


@pytest.mark.parametrize("seed", range(NETS))
def test_random_net(seed: int) -> None:
    assert check_net(random_net(seed, wide=False), ORDERS[seed // 3 % 2], seed=seed) < SLACK
