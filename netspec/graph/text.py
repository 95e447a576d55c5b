"""A graph as text: one line per tensor, formulas as they are written in papers."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.graph.graph import Graph, Node, Op


def text(graph: Graph) -> str:
    """Inputs, weights, nodes, outputs and updates, in order; the same text for equal graphs."""
    return "\n".join([f"graph {graph.name}", *(f"  {line}".rstrip() for line in _lines(graph))]) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    for value in graph.inputs:
        yield f"input   {value.name}: {value.type}"
    for weight in graph.weights:
        role = "" if weight.role == "trainable" else f" ({weight.role})"
        yield f"weight  {weight.name}: {weight.type}{role}"
    yield ""
    for node in graph.nodes:
        yield from _node(node) if isinstance(node, Node) else _op(node)
    yield ""
    for name in graph.outputs:
        yield f"output  {name}"
    for weight, value in graph.updates:
        yield f"update  {weight} <- {value}"


def _node(node: Node) -> Iterator[str]:
    given = ", ".join(f"{name}={value}" for name, value in node.layer.given())
    weights = [f"{name}.T" if name in node.turned else name for name in node.weights]
    yield f"{node.output.name}: {node.output.type} = {node.layer.name}({given}) {', '.join([*node.inputs, *weights])}"


def _op(op: Op) -> Iterator[str]:
    results = ", ".join(f"{value.name}: {value.type}" for value in op.outputs)
    yield f"{results}    # {op.origin}"
    for formula in op.formulas:
        yield f"    {formula}"
