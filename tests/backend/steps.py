"""A net's loss and gradients, compiled, beside the reference (and PyTorch, where it is there)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netspec.graph.graph import Graph
from netspec.passes import run
from netspec.passes.attach_loss import LOSS, AttachLoss, count_correct
from netspec.passes.differentiate import Differentiate
from netspec.passes.lower import Lower
from netspec.runtime import reference
from netspec.schedule.layout import Order
from netspec.training.losses import CrossEntropy, Term
from tests.backend.compiled import compiled, execute, optimised
from tests.tolerances import TOLERANCES
from tests.twin import likely_weights

Tensors = dict[str, NDArray[np.float64]]
SCALARS = {"seed": 11, "step": 4}


def with_gradients(net: Graph) -> Graph:
    """Loss, correct answers and gradients, before any optimisation."""
    term = Term(1.0, CrossEntropy(label_smoothing=0.05))
    return run(net, (AttachLoss(term, net.outputs[0], "label"), Lower(training=True), count_correct, Differentiate(LOSS)))


def tensors_of(net: Graph, images: int, seed: int = 0) -> Tensors:
    """Weights, images and labels, as float32 holds them."""
    random = np.random.default_rng(seed)
    shape, classes = net.inputs[0].type.sample, int(net.types[net.outputs[0]].type.sample[0])
    given = {name: value.astype(np.float64) for name, value in likely_weights(net, seed).items()}
    image = random.standard_normal((images, *shape)).astype(np.float32).astype(np.float64)
    return given | {net.inputs[0].name: image, "label": random.integers(0, classes, images).astype(np.float64)}


def deviation(found: Mapping[str, NDArray[np.floating]], expected: Mapping[str, NDArray[np.float64]]) -> float:
    """The worst of all tensors: error over what the table allows of the tensor's largest element, or of the largest gradient at all.

    The gradient of a bias before a batch norm is zero but for rounding, of numbers as large as the others.
    """
    allowed, worst = TOLERANCES["f32"].scale, 0.0
    largest = max((float(np.abs(expected[name]).max()) for name in found if name.startswith("d:")), default=0.0)
    for name, value in found.items():
        size = float(np.abs(expected[name]).max(initial=0.0))
        error = float(np.abs(value - expected[name]).max(initial=0.0))
        worst = max(worst, error / (allowed * max(size, largest if name.startswith("d:") else 0.0, 1e-6)))
    return worst if np.isfinite(worst) else float("inf")


def check_net(net: Graph, order: Order, *, images: int = 5, batch: int = 16, seed: int = 0, target: str = "avx512") -> float:
    """The deviation of a net's compiled step from the reference."""
    graph, tensors = with_gradients(net), tensors_of(net, images, seed)
    expected = reference.run(graph, tensors, SCALARS, images)
    lean = optimised(graph)
    return deviation(execute(compiled(lean, order, batch, target), lean, tensors, images, SCALARS), expected)
