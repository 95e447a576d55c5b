"""Every layer, every example: the compiled value and every gradient equal the float64 reference, in both layouts.

Kernels are shared by what they compute and by how their operands lie. Examples that would compile the same expression once more for a place
that other layers cover are marked slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from netspec.graph.types import Example, Layer
from netspec.layers import LAYERS
from netspec.layers.activation import Activation
from netspec.runtime.build import build
from netspec.schedule.layout import Order
from netspec.schedule.schedule import schedule
from netspec.schedule.targets import TARGETS
from tests.backend.compiled import ORDERS, agree, optimised
from tests.contract.harness import probed, random_tensors

BATCH = 16
ALTERNATING = frozenset({"max", "mul", "layernorm", "groupnorm", "lrn", "prelu", "logsoftmax", "convt", "up", "crelu"})
"""Layers that lie like others: each of their examples in one of the layouts."""


def covered(name: str, number: int, order: Order) -> bool:
    """Whether other examples show the same: all activations lie like relu, elementwise merges like add, norms like each other."""
    if issubclass(LAYERS[name], Activation):
        return name != "relu" and number > 0 and order == "channels"
    return name in ALTERNATING and number % 2 != ORDERS.index(order)


def examples() -> Iterator[Any]:
    for name, kind in LAYERS.items():
        for number, example in enumerate(kind.examples):
            for order in ORDERS:
                marks = [pytest.mark.slow] if covered(name, number, order) else []
                yield pytest.param(kind(**example.arguments), example, order, id=f"{name}-{number}-{order}", marks=marks)


@pytest.fixture(scope="module", autouse=True)
def compiled_together(request: pytest.FixtureRequest) -> None:
    """The kernels of all examples that are run, compiled many at a time instead of a few per example."""
    chosen = [item.callspec.params for item in request.session.items if getattr(item, "function", None) is test_value_and_gradients]
    graphs = [(optimised(probed(item["layer"], item["example"].inputs)), item["order"]) for item in chosen]
    build(tile for graph, order in graphs for tile in schedule(graph, TARGETS["avx512"], BATCH, order).tiles)


@pytest.mark.parametrize(("layer", "example", "order"), list(examples()))
def test_value_and_gradients(layer: Layer, example: Example, order: Order) -> None:
    graph = probed(layer, example.inputs)
    agree(graph, random_tensors(graph, batch=5), order, batch=BATCH, scalars={"seed": 3, "step": 2})
