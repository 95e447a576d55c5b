"""Layers become formulas. After this pass nothing knows what a layer was; `origin` keeps its path for reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from netspec.graph.graph import Graph, Node, Op
from netspec.graph.types import Shape, TensorType, Value
from netspec.kernels.affine import Extent, N
from netspec.kernels.formula import Formula, d
from netspec.kernels.scalar import Access, Expr, Random, transform


@dataclass(frozen=True)
class Lower:
    """Replace every node by the formulas of its layer, under the graph's own names; nodes that are `still` compute as deployed."""

    training: bool
    still: frozenset[str] = frozenset()

    def __call__(self, graph: Graph) -> Graph:
        """An op per node; all that its formulas write is visible, until later passes find that nobody looks."""
        ops: list[Op] = []
        updates = dict(graph.updates)
        for stream, node in enumerate(graph.layers):
            inputs = tuple(_sample(graph.shape(name)) for name in node.inputs)
            op, changes = lowered(node, inputs, stream, updates, training=self.training and node.name not in self.still)
            ops.append(op)
            updates |= changes
        return replace(graph, nodes=tuple(ops), updates=tuple(updates.items()))


def lowered(node: Node, inputs: tuple[Shape, ...], stream: int, updates: Mapping[str, str], *, training: bool) -> tuple[Op, dict[str, str]]:
    """A node's formulas on inputs of these shapes, and the updates of its weights, of which nodes above have `updates`.

    Random numbers come from a `stream` of its own.
    """
    computation = node.layer.compute(*inputs, training=training)
    names = _names(node, inputs, updates)
    formulas = tuple(_on_stream(_placed(formula, names), stream) for formula in computation.formulas)
    gradients = None if computation.gradients is None else tuple(_placed(item, names) for item in computation.gradients)
    weights = dict(zip(names.weights, node.weights, strict=True))
    changes = {weights[weight]: names(value) for weight, value in computation.updates.items()}
    return Op(node.name, formulas, _written(formulas, node.output), node.name, gradients=gradients), changes


class _names:
    """From a layer's own names to the graph's: `x`, `y`, `weight`, temporaries, and the gradients of all of them.

    `updates`: what nodes above give weights as their next values. Of a weight that several nodes update, each goes on from the one before.
    """

    def __init__(self, node: Node, inputs: tuple[Shape, ...], updates: Mapping[str, str]) -> None:
        self.node, self.turned = node.name, {item for name in node.turned for item in (name, d(name))}
        operands = [f"x{i}" for i in range(len(inputs))] if node.layer.merge else node.layer.operands
        self.known = {node.layer.result: node.output.name} | dict(zip(operands, node.inputs, strict=True))
        self.weights = [weight.name for weight in node.layer.weights(*inputs)]
        self.known |= {own: updates.get(name, name) for own, name in zip(self.weights, node.weights, strict=True)}

    def __call__(self, local: str) -> str:
        if local.startswith("d:"):
            return "d:" + self(local[2:])
        return self.known.get(local, f"{self.node}/{local}")


def _placed(formula: Formula, names: _names) -> Formula:
    """A formula of a layer in the graph."""
    return formula.rename(names).turned(names.turned)


def _sample(shape: tuple[Extent, ...]) -> Shape:
    return tuple(extent for extent in shape if isinstance(extent, int))


def _on_stream(formula: Formula, stream: int) -> Formula:
    """Every layer draws its own random numbers."""

    def change(leaf: Expr) -> Expr:
        return replace(leaf, stream=stream) if isinstance(leaf, Random) else leaf

    return replace(formula, body=transform(formula.body, change))


def _written(formulas: tuple[Formula, ...], output: Value) -> tuple[Value, ...]:
    values = {output.name: output}
    for formula in formulas:
        for access in (formula.out, formula.argument):
            if access is not None and access.tensor not in values:
                values[access.tensor] = Value(access.tensor, written_type(access, formulas))
    return tuple(values.values())


def written_type(written: Access, formulas: tuple[Formula, ...]) -> TensorType:
    """The smallest type that holds all that the formulas write to a tensor, and read of it: what none writes is zero."""
    outs = [access for formula in formulas for access in formula.accesses if access.tensor == written.tensor and access.outside == "never"]
    shape = list(written.view or (_extent(written, i) for i in range(len(written.indices))))
    for access in outs if written.view is None else ():
        for i in range(len(shape)):
            extent, known = _extent(access, i), shape[i]
            shape[i] = max(extent, known) if isinstance(extent, int) and isinstance(known, int) else N
    return TensorType(tuple(shape))


def _extent(access: Access, dimension: int) -> Extent:
    reach = access.indices[dimension].range()
    return N if reach is None else reach[1] + 1
