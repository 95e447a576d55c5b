"""A graph of layers as steps of another library: a table says what each layer is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from netspec.diagnostics import UserError
from netspec.graph.graph import Graph, Node
from netspec.graph.types import Shape
from netspec.layers.arguments import pair

Sides = tuple[tuple[int, int], tuple[int, int]]
Function = Callable[[list[Any], Mapping[str, Any]], Any]
"""A layer of the other library: its inputs, and its weights by their own names (`weight`, `bias`)."""


@dataclass(frozen=True)
class Site:
    """A layer where it stands in a net. Shapes are those of netspec, [c, h, w] or [f], without the batch.

    `source` is the kind of layer that made its first input, if nobody else reads that: it may then be overwritten.
    """

    node: Node
    shapes: tuple[Shape, ...]
    output: Shape
    training: bool = False
    source: str = ""

    @property
    def layer(self) -> Any:
        """The layer's arguments."""
        return self.node.layer

    @property
    def pads(self) -> Sides:
        """(top, bottom), (left, right), as far as windows really reach: with `ceil`, beyond what the spec says."""
        (top, bottom), (left, right) = self.layer.pads(*self.shapes)
        if not getattr(self.layer, "ceil", False):
            return (top, bottom), (left, right)
        reach = [
            (count - 1) * stride + k - size
            for k, stride, size, count in zip(*self.window, self.shapes[0][1:], self.output[1:], strict=True)
        ]
        return (top, max(bottom, reach[0] - top)), (left, max(right, reach[1] - left))

    @property
    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """A window's size and stride, each (height, width); a pooling stride is its window unless given."""
        size = pair(self.layer.k)
        return size, pair(self.layer.stride or size)

    @property
    def even(self) -> tuple[int, int] | None:
        """The padding (height, width) where both sides get the same, else None."""
        (top, bottom), (left, right) = self.pads
        return (top, left) if (top, left) == (bottom, right) else None

    @property
    def depthwise(self) -> bool:
        """Whether it is a convolution of each channel by itself."""
        return self.layer.groups > 1 and self.layer.groups == self.shapes[0][0]

    @property
    def dimension(self) -> int:
        """Along which dimension of [c, h, w] a concatenation joins."""
        return "chw".index(self.layer.axis or "c") if len(self.output) == 3 else 0

    @property
    def averages_padding(self) -> bool:
        """Whether an average counts elements that are not there in a way that not every library can."""
        return self.pads != ((0, 0), (0, 0)) and (self.layer.ceil or not self.layer.count_pad)


@dataclass(frozen=True)
class Step:
    """One layer: what it computes, the values it reads, its weights as (own name, full name), those of them (full names) that it takes with
    rows as columns, and what nobody reads afterwards.
    """

    function: Function
    inputs: tuple[str, ...]
    weights: tuple[tuple[str, str], ...]
    output: str
    turned: tuple[str, ...] = ()
    frees: tuple[str, ...] = ()


@dataclass(frozen=True)
class Steps:
    """A net of another library, of one input and one result."""

    steps: tuple[Step, ...]
    source: str
    result: str

    def __call__(self, x: Any, weights: Mapping[str, Any]) -> Any:
        """The result for an input, with weights by name."""
        values = {self.source: x}
        for step in self.steps:
            own = {short: weights[name].T if name in step.turned else weights[name] for short, name in step.weights}
            values[step.output] = step.function([values[name] for name in step.inputs], own)
            for name in step.frees:
                del values[name]
        return values[self.result]


def sites(graph: Graph, training: bool = False, overwrite: bool = False) -> Iterable[Site]:
    """The layers of a graph in order; `overwrite` tells which may use their input's memory."""
    kinds = {node.output.name: node.layer.name for node in graph.layers}
    for node in graph.layers:
        shapes = tuple(graph.types[name].type.sample for name in node.inputs)
        first = node.inputs[0]
        source = kinds.get(first, "") if overwrite and graph.uses[first] == 1 else ""
        yield Site(node, shapes, node.output.type.sample, training, source)


def steps(graph: Graph, table: Mapping[str, Callable[[Site], Function]], library: str, *, training: bool, overwrite: bool = False) -> Steps:
    """A graph by a library's table. Raises UserError for a layer that the table does not have."""
    left = Counter(name for node in graph.layers for name in node.inputs)
    left.update(graph.outputs)
    found: list[Step] = []
    for site in sites(graph, training, overwrite):
        node = site.node
        if node.layer.name not in table:
            raise UserError(f"the bench does not build `{node.layer.name}` for {library}")
        left.subtract(node.inputs)
        frees = tuple(name for name in dict.fromkeys(node.inputs) if left[name] == 0)
        own = tuple((name.rpartition(".")[2], name) for name in node.weights)
        found.append(Step(table[node.layer.name](site), node.inputs, own, node.output.name, node.turned, frees))
    return Steps(tuple(found), graph.inputs[0].name, graph.outputs[0])
