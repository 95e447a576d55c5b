"""`flatten`, `reshape`, `skip` and the gradients of sums copy without computing: their readers read the original, or the original's producer writes the copy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netspec.graph.graph import Graph, Op
from netspec.graph.types import Value
from netspec.kernels.formula import Formula
from netspec.kernels.scalar import Access, Expr, accesses, transform


@dataclass(frozen=True, slots=True)
class _Copy:
    """`target[..] = source[..]`, all elements in the same order; at most one of the two is viewed."""

    target: Access
    source: Access


def forward_copies(graph: Graph) -> Graph:
    """Remove the copies that somebody else can do without."""
    kept = set(graph.outputs) | {value for _, value in graph.updates}
    for op in graph.ops:
        copy = _as_copy(op)
        if copy is None:
            continue
        if copy.target.tensor not in kept:
            graph = _read_original(graph, op, copy) or graph
        else:
            graph = _write_copy(graph, op, copy, kept) or graph
    return graph


def _as_copy(op: Op) -> _Copy | None:
    if len(op.formulas) != 1 or op.formulas[0].combine != "none":
        return None
    out, body = op.formulas[0].out, op.formulas[0].body
    if not isinstance(body, Access) or body.outside != "never" or body.indices != out.indices:
        return None
    whole = all(index.single for index in out.indices) and (out.view is None or body.view is None)
    return _Copy(out, body) if whole else None


def _read_original(graph: Graph, copy_op: Op, copy: _Copy) -> Graph | None:
    """Let the copy's readers read its source."""
    ops: list[Op] = []
    for op in graph.ops:
        if op is copy_op:
            continue
        if copy.target.tensor in op.reads:
            if not all(_fits(formula, copy.target) for formula in op.formulas):
                return None
            op = replace(op, formulas=tuple(_redirect(formula, copy.target, copy.source) for formula in op.formulas))
        ops.append(op)
    return replace(graph, nodes=tuple(ops))


def _write_copy(graph: Graph, copy_op: Op, copy: _Copy, kept: set[str]) -> Graph | None:
    """Let the producer of the source write the copy, when nobody else reads the source."""
    name = copy.source.tensor
    producer = next((op for op in graph.ops if op.outputs == (Value(name, graph.types[name].type),)), None)
    if producer is None or name in kept or graph.uses[name] != 1 or not all(_fits(item, copy.source) for item in producer.formulas):
        return None
    formulas = tuple(_redirect(formula, copy.source, copy.target) for formula in producer.formulas)
    moved = replace(producer, name=copy.target.tensor, formulas=formulas, outputs=copy_op.outputs)
    return replace(graph, nodes=tuple(moved if op is producer else op for op in graph.ops if op is not copy_op))


def _fits(formula: Formula, old: Access) -> bool:
    """Whether every access sees the copied tensor in the dimensions of the copy, or finer where that needs no joining."""
    found = [access for access in (formula.out, *accesses(formula.body)) if access.tensor == old.tensor]
    return old.view is None or all(access.view == old.view for access in found)


def _redirect(formula: Formula, old: Access, new: Access) -> Formula:
    def change(leaf: Expr) -> Expr:
        if not isinstance(leaf, Access) or leaf.tensor != old.tensor:
            return leaf
        # A coarse old tensor is seen in the new one's own dimensions; a coarse new one must be viewed as the old one was.
        return replace(leaf, tensor=new.tensor, view=None if old.view is not None else leaf.view or new.view)

    out = change(formula.out)
    assert isinstance(out, Access)
    return replace(formula, out=out, body=transform(formula.body, change))
