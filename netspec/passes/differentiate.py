"""A graph becomes a larger graph that also computes the gradient of its loss by every trainable weight.

Ops are walked backwards. What a value's readers contribute to its gradient is summed in the order in which it appears: readers from last
to first, occurrences from left to right; the order is part of the result's bits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from netspec.graph.graph import Graph, Op
from netspec.graph.types import Value
from netspec.kernels.affine import Axis, affine
from netspec.kernels.formula import Formula, d, each
from netspec.kernels.gradient import gradient
from netspec.kernels.scalar import ONE, Access, Expr
from netspec.passes.lower import written_type


@dataclass(frozen=True)
class Differentiate:
    """Add the gradient of `loss` (one element) by the trainable weights, and by `also`; they become outputs named d(tensor)."""

    loss: str
    also: tuple[str, ...] = ()

    def __call__(self, graph: Graph) -> Graph:
        """The graph with the gradient's ops after its own."""
        wanted = [weight.name for weight in graph.weights if weight.role == "trainable"]
        walk = _Walk(graph, {*wanted, *self.also})
        walk.emit(d(self.loss), (each(Access(d(self.loss), (affine(0),)), ONE),), self.loss)
        for op in reversed(graph.ops):
            walk.backward(op)
        for name in (*self.also, *wanted):
            walk.finish(name)
        found = tuple(d(name) for name in (*self.also, *wanted) if d(name) in walk.done)
        return replace(graph, nodes=(*graph.ops, *walk.ops), outputs=(*graph.outputs, *found))


class _Walk:
    """The state of one walk: the ops written so far and the contributions that wait to be summed."""

    def __init__(self, graph: Graph, roots: set[str]) -> None:
        self.graph = graph
        self.active = _depend_on(graph, roots)
        self.ops: list[Op] = []
        self.waiting: defaultdict[str, list[str]] = defaultdict(list)
        self.done: set[str] = set()

    def emit(self, name: str, formulas: tuple[Formula, ...], origin: str, beside: tuple[Formula, ...] = ()) -> None:
        """Append an op that writes `name`; a gradient has the type of what it is the gradient of, others as much as those `beside` read."""
        tensor = name.removeprefix("d:").partition("#")[0]
        known = self.graph.types.get(tensor)
        kind = known.type if known else written_type(formulas[0].out, (*formulas, *beside))
        self.ops.append(Op(name, formulas, (Value(name, kind),), origin))
        if "#" not in name:
            self.done.add(name)

    def contribute(self, tensor: str, formulas: Sequence[tuple[Formula, ...]], origin: str) -> None:
        """Add one contribution per tuple of formulas, which write `tensor#k` parts."""
        for parts in formulas:
            name = f"{d(tensor)}#{len(self.waiting[tensor])}"
            self.waiting[tensor].append(name)
            self.emit(name, tuple(_write_to(part, name) for part in parts), origin)

    def finish(self, tensor: str) -> bool:
        """Sum the contributions to a tensor's gradient; False when there are none."""
        if d(tensor) in self.done:
            return True
        names = self.waiting.pop(tensor, [])
        if not names:
            return False
        shape = self.graph.shape(tensor)
        indices = tuple(affine(Axis(f"i{k}", extent)) for k, extent in enumerate(shape))
        total: Expr = Access(names[0], indices)
        for name in names[1:]:
            total = total + Access(name, indices)
        self.emit(d(tensor), (each(Access(d(tensor), indices), total),), tensor)
        return True

    def backward(self, op: Op) -> None:
        """Pass the gradients of an op's results on to what it reads."""
        if op.gradients is not None:
            self._explicit(op, op.gradients)
            return
        for formula in reversed(op.formulas):
            if formula.out.tensor not in self.active or not self.finish(formula.out.tensor):
                continue
            for name in formula.reads:
                if name in self.active:
                    parts = gradient(formula, name, self.graph.shape(name), d(name))
                    self.contribute(name, [part.formulas for part in parts], op.origin)

    def _explicit(self, op: Op, gradients: tuple[Formula, ...]) -> None:
        """A layer that states its own gradient. A result that a later formula reads is read as this layer's contribution."""
        results = [value.name for value in op.outputs]
        needed = [name for name in results if any(d(name) in formula.reads for formula in gradients)]
        if not self.active.intersection(results) or not all([self.finish(name) for name in needed]):
            return
        names: dict[str, str] = {}
        for target, group in groupby(gradients, key=lambda formula: formula.out.tensor):
            formulas = tuple(formula.rename(lambda name: names.get(name, name)) for formula in group)
            tensor = target.removeprefix("d:")
            if tensor in self.active and target != tensor:
                self.contribute(tensor, [formulas], op.origin)
                names[target] = self.waiting[tensor][-1]
            else:
                self.emit(target, formulas, op.origin, gradients)


def _depend_on(graph: Graph, roots: set[str]) -> set[str]:
    active = set(roots)
    for op in graph.ops:
        for formula in op.formulas:
            if active & set(formula.reads):
                active |= set(formula.writes)
    return active


def _write_to(formula: Formula, name: str) -> Formula:
    return replace(formula, out=replace(formula.out, tensor=name))
