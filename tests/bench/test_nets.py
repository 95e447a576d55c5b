"""How a graph is taken apart for other libraries."""

from __future__ import annotations

import numpy as np
import pytest

from netspec.bench.job import without_dropout
from netspec.bench.nhwc import channels_first, channels_last, order
from netspec.bench.steps import sites
from netspec.diagnostics import Source
from netspec.graph.graph import Graph, verify
from netspec.model import load, model
from tests.bench.nets import kinds


def graph(body: str) -> Graph:
    return model(Source("a.net", f"net A {{ input image[3, 13, 12]; {body} }}"), None, {}).graph


@pytest.mark.parametrize(
    ("window", "pads"),
    [
        ("maxpool(3, stride=2)", ((0, 0), (0, 0))),
        ("maxpool(3, stride=2, ceil=yes)", ((0, 0), (0, 1))),
        ("maxpool(2, stride=2, ceil=yes)", ((0, 1), (0, 0))),
        ("conv(4, 3x3, pad=same, stride=2)", ((1, 1), (0, 1))),
        ("maxpool(3, stride=3, pad=1, ceil=yes)", ((1, 1), (1, 2))),
    ],
)
def test_windows_reach_as_far_as_they_do(window: str, pads: object) -> None:
    (site,) = sites(graph(window))
    assert site.pads == pads


def test_dropout_goes_and_nothing_else() -> None:
    whole = load("lenet").graph
    lean = verify(without_dropout(whole))
    assert [node.name for node in whole.layers if node not in lean.layers] == ["f5.dropout.0", "f6"]
    assert without_dropout(lean) is lean
    last = graph("flatten -> dropout(0.5)")
    assert without_dropout(last).outputs == ("flatten.0",)


def test_what_is_read_once_may_be_overwritten() -> None:
    net = graph("conv(3, 3x3, pad=1) -> bn -> relu; add { | conv(3, 1x1) | skip } -> relu")
    sources = {site.node.name: site.source for site in sites(net, overwrite=True)}
    assert sources == {"conv.0": "", "bn.0": "conv", "relu.0": "bn", "conv.1": "", "add.0": "conv", "relu.1": "add"}
    assert not any(site.source for site in sites(net))


def test_flatten_leaves_channels_last_where_dense_layers_can_be_permuted() -> None:
    net = graph("maxpool(5) -> flatten -> relu -> dense(4)")
    found = order(net)
    assert (found.straight, dict(found.permuted)) == ({"flatten.0"}, {"dense.0": (3, 2, 2)})
    weight = np.arange(48, dtype=np.float32).reshape(4, 12)
    x = np.random.default_rng(0).standard_normal((2, 3, 2, 2)).astype(np.float32)
    turned = found.weights(net, {"dense.0.weight": weight, "dense.0.bias": weight[0]})["dense.0.weight"]
    np.testing.assert_allclose(channels_last(x).reshape(2, -1) @ turned, x.reshape(2, -1) @ weight.T, rtol=1e-5)
    np.testing.assert_array_equal(channels_first(channels_last(x)), x)


@pytest.mark.parametrize("body", ["flatten -> softmax", "flatten", "flatten -> concat { | dense(3) | skip }"])
def test_flatten_turns_back_where_anyone_else_looks(body: str) -> None:
    assert not order(graph(body)).straight


def test_convolutions_have_their_channels_last() -> None:
    net = kinds().graph
    weights = {weight.name: np.zeros(weight.type.sample, np.float32) for weight in net.weights}
    found = order(net).weights(net, weights)
    assert (found["conv.0.weight"].shape, found["conv.1.weight"].shape) == ((3, 3, 3, 8), (3, 3, 1, 8))
