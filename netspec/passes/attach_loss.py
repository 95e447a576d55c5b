"""The net grows its loss: a weighted sum of terms, each of which compares a tensor with a field of the data or with another tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from netspec.graph.graph import Graph, Node, Op
from netspec.graph.types import Shape, TensorType, Value, batched
from netspec.kernels.affine import Axis, N, affine
from netspec.kernels.formula import d, each
from netspec.kernels.scalar import Access, Expr
from netspec.layers import LOSSES, Loss
from netspec.passes.lower import lowered
from netspec.training.losses import Term
from netspec.training.optimizers import CURVATURE

NODE = "train"
LOSS, CORRECT = f"{NODE}/loss", f"{NODE}/correct"
"""What a training graph calls its loss (the mean over the batch), and the number of samples that are classified right."""
ONE_ELEMENT = TensorType((1,))


def field_input(name: str) -> str:
    """The input of a training graph that holds a field of the data. No value of a net has a slash in its name."""
    return f"data/{name}"


def layer_of(term: Term) -> Loss:
    """The layer that computes a term."""
    return LOSSES[term.loss.name](**term.loss.options())


def field_shapes(net: Graph, terms: tuple[Term, ...]) -> dict[str, Shape]:
    """The fields of the data that the terms compare with, and the shapes of their samples."""
    return {term.target: layer_of(term).target(net.types[output_of(net, term)].type.sample) for term in terms if term.field}


def output_of(net: Graph, term: Term) -> str:
    """The value that a term reads."""
    return term.output or net.outputs[0]


@dataclass(frozen=True)
class AttachLoss:
    """Add the terms of the loss to a lowered graph, and an input for each field that they compare with.

    Its outputs are then the loss and, where a term counts what is classified right, the count of the first that does.
    """

    terms: tuple[Term, ...]

    def __call__(self, graph: Graph) -> Graph:
        """The graph with an op for each term, and one that sums them up where it takes more than the only term."""
        fields = tuple(Value(field_input(name), batched(shape)) for name, shape in field_shapes(graph, self.terms).items())
        alone = len(self.terms) == 1 and self.terms[0].scale == 1
        names = [NODE] if alone else [f"{NODE}.{k}" for k in range(len(self.terms))]
        ops = [op for name, term in zip(names, self.terms, strict=True) for op in _term(graph, term, name)]
        if not alone:
            ops.append(_sum({f"{name}/loss": term.scale for name, term in zip(names, self.terms, strict=True)}))
        counts = [value.name for op in ops for value in op.outputs if value.name.endswith("/correct")]
        if counts and counts[0] != CORRECT:
            ops.append(_copy(CORRECT, counts[0], ONE_ELEMENT))
        outputs = (LOSS, CORRECT) if counts else (LOSS,)
        return replace(graph, inputs=(*graph.inputs, *fields), nodes=(*graph.ops, *ops), outputs=outputs)


def _term(graph: Graph, term: Term, name: str) -> Iterator[Op]:
    """The op of a term; before it, a copy of a target that the net computes, through which no gradient goes."""
    layer, output = layer_of(term), output_of(graph, term)
    target = field_input(term.target)
    if not term.field:
        target = f"{name}/target"
        yield replace(_copy(target, term.target, graph.types[term.target].type), gradients=())
    node = Node(name, layer, (output, target), (), Value(f"{name}/loss", ONE_ELEMENT))
    op, _ = lowered(node, (graph.types[output].type.sample,), len(graph.nodes), {}, training=True)
    yield _weighed(replace(op, origin=NODE), term.scale)


def _weighed(op: Op, scale: float) -> Op:
    """What a loss states of itself, its gradients and second derivatives, takes the weight of its term; what is derived has it already."""
    loss = d(op.outputs[0].name)
    if op.gradients is None or scale == 1 or any(loss in item.reads for item in op.gradients):
        return op
    gradients = tuple(replace(item, body=scale * item.body) if item.out.tensor.startswith("d:") else item for item in op.gradients)
    curved = [item.out.tensor.endswith(f"/{CURVATURE}") for item in op.formulas]
    formulas = (replace(item, body=max(scale, 0.0) * item.body) if bent else item for item, bent in zip(op.formulas, curved, strict=True))
    return replace(op, formulas=tuple(formulas), gradients=gradients)


def _sum(scales: dict[str, float]) -> Op:
    parts: list[Expr] = [scale * Access(name, (affine(0),)) if scale != 1 else Access(name, (affine(0),)) for name, scale in scales.items()]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return Op(NODE, (each(Access(LOSS, (affine(0),)), total),), (Value(LOSS, ONE_ELEMENT),), NODE)


def _copy(name: str, source: str, type: TensorType) -> Op:
    indices = tuple(affine(Axis("n" if extent == N else f"i{k}", extent)) for k, extent in enumerate(type.shape))
    return Op(name, (each(Access(name, indices), Access(source, indices)),), (Value(name, type),), NODE)
