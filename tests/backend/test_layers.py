"""Every layer, every example: the compiled value and every gradient equal the float64 reference, in both layouts."""

from __future__ import annotations

import pytest

from netspec.graph.types import Example, Layer
from netspec.layers import LAYERS
from netspec.schedule.layout import Order
from tests.backend.compiled import ORDERS, agree
from tests.contract.harness import probed, random_tensors

EXAMPLES = [
    pytest.param(kind(**example.arguments), example, id=f"{name}-{i}")
    for name, kind in LAYERS.items()
    for i, example in enumerate(kind.examples)
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("layer", "example"), EXAMPLES)
def test_value_and_gradients(layer: Layer, example: Example, order: Order) -> None:
    graph = probed(layer, example.inputs)
    agree(graph, random_tensors(graph, batch=5), order, scalars={"seed": 3, "step": 2})
