"""One op per value: the form in which the later passes look for what belongs together."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from netspec.graph.graph import Graph, Op


def split_ops(graph: Graph) -> Graph:
    """Cut every op where its formulas go on to another value. A maximum and its argument stay together."""
    ops: list[Op] = []
    for op in graph.ops:
        types = {value.name: value for value in op.outputs + op.inner}
        for _, group in groupby(op.formulas, key=lambda formula: formula.out.tensor):
            formulas = tuple(group)
            written = dict.fromkeys(name for formula in formulas for name in formula.writes)
            ops.append(Op(formulas[0].out.tensor, formulas, tuple(types[name] for name in written), op.origin))
    return graph if tuple(ops) == graph.nodes else replace(graph, nodes=tuple(ops))
