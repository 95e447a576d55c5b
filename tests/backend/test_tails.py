"""Every way in which a tile does not come out even: odd batches, channels, sizes, kernels, strides, dilations, groups and paddings."""

from __future__ import annotations

import pytest

from netspec.layers import LAYERS
from netspec.schedule.layout import Order
from tests.backend.compiled import ORDERS, agree
from tests.contract.harness import probed, random_tensors

IMAGES = (17, 33, 1, 5, 16)
"""Batches of one compiled program for 33: around the number of lanes, growing and shrinking."""

CONVOLUTIONS = [
    pytest.param({"c": 17, "k": 1}, (3, 1, 1), id="one pixel"),
    pytest.param({"c": 1, "k": 3, "pad": 1}, (1, 5, 7), id="one channel"),
    pytest.param({"c": 19, "k": (5, 3), "stride": (2, 1), "pad": ((2, 1), (0, 2))}, (17, 13, 3), id="uneven padding"),
    pytest.param({"c": 3, "k": 3, "stride": 3, "pad": "half"}, (17, 5, 7), id="stride of a window"),
    pytest.param({"c": 17, "k": 1, "stride": 2, "bias": False}, (16, 5, 7), id="stride beyond the window"),
    pytest.param({"c": 3, "k": 3, "dilation": (2, 3), "pad": (1, 3)}, (3, 7, 13), id="dilation"),
    pytest.param({"c": 6, "k": 3, "groups": 3, "stride": 2, "pad": 1}, (9, 5, 7), id="groups"),
    pytest.param({"c": 17, "k": 3, "groups": 17, "pad": "same"}, (17, 5, 7), id="depthwise"),
    pytest.param({"c": 38, "k": 5, "groups": 19, "stride": 3, "dilation": 2, "pad": "half"}, (19, 13, 3), id="depthwise, all of it"),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("arguments", "shape"), CONVOLUTIONS)
def test_convolution(arguments: dict[str, object], shape: tuple[int, ...], order: Order) -> None:
    graph = probed(LAYERS["conv"](**arguments), (shape,))
    agree(graph, random_tensors(graph, batch=33), order, images=IMAGES, batch=33)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("features", "units"), [(1, 1), (3, 17), (17, 3), (33, 19)])
def test_dense(features: int, units: int, order: Order) -> None:
    graph = probed(LAYERS["dense"](units=units), ((features,),))
    agree(graph, random_tensors(graph, batch=33), order, images=IMAGES, batch=33)
