"""Nets whose layers lay out, cut, join and shuffle their maps, compiled: the loss and every gradient equal the reference's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netspec.graph.graph import Graph
from netspec.schedule.layout import Order
from tests.backend.nets import Builder
from tests.backend.steps import check_net
from tests.backend.test_nets import SLACK


def shuffled() -> Graph:
    """3 groups of 4 channels, dealt out, then 4 groups of 3: one tensor, seen in two ways that have no dimensions in common."""
    net = Builder((6, 5, 5))
    x = net.add("shuffle", net.add("conv", "image", c=12, k=1, groups=3, bias=False), groups=3)
    net.add("dense", net.add("gap", net.add("conv", x, c=12, k=3, groups=4, pad=1, bias=False)), units=5)
    return net.graph("shuffled")


def hourglass() -> Graph:
    """Down and up again, cropped and joined."""
    net = Builder((2, 10, 10))
    keep = net.add("relu", net.add("conv", "image", c=8, k=3))
    x = net.add("convt", net.add("maxpool", keep, k=2), c=8, k=4, stride=2, pad=1)
    x = net.add("concat", net.add("crop", keep, size=6), net.add("slice", net.add("crop", x, size=6), part=(2, 5)))
    x = net.add("relu", net.add("conv", net.add("up", x, factor=2), c=8, k=3, pad=1))
    net.add("dense", net.add("flatten", net.add("maxpool", x, k=4)), units=5)
    return net.graph("hourglass")


def steps() -> Graph:
    """Along the steps of [t, f], then as a picture."""
    net = Builder((17, 8))
    x = net.add("relu", net.add("conv", "image", c=8, k=5, stride=2, pad=2))
    x = net.add("maxpool", net.add("add", net.add("conv", x, c=8, k=3, pad=1, groups=2), x), k=2)
    x = net.add("relu", net.add("conv", net.add("reshape", x, shape=(1, 4, 8)), c=8, k=3))
    net.add("dense", net.add("flatten", x), units=5)
    return net.graph("steps")


@pytest.mark.parametrize(("build", "order"), [(shuffled, "channels"), (shuffled, "images"), (hourglass, "channels"), (steps, "channels")])
def test_nets(build: Callable[[], Graph], order: Order) -> None:
    assert check_net(build(), order) < SLACK
