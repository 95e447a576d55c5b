"""A net as lints look at it."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.diagnostics import Diagnostic, Fix, Label, Source, Span
from netspec.elaborate.results import CheckedNet
from netspec.graph.graph import Graph, Node
from netspec.graph.types import Layer, Shape
from netspec.records import record
from netspec.syntax import tree

Finding = tuple[str, Span, Diagnostic | None]
"""A code, the place that it is about, and what is wrong there; None where this occurrence of the place is fine."""


@record
class Step:
    """A layer that stands in a text: where, the shapes it takes and gives."""

    node: Node
    span: Span
    input: Shape
    output: Shape

    @property
    def layer(self) -> Layer:
        """The layer."""
        return self.node.layer

    @property
    def name(self) -> str:
        """The name of its result."""
        return self.node.output.name


@record
class Net:
    """`readers`: of each value, the layers that take it; `wanted`: the values that are results, or terms of a loss."""

    checked: CheckedNet
    spec: tree.Spec
    source: Source
    graph: Graph
    steps: tuple[Step, ...]
    readers: dict[str, list[Node]]
    wanted: frozenset[str]

    @staticmethod
    def of(checked: CheckedNet, spec: tree.Spec, source: Source) -> Net:
        """A net without errors."""
        graph = checked.graph
        assert graph is not None
        readers: dict[str, list[Node]] = {}
        shapes = {value.name: value.type.sample for value in graph.inputs}
        steps: list[Step] = []
        for node in graph.layers:
            shapes[node.output.name] = node.output.type.sample
            for name in node.inputs:
                readers.setdefault(name, []).append(node)
            if node.span is not None:
                steps.append(Step(node, node.span, shapes[node.inputs[0]], node.output.type.sample))
        return Net(checked, spec, source, graph, tuple(steps), readers, frozenset(_wanted(checked, graph)))


def _wanted(checked: CheckedNet, graph: Graph) -> Iterator[str]:
    yield from graph.outputs
    for term in checked.plan.loss if checked.plan else ():
        for name in (term.loss.output, term.loss.target):
            if name is not None:
                yield checked.labels.get(name, name)


def warning(
    code: str,
    message: str,
    span: Span,
    *,
    help: str,
    labels: tuple[Label, ...] = (),
    notes: tuple[str, ...] = (),
    fix: Fix | None = None,
) -> Finding:
    """Something found at a place."""
    return code, span, Diagnostic(code, message, span, "", labels, notes, help, fix, "warning")
