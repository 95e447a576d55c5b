"""Random small nets: the compiled loss and every gradient equal the reference's. `python -m tests.backend.fuzz 2000` tries many more."""

from __future__ import annotations

import pytest

from netspec.compiler import inference_graph
from netspec.passes import run
from netspec.passes.lower import Lower
from netspec.runtime import reference
from netspec.runtime.executable import Executable
from netspec.schedule.layout import Order
from tests.backend.compiled import ORDERS, compiled, execute, optimised
from tests.backend.nets import TEMPLATES, Builder, random_net
from tests.backend.steps import SCALARS, check_net, deviation, tensors_of, with_gradients

NETS = 30
SLACK = 10
"""Roundings add up from layer to layer: a net may be so many times further off than a layer."""


@pytest.mark.parametrize("seed", range(NETS))
def test_random_net(seed: int) -> None:
    assert check_net(random_net(seed, wide=False), ORDERS[seed // len(TEMPLATES) % 2], seed=seed) < SLACK


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


def test_sums_over_many_pixels_are_formed_in_chunks() -> None:
    """Neither the pictures nor their gradient fit in the cache: a weight's gradient takes a part of both at a time."""
    net = Builder((20, 62, 60))
    x = net.add("relu", net.add("conv", "image", c=64, k=3, pad=1))
    x = net.add("conv", x, c=32, k=1)
    net.add("dense", net.add("gap", x), units=5)
    graph, images = net.graph("wide"), 3
    tensors, lean = tensors_of(graph, images), optimised(with_gradients(graph))
    exe = compiled(lean, "channels", 4)
    chunked = {launch.name for launch in exe.program.launches if launch.cut < len(launch.loops)}
    assert {"d:conv0.weight", "d:conv2.weight"} <= chunked
    found = execute(exe, lean, tensors, images, SCALARS)
    assert deviation(found, reference.run(with_gradients(graph), tensors, SCALARS, images)) < SLACK
    again = execute(Executable(exe.program, 1), lean, tensors, images, SCALARS)
    assert all((again[name] == value).all() for name, value in found.items())
