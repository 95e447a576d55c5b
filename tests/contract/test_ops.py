"""Ops of a file as layers: values against PyTorch in float64, gradients against finite differences and PyTorch, for every kind of shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from harness import check_gradients, inputs_of, probed, random_tensors

from netspec.compiler import inference_graph
from netspec.diagnostics import Source
from netspec.elaborate import elaborate
from netspec.graph.graph import Graph
from netspec.graph.types import Layer, Shape
from netspec.kernels.scalar import accesses
from netspec.runtime import reference
from netspec.syntax.parse import parse

TEXT = """
op swish(x, beta=1.0) = x * sigmoid(beta * x)
op mish(x) = x * tanh(softplus(x))
op distance(a, b) = abs(a - b)
op only(logit, legal) = if legal > 0 and legal < 1 then logit else -2 * legal
op gate(x, g, p=1.5) = x * erf(g) + abs(g) ** p * max(x, g) / (1 + exp(-x))
"""
PICTURE, STEPS, VECTOR = (3, 4, 5), (4, 3), (7,)
CASES: list[tuple[str, tuple[Shape, ...]]] = [
    ("swish(1.5)", (PICTURE,)),
    ("swish", (STEPS,)),
    ("mish", (VECTOR,)),
    ("distance", (PICTURE, PICTURE)),
    ("distance", (PICTURE, (3,))),
    ("only", (VECTOR, VECTOR)),
    ("gate", (STEPS, (3,))),
    ("gate", ((3,), PICTURE)),
    ("gate", (PICTURE, (1, 4, 5))),
    ("gate(p=2)", ((3, 1, 1), PICTURE)),
]


def layer_of(step: str, shapes: tuple[Shape, ...]) -> Layer:
    """The layer of a step that takes inputs of these shapes."""
    inputs = "\n".join(f"input x{k}{list(shape)}" for k, shape in enumerate(shapes))
    name, _, rest = step.partition("(")
    named = ", ".join([*(f"x{k}" for k in range(1, len(shapes))), *filter(None, [rest.rstrip(")")])])
    return graph_of(f"{TEXT}net N {{\n{inputs}\nfrom x0 -> {name}({named})\n}}").layers[0].layer


def graph_of(text: str) -> Graph:
    found = elaborate(parse(text, "n.net"), Source("n.net", text)).nets[0].graph
    assert found is not None
    return found


@pytest.mark.parametrize(("step", "shapes"), CASES)
def test_the_derived_gradient_is_that_of_finite_differences(step: str, shapes: tuple[Shape, ...]) -> None:
    graph = probed(layer_of(step, shapes), shapes)
    check_gradients(graph, random_tensors(graph))


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    def gate(x: Any, g: Any, p: float) -> Any:
        return x * torch.erf(g) + torch.abs(g) ** p * torch.maximum(x, g) / (1 + torch.exp(-x))

    return {
        "swish(1.5)": lambda x: x * torch.sigmoid(1.5 * x),
        "swish": torch.nn.functional.silu,
        "mish": torch.nn.functional.mish,
        "distance": lambda a, b: torch.abs(a - b),
        "only": lambda a, b: torch.where((b > 0) & (b < 1), a, -2 * b),
        "gate": lambda x, g: gate(x, g, 1.5),
        "gate(p=2)": lambda x, g: gate(x, g, 2),
    }


@pytest.mark.parity
@pytest.mark.parametrize(("step", "shapes"), CASES)
def test_pytorch_agrees(step: str, shapes: tuple[Shape, ...]) -> None:
    torch = pytest.importorskip("torch")
    layer = layer_of(step, shapes)
    graph = probed(layer, shapes)
    tensors = random_tensors(graph)
    values = reference.run(graph, tensors)
    names, rank = inputs_of(layer, shapes), max(map(len, shapes))
    given = {name: torch.tensor(tensors[name], dtype=torch.float64, requires_grad=True) for name in names}
    # a [c] stands over [c, h, w] along the first dimension of a sample; the rest broadcasts as PyTorch does it
    spread = [x.reshape(*x.shape, 1, 1) if len(shape) == 1 and rank == 3 else x for x, shape in zip(given.values(), shapes, strict=True)]
    spread = [x[:, None] if len(shape) == 1 and rank == 2 else x for x, shape in zip(spread, shapes, strict=True)]
    y = twins(torch)[step](*spread)
    np.testing.assert_allclose(values["y"], y.detach().numpy(), rtol=1e-8, atol=1e-12)
    (y * torch.tensor(tensors["probe"], dtype=torch.float64)).sum().backward()
    for name, x in given.items():
        np.testing.assert_allclose(values[f"d:{name}"], x.grad.numpy(), rtol=1e-8, atol=1e-10, err_msg=name)


def test_an_op_behind_a_convolution_is_fused_like_relu() -> None:
    """One launch each, the op in it, the skipped value read beside it."""

    def ops(act: str) -> int:
        text = f"{TEXT}net N {{\ninput x[3, 6, 6]\nconv(3, 3x3, pad=1) -> {act}\nconv(4, 3x3) -> {act}\n}}"
        return len(inference_graph(graph_of(text)).ops)

    assert ops("relu") == ops("mish") == ops("swish(2)") == 2
    graph = inference_graph(graph_of(f"{TEXT}net N {{\ninput x[3, 6, 6]\nconv(3, 3x3, pad=1) -> distance(x)\n}}"))
    (op,) = graph.ops
    assert [access.tensor for access in accesses(op.formulas[-1].body)].count("x") == 1
