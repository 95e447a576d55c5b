"""What is drawn: boxes and the tensors between them. Which layers share a box is decided here, where they stand is not.

A call of a block is a box. A layer that works element by element (an activation, dropout, batch norm) stands in the box of the layer
before it. Boxes in a row that say the same are one, with the number of times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from netspec.elaborate import CheckedNet
from netspec.elaborate.facts import Facts, Library
from netspec.elaborate.problems import Frame
from netspec.elaborate.results import Row
from netspec.explain.arguments import call
from netspec.graph.graph import Node
from netspec.graph.types import Shape
from netspec.records import record

Kind = Literal["end", "block", "linear", "window", "merge", "plain"]
"""An input or result, a call of a block, what multiplies by weights, what reduces a window or a map, what joins, everything else."""


@dataclass
class Box:
    """A box while it is put together; afterwards nothing in it changes.

    `lines` is what it says, `tensors` are the values in it that are read from outside, `reads` the values that it reads.
    """

    kind: Kind
    lines: list[str]
    params: int = 0
    times: int = 1
    last: str = ""
    reads: list[str] = field(default_factory=list[str])
    tensors: list[str] = field(default_factory=list[str])

    @property
    def title(self) -> str:
        """The first line, with the number of times."""
        return self.lines[0] + (f"  x{self.times}" if self.times > 1 else "")


@record
class Edge:
    """From a box to a box, by their positions."""

    source: int
    target: int
    tensor: str


@record
class Drawing:
    """All boxes in the order in which they compute, inputs first; `labels` says of a tensor what it is called, and its shape."""

    name: str
    subtitle: str
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    labels: dict[str, str]


def drawing(net: CheckedNet, *, unfold: bool = False) -> Drawing:
    """The boxes of a net without errors."""
    boxes = _boxes(net, unfold)
    if not unfold:
        boxes = _repeats_joined(boxes)
    made = {tensor: k for k, box in enumerate(boxes) for tensor in box.tensors}
    edges = tuple(Edge(made[tensor], k, tensor) for k, box in enumerate(boxes) for tensor in box.reads)
    subtitle = f"{net.params:,} parameters, {net.macs:,} multiplications"
    return Drawing(net.name, subtitle, tuple(boxes), edges, _labels(net))


def _labels(net: CheckedNet) -> dict[str, str]:
    """Of each tensor its shape, after the shortest label that it has."""
    shapes: dict[str, Shape] = dict(net.inputs) | {row.path: row.output for row in net.rows}
    names: dict[str, str] = {}
    for address, value in net.labels.items():
        if "." not in address and value not in net.inputs and (value not in names or len(address) < len(names[value])):
            names[value] = address
    return {value: f"{names[value]} {list(shape)}" if value in names else str(list(shape)) for value, shape in shapes.items()}


def _boxes(net: CheckedNet, unfold: bool) -> list[Box]:
    """Inputs, then layers and blocks as they compute, then the results."""
    boxing = _Boxing(net, unfold)
    for layer in boxing.layers:
        boxing.add(layer)
    for name, value in net.outputs.items():
        boxing.boxes.append(Box("end", [name]))
        _read_value(boxing.boxes[-1], value, boxing.holder)
    return boxing.boxes


@record
class _Layer:
    """A layer, and the call in the net's own body that it comes from, where blocks are folded."""

    node: Node
    row: Row
    facts: Facts
    block: Frame | None


