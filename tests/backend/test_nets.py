"""Random small nets: the compiled loss and every gradient equal the reference's. `python -m tests.backend.fuzz 2000` tries many more."""

from __future__ import annotations

import numpy as np
import pytest

from netspec.compiler import inference_graph
from netspec.diagnostics import Source
from netspec.elaborate import elaborate
from netspec.model import load
from netspec.passes import run
from netspec.passes.lower import Lower
from netspec.runtime import reference
from netspec.runtime.executable import Executable
from netspec.schedule.layout import Order
from netspec.syntax.parse import parse
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


@pytest.mark.parametrize("order", ORDERS)
def test_steps_of_features(order: Order) -> None:
    """All that a net along time is made of, with its gradients; and deployed, where the statistics of batch norm are folded away."""
    net = Builder((14, 6))
    x = net.add("relu", net.add("bn", net.add("conv", "image", c=8, k=3, pad="half", bias=False)))
    x = net.add("subsample", net.add("prelu", net.add("layernorm", x)), k=2)
    x = net.add("add", x, net.add("droppath", net.add("lrn", net.add("dropout", x, rate=0.25), n=3, alpha=1.0), rate=0.25))
    net.add("dense", net.add("gap", net.add("softmax", x)), units=5)
    graph, images = net.graph("steps"), 11
    assert check_net(graph, order, images=images) < SLACK
    tensors, deployed = tensors_of(graph, images), inference_graph(graph)
    expected = reference.run(run(graph, (Lower(training=False),)), tensors, batch=images)
    assert deviation(execute(compiled(deployed, order, 16), deployed, tensors, images), expected) < SLACK


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


SHARED = """net Shared {
  input image[8, 8, 8]
  a: conv(8, 3x3, pad=1, bias=no) -> bn -> relu
  add { | share(a) | conv(8, 3x3, pad=1, bias=no, weight=a.weight) }
  conv(8, 3x3, pad=1, groups=8, bias=no, weight=[[0, 1, 0], [1, 2, 1], [0, 1, 0]])
  code: gap -> dense(5) -> tanh
  dense(8, weight=code.weight.T) -> dense(5, weight=code.weight)
}"""


def test_weights_that_several_layers_have() -> None:
    """Shared, tied, tied and turned, fixed: the gradients of all uses add up, and what is fixed has none."""
    graph = elaborate(parse(SHARED, "n.net"), Source("n.net", SHARED)).nets[0].graph
    assert graph is not None
    assert check_net(graph, "channels") < SLACK


TRAINED = """net Headed {
  input image[6]
  h: dense(8) -> relu
  if training { output aux: dense(3) }
  output main: dense(3)
}
train Headed { data = npz("none.npz"); loss = cross_entropy(aux); optimizer = sgd(lr=0.5); epochs = 1 }"""


def test_what_is_there_in_training_alone_has_its_weights_kept() -> None:
    """One set of weights for a graph that is trained and another one that is deployed."""
    net = load(TRAINED).compile("infer", batch=4, threads=1)
    names = ["h.weight", "h.bias", "aux.weight", "aux.bias", "main.weight", "main.bias"]
    assert list(net.weights) == names
    x, y = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32), np.array([0, 1, 2, 0])
    start, before = net(x), net.weights
    assert start.shape == (4, 3)
    net.step(x, y)
    after = net.weights
    assert [name for name in names if (after[name] != before[name]).any()] == ["h.weight", "h.bias", "aux.weight", "aux.bias"]
    hidden = np.maximum(x @ after["h.weight"].T + after["h.bias"], 0)
    np.testing.assert_allclose(net(x), hidden @ after["main.weight"].T + after["main.bias"], rtol=1e-5, atol=1e-6)
    net.load_weights(before)
    np.testing.assert_array_equal(net(x), start)
    assert all((net.weights[name] == before[name]).all() for name in names)
    assert set(net.state_shapes()) == set(names)
    again = load(TRAINED).uncompiled(batch=4, threads=1)
    again.load_weights({"aux.bias": after["aux.bias"]})
    assert (again.weights["aux.bias"] == after["aux.bias"]).all(), "kept where no code has it yet"
