"""What users pass and get is row-major; inside, tensors lie as kernels like them. Copies at the border of the program join the two."""

from __future__ import annotations

from dataclasses import replace

from netspec.graph.graph import Graph, Op
from netspec.graph.types import Value
from netspec.kernels.affine import Axis, Extent, N, affine
from netspec.kernels.formula import each
from netspec.kernels.scalar import Access, Expr, transform
from netspec.schedule.layout import Order, finest

INSIDE, OUTSIDE = "/in", "/out"


def stage(graph: Graph, order: Order) -> tuple[Graph, frozenset[str]]:
    """The graph with a copy behind every input and before every output of the batch that would lie differently, and the names of what
    stays outside.
    """
    dims = finest(graph)
    inputs = {value.name: value for value in graph.inputs if _differs(value, order)}
    outputs = {name: graph.types[name] for name in graph.outputs if N in graph.shape(name)}
    ops = [_copy(Value(name + INSIDE, value.type), name, dims[name]) for name, value in inputs.items()]
    ops += [_redirected(op, {name: name + INSIDE for name in inputs}) for op in graph.ops]
    source = {name: name + INSIDE if name in inputs else name for name in outputs}
    ops += [_copy(Value(name + OUTSIDE, item.type), source[name], dims[name]) for name, item in outputs.items()]
    names = tuple(name + OUTSIDE if name in outputs else name for name in graph.outputs)
    staged = replace(graph, nodes=tuple(ops), outputs=names)
    return staged, frozenset({value.name for value in graph.inputs} | {name + OUTSIDE for name in outputs})


def _differs(value: Value, order: Order) -> bool:
    rank = len(value.type.shape)
    return rank > 2 or (rank == 2 and order == "images")


def _copy(value: Value, source: str, dims: tuple[Extent, ...]) -> Op:
    """In the finest dimensions in which the tensor is seen, so that either side may lie in any order."""
    axes = tuple(Axis("n" if extent == N else f"i{k}", extent) for k, extent in enumerate(dims))
    indices, view = tuple(affine(axis) for axis in axes), None if dims == value.type.shape else dims
    return Op(value.name, (each(Access(value.name, indices, view=view), Access(source, indices, view=view)),), (value,), value.name)


def _redirected(op: Op, names: dict[str, str]) -> Op:
    if not names.keys() & set(op.reads):
        return op

    def change(leaf: Expr) -> Expr:
        return replace(leaf, tensor=names.get(leaf.tensor, leaf.tensor)) if isinstance(leaf, Access) else leaf

    return replace(op, formulas=tuple(replace(item, body=transform(item.body, change)) for item in op.formulas))
