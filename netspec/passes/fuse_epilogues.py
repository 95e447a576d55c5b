"""A pointwise op joins the op whose result it alone reads: bias, batch norm, residual sums and activations are then applied in registers.

Fires where the producer's value has no other reader, and the consumer reads it at the position that it writes, in the same dimensions.
Where the producer writes the value in parts (the residues of a strided gradient), the consumer is applied to each part; where parts leave
gaps these are zero, and must be so after the consumer, too.
"""

from __future__ import annotations

from dataclasses import replace

from netspec.graph.graph import Graph, Op
from netspec.kernels.affine import Affine, Axis, size_of
from netspec.kernels.formula import Formula
from netspec.kernels.scalar import ZERO, Access, Expr, accesses, transform


def fuse_epilogues(graph: Graph) -> Graph:
    """Join pointwise ops to their producers, from the first to the last."""
    ops: list[Op | None] = list(graph.ops)
    producer = {value.name: i for i, op in enumerate(graph.ops) for value in op.outputs}
    for i, op in enumerate(graph.ops):
        here = ops[i]
        assert here is not None
        # The latest producer first: it is the one still in flight, the others are read from memory.
        for name in sorted((name for name in op.reads if name in producer), key=lambda name: -producer[name]):
            before = ops[producer[name]]
            if before is not None and graph.uses[name] == 1 and (fused := _fuse(graph, before, here, name)) is not None:
                ops[producer[name]], ops[i] = None, fused
                producer.update({value.name: i for value in fused.outputs})
                break
    nodes = tuple(op for op in ops if op is not None)
    return graph if nodes == graph.nodes else replace(graph, nodes=nodes)


def _fuse(graph: Graph, producer: Op, consumer: Op, name: str) -> Op | None:
    if len(consumer.formulas) != 1 or consumer.formulas[0].combine != "none" or producer.outputs[0].name != name:
        return None
    epilogue = consumer.formulas[0]
    reads = [access for access in accesses(epilogue.body) if access.tensor == name]
    writes = [formula for formula in producer.formulas if formula.out.tensor == name]
    if any(access.indices != epilogue.out.indices or access.view != writes[0].out.view for access in reads):
        return None
    if not all(index.single for index in epilogue.out.indices) or any(item.out.view != writes[0].out.view for item in writes):
        return None
    covered = sum(size_of(tuple(axis.extent for axis in formula.kept)) for formula in writes)
    if covered < size_of(graph.shape(name)) and not _keeps_zero(epilogue, name):
        return None
    formulas: list[Formula] = []
    for formula in producer.formulas:
        formulas.append(formula)
        if formula.out.tensor == name:
            formulas.append(epilogue.substitute(_at(epilogue.out, formula.out)))
    inner = (*producer.inner, *consumer.inner, producer.outputs[0])
    return Op(consumer.name, tuple(formulas), consumer.outputs + producer.outputs[1:], producer.origin, inner)


def _at(general: Access, part: Access) -> dict[Axis, Affine]:
    """The axes of `general`, as the indices of `part`."""
    return {index.axes[0]: value for index, value in zip(general.indices, part.indices, strict=True) if index.axes}


def _keeps_zero(epilogue: Formula, name: str) -> bool:
    def change(leaf: Expr) -> Expr:
        return ZERO if isinstance(leaf, Access) and leaf.tensor == name else leaf

    return transform(epilogue.body, change) == ZERO
