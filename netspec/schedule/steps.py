"""The steps of a graph: chains of formulas, each of which becomes a launch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from netspec.graph.graph import Graph, Op
from netspec.kernels.affine import Axis, N, affine, size_of
from netspec.kernels.formula import Formula, each
from netspec.kernels.scalar import ZERO, Access, Call, Expr, Random, RuntimeScalar
from netspec.schedule.nest import Chain


@dataclass(frozen=True, slots=True)
class Step:
    """A chain of an op, with the tensors it writes."""

    name: str
    chain: Chain
    origin: str

    @property
    def writes(self) -> tuple[str, ...]:
        """The tensors that are stored."""
        argument = self.chain.formula.argument
        others = (formula.out.tensor for formula in self.chain.others)
        return tuple(dict.fromkeys((self.chain.out.tensor, *([argument.tensor] if argument else []), *others)))

    @property
    def reads(self) -> tuple[str, ...]:
        """The tensors that are read from memory."""
        inner = {self.chain.formula.out.tensor, *(item.out.tensor for item in self.chain.epilogues)}
        reads = (name for formula in self.chain.formulas for name in formula.reads)
        return tuple(dict.fromkeys(name for name in reads if name not in inner or name in self.writes))


def steps_of(graph: Graph) -> list[Step]:
    """The chains of all ops in order; before them, zeros where an op's formulas do not cover its result."""
    steps: list[Step] = []
    for op in graph.ops:
        steps += _zeros(graph, op)
        pending: list[Formula] = []
        inner = {value.name for value in op.inner}
        for formula in (*op.formulas, None):
            joins = formula is not None and pending and pending[-1].out.tensor in inner and pending[-1].out.tensor in formula.reads
            if pending and not joins:
                chain = Chain(pending[0], tuple(pending[1:]))
                steps.append(Step(chain.out.tensor, chain, op.origin))
                pending = []
            if formula is not None:
                pending.append(formula)
    return steps


def joined(steps: Iterable[Step]) -> list[Step]:
    """Neighbours that write parts of the same tensor, over the same axes and from the same operands, as one step with several results:
    what they share is read, and computed, once.
    """
    result: list[Step] = []
    for step in steps:
        if result and _joins(result[-1], step):
            before = result[-1]
            result[-1] = replace(before, chain=replace(before.chain, others=(*before.chain.others, step.chain.formula)))
        else:
            result.append(step)
    return result


def _joins(first: Step, second: Step) -> bool:
    one, other = first.chain, second.chain
    if one.epilogues or other.epilogues or {one.formula.combine, other.formula.combine} != {"none"} or first.writes != second.writes:
        return False
    return set(one.formula.axes) == set(other.formula.axes) and bool(set(first.reads) & set(second.reads) - set(first.writes))


def _zeros(graph: Graph, op: Op) -> Iterator[Step]:
    for value in op.outputs:
        parts = [formula for formula in op.formulas if formula.out.tensor == value.name]
        covered = sum(size_of(tuple(axis.extent for axis in part.kept)) for part in parts)
        if parts and covered < size_of(value.type.shape):
            axes = tuple(Axis("n" if extent == N else f"i{k}", extent) for k, extent in enumerate(value.type.shape))
            yield Step(value.name, Chain(each(Access(value.name, tuple(affine(axis) for axis in axes)), ZERO)), op.origin)


def sums_batch(step: Step) -> bool:
    """Whether a step sums over the batch."""
    return any(isinstance(axis.extent, str) for axis in step.chain.formula.reduced)


def uses_scalars(body: Expr) -> bool:
    """Whether an expression depends on what a step is called with."""
    match body:
        case RuntimeScalar() | Random():
            return True
        case Call(_, arguments):
            return any(uses_scalars(item) for item in arguments)
        case _:
            return False