class _Boxing:
    """Boxes so far; `holder` says in which one a value is made."""

    def __init__(self, net: CheckedNet, unfold: bool) -> None:
        assert net.graph is not None
        self.uses = net.graph.uses
        self.boxes = [Box("end", [name], last=name) for name in net.inputs]
        self.holder = dict(zip(net.inputs, self.boxes, strict=True))
        self.layers = list(_layers(net, unfold))
        self._made: dict[int, Box] = {}
        self._small = self._small_blocks()

    def _small_blocks(self) -> set[int]:
        """Blocks that only work element by element, one layer after the other: they stand where an activation would."""
        inside: dict[int, list[_Layer]] = {}
        for layer in self.layers:
            inside.setdefault(id(layer.block), []).append(layer)
        return {key for key, layers in inside.items() if all(map(_elementwise, layers)) and all(map(self._follows, layers[1:], layers))}

    def _follows(self, layer: _Layer, before: _Layer) -> bool:
        return layer.node.inputs == (before.node.output.name,) and self.uses[before.node.output.name] == 1

    def add(self, layer: _Layer) -> None:
        """Put a layer into the box of its block, of its input, or into one of its own."""
        again = self._made.get(id(layer.block)) if layer.block is not None else None
        box = again or self._box(layer)
        if layer.block is None:
            box.lines.append(call(layer.node.layer))
        elif again is None:
            self._made[id(layer.block)] = box
            box.lines.append(layer.block.call)
        box.params += layer.row.params
        box.last = layer.node.output.name
        for value in layer.node.inputs:
            _read_value(box, value, self.holder)
        self.holder[box.last] = box

    def _box(self, layer: _Layer) -> Box:
        small = layer.block is None or id(layer.block) in self._small
        if small and _elementwise(layer) and self._goes_on(layer):
            return self.holder[layer.node.inputs[0]]
        self.boxes.append(Box(_kind(layer.facts) if small else "block", []))
        return self.boxes[-1]

    def _goes_on(self, layer: _Layer) -> bool:
        """Whether a layer that works element by element may stand in the box of its input: nobody else reads what it changes.

        Not behind a block where it has weights of its own: that is the beginning of something.
        """
        value = layer.node.inputs[0]
        box = self.holder[value]
        fits = box.kind != "end" and not (box.kind == "block" and layer.facts.weights)
        return fits and box.last == value and self.uses[value] == 1


def _layers(net: CheckedNet, unfold: bool) -> Iterator[_Layer]:
    assert net.graph is not None
    library = Library()
    for node, row in zip(net.graph.layers, net.rows, strict=True):
        yield _Layer(node, row, library.facts(node.layer, row.inputs), None if unfold else _outermost(row.frame))


def _elementwise(layer: _Layer) -> bool:
    """Whether each element of the result comes from the one element of one input in its place."""
    facts = layer.facts
    return facts.overwrites and len(facts.inputs) == 1 and facts.output == facts.inputs[0]


def _read_value(box: Box, value: str, holder: dict[str, Box]) -> None:
    """Note that a box reads a value, unless it made it."""
    maker = holder[value]
    if maker is box:
        return
    if value not in box.reads:
        box.reads.append(value)
    if value not in maker.tensors:
        maker.tensors.append(value)


def _outermost(frame: Frame | None) -> Frame | None:
    """The call in the net's own body."""
    while frame is not None and frame.outer is not None and not frame.outer.of_net:
        frame = frame.outer
    return frame


def _kind(facts: Facts) -> Kind:
    """What a layer is for the eye, read off its formulas."""
    if len(facts.inputs) > 1:
        return "merge"
    if facts.macs:
        return "linear"
    reduces = any(formula.combine != "none" for formula in facts.inference.formulas)
    looks = any(window != 1 for look in facts.looks if look is not None for _, window in look)
    return "window" if reduces and (looks or (facts.output,) != facts.inputs) else "plain"


def _repeats_joined(boxes: list[Box]) -> list[Box]:
    """Boxes that say the same, one right after the other with nothing between, as one."""
    readers = Counter(tensor for box in boxes for tensor in box.reads)
    out: list[Box] = []
    for box in boxes:
        before = out[-1] if out else None
        same = before is not None and box.kind != "end" and (box.kind, box.lines) == (before.kind, before.lines)
        if before is not None and same and box.reads == before.tensors and len(box.reads) == 1 and readers[box.reads[0]] == 1:
            before.times += 1
            before.params += box.params
            before.tensors = box.tensors
        else:
            out.append(box)
    return out
