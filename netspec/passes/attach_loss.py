"""The net grows its loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netspec.graph.graph import Graph, Node
from netspec.graph.types import TensorType, Value, batched
from netspec.layers import LOSSES
from netspec.training.losses import Term

NODE = "train"
LOSS, CORRECT = f"{NODE}/loss", f"{NODE}/correct"
"""What a training graph calls its loss (the mean over the batch), and the number of samples that are classified right."""


@dataclass(frozen=True)
class AttachLoss:
    """Add the loss of a tensor against the input `target`, which is added where the net does not have it."""

    term: Term
    output: str
    target: str

    def __call__(self, graph: Graph) -> Graph:
        """The graph with one more node, whose result is the only output."""
        layer = LOSSES[self.term.loss.name](**self.term.loss.options())
        inputs = graph.inputs
        if self.target not in {value.name for value in inputs}:
            inputs += (Value(self.target, batched(layer.target(graph.types[self.output].type.sample))),)
        node = Node(NODE, layer, (self.output, self.target), (), Value(LOSS, TensorType((1,))))
        return replace(graph, inputs=inputs, nodes=(*graph.layers, node), outputs=(LOSS,))


def count_correct(graph: Graph) -> Graph:
    """After lowering: the count of correct samples becomes an output, where the loss forms one."""
    known = any(value.name == CORRECT for op in graph.ops for value in op.outputs)
    return replace(graph, outputs=(*graph.outputs, CORRECT)) if known else graph
