"""Every loss, every example: the compiled value, the count of right answers and the gradient equal the float64 reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from netspec.graph.graph import Graph, Node
from netspec.graph.types import Shape, TensorType, Value, batched
from netspec.layers import LOSSES
from netspec.layers.loss import Loss
from netspec.passes import run
from netspec.passes.differentiate import Differentiate
from netspec.passes.lower import Lower
from netspec.runtime.build import build
from netspec.schedule.layout import Order
from netspec.schedule.schedule import schedule
from netspec.schedule.targets import TARGETS
from tests.backend.compiled import ORDERS, agree, optimised

BATCH = 16


def examples() -> Iterator[Any]:
    """In one layout each: those of two losses in both."""
    for k, (name, kind) in enumerate(LOSSES.items()):
        for number, example in enumerate(kind.examples):
            for order in ORDERS:
                marks = [] if name in {"cross_entropy", "huber"} or order == ORDERS[(k + number) % 2] else [pytest.mark.slow]
                yield pytest.param(kind(**example.arguments), *example.inputs, order, id=f"{name}-{number}-{order}", marks=marks)


def compared(loss: Loss, shape: Shape) -> Graph:
    """The loss of the input `x` against the input `target`, and its gradient by `x`."""
    values = (Value("x", batched(shape)), Value("target", batched(loss.target(shape))))
    node = Node("train", loss, ("x", "target"), (), Value("train/loss", TensorType((1,))))
    graph = run(Graph("loss", values, (), (node,), ("train/loss",)), (Lower(training=True), Differentiate("train/loss", ("x",))))
    counted = tuple(value.name for op in graph.ops for value in op.outputs if value.name == "train/correct")
    return Graph(graph.name, graph.inputs, (), graph.nodes, (*graph.outputs, *counted))


@pytest.fixture(scope="module", autouse=True)
def compiled_together(request: pytest.FixtureRequest) -> None:
    chosen = [item.callspec.params for item in request.session.items if getattr(item, "function", None) is test_value_and_gradient]
    graphs = [(optimised(compared(item["loss"], item["shape"])), item["order"]) for item in chosen]
    build(tile for graph, order in graphs for tile in schedule(graph, TARGETS["avx512"], BATCH, order).tiles)


@pytest.mark.parametrize(("loss", "shape", "order"), list(examples()))
def test_value_and_gradient(loss: Loss, shape: Shape, order: Order) -> None:
    random = np.random.default_rng(1)
    target = random.standard_normal((5, *loss.target(shape))) if loss.target(shape) else random.integers(0, shape[0], 5).astype(float)
    agree(compared(loss, shape), {"x": random.standard_normal((5, *shape)), "target": target}, order, batch=BATCH)
