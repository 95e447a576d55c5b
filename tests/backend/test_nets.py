"""Random small nets: the compiled loss and every gradient equal the reference's. `python -m tests.backend.fuzz 2000` tries many more."""

from __future__ import annotations

import pytest

from netspec.compiler import inference_graph
from netspec.passes import run
from netspec.passes.lower import Lower
from netspec.runtime import reference
from netspec.schedule.layout import Order
from tests.backend.compiled import ORDERS, compiled, execute
from tests.backend.nets import Builder, random_net
from tests.backend.steps import check_net, deviation, tensors_of

NETS = 30
SLACK = 10
"""Roundings add up from layer to layer: a net may be so many times further off than a layer."""


@pytest.mark.parametrize("seed", range(NETS))
def test_random_net(seed: int) -> None:
    assert check_net(random_net(seed, wide=False), ORDERS[seed // 3 % 2], seed=seed) < SLACK


@pytest.mark.parametrize("order", ORDERS)
def test_a_single_pixel_read_by_a_plain_and_a_depthwise_window(order: Order) -> None:
    net = Builder((6, 1, 1))
    x = net.add("conv", "image", c=6, k=3, pad=1)
    depthwise, plain = net.add("conv", x, c=6, k=3, pad=1, groups=6), net.add("conv", x, c=6, k=3, pad=1)
    net.add("dense", net.add("flatten", net.add("add", depthwise, plain)), units=5)
    assert check_net(net.graph("pixel"), order) < SLACK


def test_image_by_image_and_together_give_the_same() -> None:
    """Large pictures and many weights: the first layers take one image after the other, the last ones all at once, joined by a shortcut."""
    net = Builder((8, 48, 48))
    x = net.add("relu", net.add("conv", "image", c=32, k=3, pad=1))
    y = net.add("maxpool", net.add("conv", x, c=32, k=3, pad=1), k=4)
    for _ in range(3):
        y = net.add("add", y, net.add("relu", net.add("conv", y, c=32, k=3, pad=1)))
    y = net.add("concat", y, net.add("avgpool", x, k=4))
    y = net.add("relu", net.add("dense", net.add("flatten", y), units=192))
    net.add("dense", y, units=5)
    graph, images = net.graph("mixed"), 11
    tensors = tensors_of(graph, images)
    exe = compiled(inference_graph(graph), "channels", 16)
    assert [segment.mode for segment in exe.program.segments] == ["by_image", "together"]
    found = execute(exe, inference_graph(graph), tensors, images)
    assert deviation(found, reference.run(run(graph, (Lower(training=False),)), tensors, batch=images)) < SLACK
