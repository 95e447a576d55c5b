"""A net's loss and gradients, compiled, beside the reference (and PyTorch, where it is there)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netspec.bench.twin import forward
from netspec.bench.weights import likely_weights
from netspec.graph.graph import Graph
from netspec.kernels.formula import d
from netspec.passes import run
from netspec.passes.attach_loss import LOSS, AttachLoss, field_input
from netspec.passes.differentiate import Differentiate
from netspec.passes.lower import Lower
from netspec.runtime import reference
from netspec.schedule.layout import Order
from netspec.training.losses import FIELD, CrossEntropy, Term
from tests.backend.compiled import compiled, execute, optimised
from tests.tolerances import TOLERANCES

Tensors = dict[str, NDArray[np.float64]]
SMOOTHING = 0.05
LABEL = field_input(FIELD)
SCALARS = {"seed": 11, "step": 4}


def with_gradients(net: Graph) -> Graph:
    """Loss, correct answers and gradients, before any optimisation."""
    term = Term(1.0, CrossEntropy(label_smoothing=SMOOTHING))
    return run(net, (Lower(training=True), AttachLoss((term,)), Differentiate(LOSS)))


def tensors_of(net: Graph, images: int, seed: int = 0) -> Tensors:
    """Weights, images and labels, as float32 holds them."""
    random = np.random.default_rng(seed)
    shape, classes = net.inputs[0].type.sample, int(net.types[net.outputs[0]].type.sample[0])
    given = {name: value.astype(np.float64) for name, value in likely_weights(net, seed).items()}
    image = random.standard_normal((images, *shape)).astype(np.float32).astype(np.float64)
    return given | {net.inputs[0].name: image, LABEL: random.integers(0, classes, images).astype(np.float64)}


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


def apart_from_pytorch(net: Graph, *, images: int = 5, seed: int = 0) -> float:
    """How far the reference is from PyTorch, both in float64: the worst relative error of logits, loss and gradients.

    Of a net with dropout, whose draws differ, the logits in inference alone.
    """
    import torch

    tensors = tensors_of(net, images, seed)
    dropped = any(node.layer.name in {"dropout", "droppath"} for node in net.layers)
    theirs = {name: torch.tensor(value) for name, value in tensors.items()}
    trained = [] if dropped else [weight.name for weight in net.weights if weight.role == "trainable"]
    for name in trained:
        theirs[name].requires_grad_()
    logits = forward(net, theirs[net.inputs[0].name], theirs, training=not dropped)
    found = {net.outputs[0]: logits.detach().numpy()}
    if dropped:
        expected = reference.run(run(net, (Lower(training=False),)), tensors, batch=images)
    else:
        expected = reference.run(with_gradients(net), tensors, SCALARS, images)
        loss = torch.nn.functional.cross_entropy(logits, theirs[LABEL].long(), label_smoothing=SMOOTHING)
        loss.backward()
        found |= {LOSS: loss.detach().numpy().reshape(1), **{d(name): grad(theirs[name]) for name in trained}}
    largest = max((float(np.abs(expected[d(name)]).max()) for name in trained), default=0.0)
    return max(
        float(np.abs(value - expected[name]).max())
        / max(float(np.abs(expected[name]).max()), largest if name.startswith("d:") else 0.0, 1e-6)
        for name, value in found.items()
    )


def grad(tensor: Any) -> NDArray[np.float64]:
    """The gradient that PyTorch left at a tensor; zeros where nothing of it reached the loss."""
    return np.zeros(tuple(tensor.shape)) if tensor.grad is None else tensor.grad.numpy()
