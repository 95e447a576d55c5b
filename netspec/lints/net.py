"""A net as lints look at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property

from netspec.diagnostics import Diagnostic, Fix, Label, Source, Span
from netspec.elaborate.results import CheckedNet
from netspec.graph.graph import Graph, Node
from netspec.graph.types import Shape
from netspec.syntax import tree
from netspec.training import TrainPlan


class Net:
    """A net without errors, how it is trained, and the file that it stands in. A lint asks for the kinds of layers that it knows: nets
    have many others.
    """

    def __init__(self, checked: CheckedNet, plan: TrainPlan | None, spec: tree.Spec, source: Source) -> None:
        self.checked, self.plan, self.spec, self.source = checked, plan, spec, source

    @cached_property
    def graph(self) -> Graph:
        """Its layers."""
        assert self.checked.graph is not None
        return self.checked.graph

    @cached_property
    def _kinds(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for node in self.graph.layers:
            if node.span is not None:
                found.setdefault(node.layer.name, []).append(node)
        return found

    @cached_property
    def reads(self) -> Counter[str]:
        """How often layers take each value."""
        return Counter([name for node in self.graph.layers for name in node.inputs])

    @cached_property
    def wanted(self) -> frozenset[str]:
        """The values that are results, or terms of a loss."""
        terms = [term.loss for term in self.plan.loss] if self.plan else []
        names = [name for loss in terms for name in (loss.output, loss.target) if name is not None]
        return frozenset([*self.graph.outputs, *(self.value(name) for name in names)])

    @cached_property
    def makers(self) -> dict[str, Node]:
        """Of each value but the inputs, the layer that makes it."""
        return {node.output.name: node for node in self.graph.layers}

    def value(self, name: str) -> str:
        """The value that a label or an output stands for."""
        return self.checked.labels.get(name, name)

    def kinds(self, names: Iterable[str] | None = None) -> Iterator[Node]:
        """The layers of some kinds; of all."""
        for name in self._kinds if names is None else names:
            yield from self._kinds.get(name, ())

    def with_argument(self, name: str) -> Iterator[Node]:
        """The layers that take an argument of this name."""
        for nodes in self._kinds.values():
            if name in nodes[0].layer.arguments():
                yield from nodes

    def input(self, node: Node) -> Shape:
        """The shape of a layer's first input."""
        maker = self.makers.get(node.inputs[0])
        return self.checked.inputs[node.inputs[0]] if maker is None else maker.output.type.sample


def place(node: Node) -> Span:
    """Where a layer stands; what `kinds` and `with_argument` give stands somewhere."""
    assert node.span is not None
    return node.span


def warning(
    code: str,
    message: str,
    span: Span,
    *,
    help: str,
    labels: tuple[Label, ...] = (),
    notes: tuple[str, ...] = (),
    fix: Fix | None = None,
) -> Diagnostic:
    """Something found at a place."""
    return Diagnostic(code, message, span, "", labels, notes, help, fix, "warning")
