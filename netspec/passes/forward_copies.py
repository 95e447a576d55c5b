"""`flatten`, `reshape`, `skip` and the gradients of sums copy without computing.

Their readers read the original, or the original's producer writes the copy.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace

from netspec.graph.graph import Graph, Op
from netspec.kernels.affine import Extent
from netspec.kernels.formula import Formula
from netspec.kernels.scalar import Access, Expr, accesses, transform

View = tuple[Extent, ...] | None


@dataclass(frozen=True, slots=True)
class _Copy:
    """`target[..] = source[..]`, every element of the target; at most one of the two is viewed. `whole`: all of the source, too."""

    target: Access
    source: Access
    whole: bool = True


def forward_copies(graph: Graph) -> Graph:
    """Remove the copies that somebody else can do without."""
    ops = _read_originals(graph)
    ops = _write_copies(graph, ops)
    return graph if tuple(ops) == graph.nodes else replace(graph, nodes=tuple(ops))


def _kept(graph: Graph) -> set[str]:
    return {*graph.outputs, *(value for _, value in graph.updates)}


def _as_copy(graph: Graph, op: Op) -> _Copy | None:
    if len(op.formulas) != 1 or op.formulas[0].combine != "none":
        return None
    out, body = op.formulas[0].out, op.formulas[0].body
    if not isinstance(body, Access) or body.outside != "never" or body.indices != out.indices:
        return None
    extents = tuple(index.single and index.single.extent for index in out.indices)
    if extents != (out.view or graph.shape(out.tensor)) or (out.view is not None and body.view is not None):
        return None
    return _Copy(out, body, extents == (body.view or graph.shape(body.tensor)))


def _read_originals(graph: Graph) -> list[Op]:
    """Let the readers of copies read their sources, from the first op to the last, so that copies of copies come out."""
    kept, views = _kept(graph), _read_views(graph)
    copies: dict[str, _Copy] = {}
    ops: list[Op] = []
    for before in graph.ops:
        redirected = any(name in copies for name in before.reads)
        op = replace(before, formulas=tuple(_redirect(formula, copies) for formula in before.formulas)) if redirected else before
        copy = _as_copy(graph, op)
        if copy is None or copy.target.tensor in kept or not _readable(copy, views[copy.target.tensor]):
            ops.append(op)
        else:
            copies[copy.target.tensor] = copy
            views[copy.source.tensor] |= {_seen(view, copy.target, copy.source) for view in views[copy.target.tensor]}
    return ops


def _write_copies(graph: Graph, ops: list[Op]) -> list[Op]:
    """Let the producer of a source that nobody else reads write the copy that must be there."""
    kept = _kept(graph)
    uses = Counter(name for op in ops for name in op.reads)
    producers = {op.outputs[0].name: i for i, op in enumerate(ops) if len(op.outputs) == 1}
    result: list[Op | None] = list(ops)
    for i, op in enumerate(ops):
        copy = _as_copy(graph, op)
        name = copy.source.tensor if copy else ""
        if copy is None or not copy.whole or name not in producers or name in kept or uses[name] != 1 or copy.target.tensor not in kept:
            continue
        producer = result[producers[name]]
        if producer is None or not _fits(copy.source.view, {formula.out.view for formula in producer.formulas}):
            continue
        back = {name: _Copy(copy.source, copy.target)}
        formulas = tuple(_redirect(formula, back) for formula in producer.formulas)
        result[i] = Op(op.name, formulas, op.outputs, producer.origin, producer.inner)
        result[producers[name]] = None
    return [op for op in result if op is not None]


def _read_views(graph: Graph) -> defaultdict[str, set[View]]:
    views: defaultdict[str, set[View]] = defaultdict(set)
    for op in graph.ops:
        for formula in op.formulas:
            for access in accesses(formula.body):
                views[access.tensor].add(access.view)
    return views


def _readable(copy: _Copy, seen: set[View]) -> bool:
    """Whether all who see the copy so can see its source instead; the first part of a larger tensor has no dimensions of its own."""
    return _fits(copy.target.view, seen) and (copy.whole or seen <= {None})


def _fits(view: View, seen: set[View]) -> bool:
    """Whether everybody sees a copied tensor in the dimensions in which it was copied, where those are not its own."""
    return view is None or seen <= {view}


def _seen(view: View, old: Access, new: Access) -> View:
    """How a reader that saw `old` in a view sees `new`: a coarse old one in the new one's dimensions, a coarse new one as the old was."""
    return None if old.view is not None else view or new.view


def _redirect(formula: Formula, copies: dict[str, _Copy]) -> Formula:
    def change(leaf: Expr) -> Expr:
        if not isinstance(leaf, Access) or leaf.tensor not in copies:
            return leaf
        copy = copies[leaf.tensor]
        return replace(leaf, tensor=copy.source.tensor, view=_seen(leaf.view, copy.target, copy.source))

    out = change(formula.out)
    assert isinstance(out, Access)
    return replace(formula, out=out, body=transform(formula.body, change))
