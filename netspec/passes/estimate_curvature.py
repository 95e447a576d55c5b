"""Second derivatives of the loss by every trainable weight: the diagonal of the Gauss-Newton approximation (LeCun et al. 1998, appendix C).

Backwards through a net, h:x = sum of h:y * (dy/dx)^2, where gradients are d:x = sum of d:y * dy/dx: the same formulas with squared factors.
So the pass writes a twin of every op that `Differentiate` wrote. Second derivatives of layers are left out, except where one is constant,
as of the squares that a distance sums up: it then counts times what flows back, where that is positive. Nothing gets negative.

A loss says how it begins: its formulas write `curvature`, the second derivative of the loss by each of its inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netspec.graph.graph import Graph, Op
from netspec.graph.types import ZEROS, Value, Weight
from netspec.kernels.affine import Axis, affine
from netspec.kernels.formula import Formula, d, each
from netspec.kernels.scalar import ZERO, Access, Constant, Expr, accesses, derivative, maximum, select
from netspec.passes.apply_optimizer import FIRST, SHARE
from netspec.passes.attach_loss import LOSS, NODE
from netspec.training.optimizers import CURVATURE

OF_LOSS = f"/{CURVATURE}"
"""How the tensor is called in which a loss says how it begins."""


def h(tensor: str) -> str:
    """The name of the loss's second derivative by a tensor; that of a gradient's name, by what that is the gradient of."""
    return f"h:{tensor.removeprefix('d:')}"


def estimate_curvature(graph: Graph) -> Graph:
    """A differentiated graph that adds its second derivatives, times `$share`, to WEIGHT/curvature, from zero where `$first`."""
    twins = _Twins(graph)
    ops = [*graph.ops, *twins.ops()]
    known = {value.name for op in ops for value in op.outputs}
    state: list[Weight] = []
    for weight in graph.weights:
        if weight.role == "trainable" and h(weight.name) in known:
            total = Weight(f"{weight.name}/{CURVATURE}", weight.type, ZEROS, "state")
            indices = tuple(affine(Axis(f"i{k}", extent)) for k, extent in enumerate(weight.type.shape))
            part, name = SHARE * Access(h(weight.name), indices), f"{total.name}/next"
            added = each(Access(name, indices), select(FIRST, part, Access(total.name, indices) + part))
            ops.append(Op(name, (added,), (Value(name, weight.type),), weight.name))
            state.append(total)
    updates = tuple((item.name, f"{item.name}/next") for item in state)
    return replace(graph, weights=(*graph.weights, *state), nodes=tuple(ops), outputs=(LOSS,), updates=updates)


class _Twins:
    """Writes the twin of every op of the gradient, in their order."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.squares: set[str] = set()
        self.flows: set[str] = set()
        """The gradients so far, and what layers that state their gradients form of them on the way."""
        self.of_losses = {d(value.name) for op in graph.ops if op.origin == NODE for value in op.outputs if value.name.endswith("/loss")}
        """Gradients by the loss and by its terms: numbers, each 1 or the weight of a term."""
        self.starts = {item: name for op in graph.ops for name in self._start(op) for item in op.gradients or ()}
        """The gradients that losses state, and where each says its second derivative."""

    def _start(self, op: Op) -> Iterator[str]:
        yield from (value.name for value in op.outputs if value.name.endswith(OF_LOSS) and op.gradients)

    def ops(self) -> Iterator[Op]:
        for op in self.graph.ops:
            if op.outputs[0].name.partition("#")[0] in self.of_losses:
                continue
            if op.outputs[0].name.startswith("d:") or self.flows & set(op.reads):
                self.flows |= {value.name for value in op.outputs}
                formulas = tuple(self._twin(formula) for formula in op.formulas)
                yield from self._needed(formulas)
                yield Op(h(op.name), formulas, tuple(Value(h(value.name), value.type) for value in op.outputs), op.origin)

    def _twin(self, formula: Formula) -> Formula:
        out = replace(formula.out, tensor=h(formula.out.tensor))
        stated = replace(formula, out=replace(formula.out, tensor=formula.out.tensor.partition("#")[0]))
        if stated in self.starts:
            return replace(formula, out=out, body=replace(formula.out, tensor=self.starts[stated]))
        flows = [access for access in dict.fromkeys(accesses(formula.body)) if access.tensor in self.flows]
        assert flows, f"nothing flows back to {formula.out} but from the loss, which does not say its second derivative"
        body: Expr = ZERO
        for flow in flows:
            factor = derivative(formula.body, flow)
            body = body + replace(flow, tensor=h(flow.tensor)) * self._squared(factor) + _of_quadratic(formula, flow, factor)
        return replace(formula, out=out, body=body)

    def _squared(self, factor: Expr) -> Expr:
        """The square of what a tensor holds is a tensor, so that a contraction stays one; that of all else is formed on the way."""
        return replace(factor, tensor=f"{factor.tensor}/squared") if isinstance(factor, Access) else factor * factor

    def _needed(self, formulas: tuple[Formula, ...]) -> Iterator[Op]:
        """The squares that formulas read, where nobody has formed them."""
        for name in [name for formula in formulas for name in formula.reads if name.endswith("/squared") and name not in self.squares]:
            if name not in self.squares:
                self.squares.add(name)
                source = self.graph.types[name.removesuffix("/squared")]
                indices = tuple(affine(Axis("n" if isinstance(e, str) else f"i{k}", e)) for k, e in enumerate(source.type.shape))
                value = Access(source.name, indices)
                yield Op(name, (each(Access(name, indices), value * value),), (Value(name, source.type),), source.name)


def _of_quadratic(formula: Formula, flow: Access, factor: Expr) -> Expr:
    """What a quadratic function adds by itself: its second derivative, a constant, times the gradient that flows back, if positive."""
    out = formula.out
    tensor = out.tensor.removeprefix("d:").partition("#")[0]
    own = next((item for item in accesses(factor) if (item.tensor, item.indices, item.view) == (tensor, out.indices, out.view)), None)
    second = ZERO if own is None else derivative(factor, own)
    return maximum(flow, 0.0) * second if isinstance(second, Constant) and second.value > 0 else ZERO
