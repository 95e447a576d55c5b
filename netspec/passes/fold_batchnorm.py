"""In inference a normalisation by fixed statistics is one multiply-add per element: its factor and offset depend on weights alone.

y = (x - mean) / sqrt(var + eps) * scale + shift becomes y = x * factor + offset. What depends on weights alone is evaluated when they are
loaded, not when the net is called.
"""

from __future__ import annotations

from dataclasses import replace

from netspec.graph.graph import Graph, Op
from netspec.graph.types import Value
from netspec.kernels.formula import Formula, each
from netspec.kernels.scalar import ZERO, Access, Expr, accesses, derivative, transform


def fold_batchnorm(graph: Graph) -> Graph:
    """Rewrite every pointwise formula that is affine in the one tensor of the batch it reads, with coefficients of weights alone."""
    weights = {weight.name for weight in graph.weights}
    ops: list[Op] = []
    for op in graph.ops:
        ops += _folded(graph, op, weights)
    return graph if tuple(ops) == graph.nodes else replace(graph, nodes=tuple(ops))


def _folded(graph: Graph, op: Op, weights: set[str]) -> list[Op]:
    if len(op.formulas) != 1 or op.formulas[0].combine != "none":
        return [op]
    formula = op.formulas[0]
    read = list(dict.fromkeys(accesses(formula.body)))
    inputs = [access for access in read if access.tensor not in weights]
    others = [access for access in read if access.tensor in weights]
    if len(inputs) != 1 or len(others) < 3 or any(access.indices != others[0].indices or access.view for access in others):
        return [op]
    x, factor = inputs[0], derivative(formula.body, inputs[0])
    if any(access.tensor == x.tensor for access in accesses(factor)):
        return [op]
    offset = transform(formula.body, lambda leaf: ZERO if leaf == x else leaf)
    shape = graph.types[others[0].tensor].type
    names = f"{op.name}/factor", f"{op.name}/offset"
    parts: list[Op] = []
    placed: list[Expr] = []
    for name, value in zip(names, (factor, offset), strict=True):
        here = Access(name, others[0].indices)
        parts.append(Op(name, (each(here, value),), (Value(name, shape),), op.origin))
        placed.append(here)
    joined: Formula = each(formula.out, x * placed[0] + placed[1])
    return [*parts, replace(op, formulas=(joined,))]
