"""The graph, its nodes, and `verify`, which runs after every pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from netspec.diagnostics import Span
from netspec.graph.types import Layer, Value, Weight
from netspec.kernels.affine import Affine, Extent
from netspec.kernels.formula import Formula
from netspec.kernels.scalar import Access
from netspec.records import record


@record
class Node:
    """A layer applied: `weights` are full names, in the order of `layer.weights`, which other nodes may have too. `name` is its path,
    `c1.bn.0`. It takes the matrices of `turned` with rows as columns.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    weights: tuple[str, ...]
    output: Value
    span: Span | None = None
    turned: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[Value, ...]:
        """The one result."""
        return (self.output,)

    @property
    def reads(self) -> tuple[str, ...]:
        """Inputs and weights."""
        return self.inputs + self.weights


@record
class Op:
    """After `lower`: formulas that are evaluated together, in order. Several may write disjoint parts of one output; what none writes is
    zero.

    `outputs` are visible outside; tensors that only these formulas pass on are in `inner`. `origin` is the path of the layer it came from.
    """

    name: str
    formulas: tuple[Formula, ...]
    outputs: tuple[Value, ...]
    origin: str
    inner: tuple[Value, ...] = ()
    gradients: tuple[Formula, ...] | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """The tensors read from outside, once each, in order."""
        own = {value.name for value in self.outputs + self.inner}
        return tuple(dict.fromkeys(name for formula in self.formulas for name in formula.reads if name not in own))


@dataclass(frozen=True)
class Graph:
    """A net. Nothing here ever changes: a pass returns another graph, or the same object when it has nothing to do.

    `outputs` are names of values; `updates` gives weights the values that replace them when a step ends.
    """

    name: str
    inputs: tuple[Value, ...]
    weights: tuple[Weight, ...]
    nodes: tuple[Node, ...] | tuple[Op, ...]
    outputs: tuple[str, ...]
    updates: tuple[tuple[str, str], ...] = ()

    @cached_property
    def types(self) -> dict[str, Value | Weight]:
        """Everything that has a name, inner values of ops included."""
        found: dict[str, Value | Weight] = {item.name: item for item in (*self.inputs, *self.weights)}
        for node in self.nodes:
            inner = node.inner if isinstance(node, Op) else ()
            found.update({value.name: value for value in node.outputs + inner})
        return found

    @cached_property
    def ops(self) -> tuple[Op, ...]:
        """The nodes of a lowered graph."""
        assert all(isinstance(node, Op) for node in self.nodes), f"{self.name} still has layers"
        return tuple(node for node in self.nodes if isinstance(node, Op))

    @cached_property
    def layers(self) -> tuple[Node, ...]:
        """The nodes of a graph before it is lowered."""
        assert all(isinstance(node, Node) for node in self.nodes), f"{self.name} has no layers any more"
        return tuple(node for node in self.nodes if isinstance(node, Node))

    def shape(self, name: str) -> tuple[Extent, ...]:
        """The extents of a tensor."""
        return self.types[name].type.shape

    @cached_property
    def uses(self) -> Counter[str]:
        """How often each tensor is read by a node, returned, or becomes a weight."""
        counts = Counter(name for node in self.nodes for name in node.reads)
        counts.update(self.outputs)
        counts.update(value for _, value in self.updates)
        return counts


def verify(graph: Graph) -> Graph:
    """Check what every pass must leave true, and return the graph: each name once, defined above its use, indices in range, results
    covered.
    """
    problems = list(_problems(graph))
    if problems:
        raise AssertionError(f"graph {graph.name}: " + "; ".join(problems[:5]))
    return graph


def _problems(graph: Graph) -> Iterator[str]:
    known: set[str] = set()
    for item in (*graph.inputs, *graph.weights):
        if item.name in known:
            yield f"{item.name} is defined twice"
        known.add(item.name)
    for node in graph.nodes:
        yield from (f"{node.name} reads {name}, which is not defined above it" for name in node.reads if name not in known)
        inner = node.inner if isinstance(node, Op) else ()
        for value in node.outputs + inner:
            if value.name in known:
                yield f"{value.name} is defined twice"
            known.add(value.name)
        if isinstance(node, Op):
            yield from _op_problems(graph, node)
    for name in (*graph.outputs, *(value for _, value in graph.updates)):
        if name not in known:
            yield f"the result {name} is not defined"
    names = {weight.name for weight in graph.weights}
    yield from (f"the update of {weight}, which is no weight" for weight, _ in graph.updates if weight not in names)


def _op_problems(graph: Graph, op: Op) -> Iterator[str]:
    written: set[str] = set()
    for formula in op.formulas:
        written |= set(formula.writes)
        for access in formula.accesses:
            yield from _access_problems(graph, formula, access)
    yield from (f"{op.name} does not write {value.name}" for value in op.outputs + op.inner if value.name not in written)
    for value in op.outputs + op.inner:
        parts = [formula.out for formula in op.formulas if formula.out.tensor == value.name]
        for i, part in enumerate(parts):
            yield from (f"{part} and {other} overlap" for other in parts[:i] if not _disjoint(part, other))


def _access_problems(graph: Graph, formula: Formula, access: Access) -> Iterator[str]:
    shape = access.view or graph.shape(access.tensor)
    if len(shape) != len(access.indices):
        yield f"{access} has {len(access.indices)} indices for {len(shape)} dimensions"
        return
    for index, size in zip(access.indices, shape, strict=True):
        reach = index.range()
        if isinstance(size, str) or reach is None:
            if access.outside == "never" and (index.single is None or index.single.extent != size):
                yield f"{access}: {index} does not run over {size}"
        elif access.outside == "never" and not (reach[0] >= 0 and reach[1] < size):
            yield f"{access} in `{formula}`: {index} reaches {reach} of {size}"


def _disjoint(a: Access, b: Access) -> bool:
    return any(_never_equal(x, y) for x, y in zip(a.indices, b.indices, strict=True)) if a.view == b.view else False


def _never_equal(a: Affine, b: Affine) -> bool:
    """Whether the ranges are apart, or the residues of a common stride differ."""
    ranges = a.range(), b.range()
    if ranges[0] and ranges[1] and (ranges[0][1] < ranges[1][0] or ranges[1][1] < ranges[0][0]):
        return True
    strides = {factor for index in (a, b) for _, factor in index.terms}
    stride = min(strides, default=1)
    return stride > 1 and all(item % stride == 0 for item in strides) and (a.constant - b.constant) % stride != 0
