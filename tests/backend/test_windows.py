"""Windows that leave their tensor: clipped maxima, averages that count what is there, gradients with positions that nothing reaches."""

from __future__ import annotations

import numpy as np
import pytest

from netspec.layers import LAYERS
from netspec.schedule.layout import Order
from tests.backend.compiled import ORDERS, agree, compiled, execute, optimised, single
from tests.contract.harness import probed, random_tensors

POOLS = [
    pytest.param("maxpool", {"k": 3, "stride": 2, "pad": 1}, (5, 7), id="pad"),
    pytest.param("maxpool", {"k": (3, 2), "stride": 2, "ceil": True}, (6, 7), id="ceil"),
    pytest.param("maxpool", {"k": 3, "stride": 2, "pad": (1, 0), "ceil": True}, (13, 4), id="pad-ceil"),
    pytest.param("maxpool", {"k": 5, "stride": 1, "pad": 2}, (2, 3), id="larger-than-the-picture"),
    pytest.param("maxpool", {"k": 2, "stride": 3}, (8, 7), id="gaps"),
    pytest.param("avgpool", {"k": 3, "stride": 2, "pad": 1, "ceil": True, "count_pad": False}, (6, 5), id="average"),
    pytest.param("avgpool", {"k": 2, "stride": 3}, (8, 7), id="average-gaps"),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "arguments", "size"), POOLS)
def test_pools(name: str, arguments: dict[str, object], size: tuple[int, int], order: Order) -> None:
    graph = probed(LAYERS[name](**arguments), ((3, *size),))
    agree(graph, random_tensors(graph, batch=17), order, images=(17, 1, 5), batch=17)


@pytest.mark.parametrize("order", ORDERS)
def test_of_one_channel_no_pixels_go_along_the_lanes(order: Order) -> None:
    """Where a window is clipped depends on its position: lanes at different ones cannot share a loop."""
    graph = probed(LAYERS["maxpool"](k=3, stride=1, pad=1), ((1, 8, 20),))
    agree(graph, random_tensors(graph, batch=17), order, images=(17, 1, 5), batch=17)


@pytest.mark.parametrize("order", ORDERS)
def test_of_equal_elements_the_first_is_the_maximum(order: Order) -> None:
    graph = probed(LAYERS["maxpool"](k=3, stride=2, pad=1), ((3, 5, 7),))
    tensors = random_tensors(graph, batch=17)
    tensors["x"] = np.round(tensors["x"])
    agree(graph, tensors, order, images=(17,), batch=17)


@pytest.mark.parametrize("order", ORDERS)
def test_what_no_window_reaches_gets_no_gradient(order: Order) -> None:
    """A 1x1 window with stride 3 leaves most of its input alone: zeros, also where an earlier, larger batch wrote."""
    graph = probed(LAYERS["conv"](c=4, k=1, stride=3), ((3, 7, 8),))
    agree(graph, random_tensors(graph, batch=17), order, images=(17, 3, 16), batch=17)


@pytest.mark.parametrize("order", ORDERS)
def test_an_image_that_is_no_number_spoils_no_later_batch(order: Order) -> None:
    """Lanes of images that are not there hold what an earlier batch left, unless somebody clears them."""
    graph = probed(LAYERS["conv"](c=4, k=3, pad=1), ((3, 7, 8),))
    lean, tensors = optimised(graph), single(random_tensors(graph, batch=17))
    exe = compiled(lean, order, 17)
    clean = execute(exe, lean, tensors, 3)
    execute(exe, lean, {**tensors, "x": np.full_like(tensors["x"], np.nan)}, 17)
    again = execute(exe, lean, tensors, 3)
    assert all(np.array_equal(again[name], value) for name, value in clean.items())
