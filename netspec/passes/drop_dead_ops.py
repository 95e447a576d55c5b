"""What nobody reads is not computed."""

from __future__ import annotations

from dataclasses import replace

from netspec.graph.graph import Graph, Op
from netspec.kernels.formula import Formula


def drop_dead_ops(graph: Graph) -> Graph:
    """Remove the ops whose outputs nobody reads, and the arguments of maxima that nobody asks for."""
    live = {*graph.outputs, *(value for _, value in graph.updates)}
    kept: list[Op] = []
    for op in reversed(graph.ops):
        if not any(value.name in live for value in op.outputs):
            continue
        slim = _without_argument(op, live)
        kept.append(slim)
        live |= set(slim.reads)
    nodes = tuple(reversed(kept))
    return graph if nodes == graph.nodes else replace(graph, nodes=nodes)


def _without_argument(op: Op, live: set[str]) -> Op:
    def slim(formula: Formula) -> Formula:
        unused = formula.argument is not None and formula.argument.tensor not in live
        return replace(formula, argument=None) if unused else formula

    formulas = tuple(slim(formula) for formula in op.formulas)
    if formulas == op.formulas:
        return op
    written = {name for formula in formulas for name in formula.writes}
    return replace(op, formulas=formulas, outputs=tuple(value for value in op.outputs if value.name in written))
