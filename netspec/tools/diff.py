"""`netspec diff A B`: what is different between two nets, layer by layer, and which weights of A load into B."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

from netspec.diagnostics import Source
from netspec.elaborate.results import CheckedNet
from netspec.graph.graph import Node
from netspec.graph.types import Layer, Shape, Weight
from netspec.kernels.affine import size_of
from netspec.records import record
from netspec.tools.choose import one_of_each
from netspec.tools.written import call

Change = Literal["added", "removed", "changed", "renamed"]


@record
class Place:
    """A layer of a net: its path, the layer, shapes and counts, and its weights by their full names."""

    path: str
    layer: Layer
    inputs: tuple[Shape, ...]
    output: Shape
    params: int
    macs: int
    weights: tuple[Weight, ...]

    @property
    def alike(self) -> tuple[str, str]:
        """What two places have in common that differ in their names alone; as text, for sizes that are left open."""
        return call(self.layer), str(self.inputs)


@record
class Difference:
    """A layer that is another one; `a` is None where it was added, `b` where it was removed."""

    change: Change
    a: Place | None
    b: Place | None


@record
class Weights:
    """What becomes of A's weights in B: those that load, by name and shape, and the others.

    `reshaped` have their name in both nets, `renames` are pairs of A's and B's of which the layers correspond.
    """

    load: tuple[Weight, ...]
    reshaped: tuple[tuple[Weight, Weight], ...]
    missing: tuple[Weight, ...]
    unexpected: tuple[Weight, ...]
    renames: tuple[tuple[Weight, Weight], ...]


@record
class Side:
    """One of the two nets."""

    source: Source
    net: CheckedNet
    places: tuple[Place, ...]


@record
class Comparison:
    """Two nets beside each other."""

    a: Side
    b: Side
    layers: tuple[Difference, ...]
    weights: Weights

    @property
    def same(self) -> bool:
        """Whether layers, shapes and names are equal."""
        return not self.layers


def compare(first: str, second: str) -> Comparison:
    """Compare two nets by their names: paths, bundled nets, `file.net:Net`. Raises UserError and SpecError."""
    a, b = (_side(*found) for found in one_of_each(first, second))
    layers = tuple(_differences(a.places, b.places))
    return Comparison(a, b, layers, _weights(a.places, b.places, layers))


def _side(source: Source, net: CheckedNet) -> Side:
    assert net.graph is not None
    weights = {weight.name: weight for weight in net.graph.weights}
    return Side(source, net, tuple(_place(row_inputs, node, counts, weights) for node, row_inputs, counts in _rows(net)))


def _rows(net: CheckedNet) -> Iterator[tuple[Node, tuple[Shape, ...], tuple[int, int]]]:
    assert net.graph is not None
    for node, row in zip(net.graph.layers, net.rows, strict=True):
        yield node, row.inputs, (row.params, row.macs)


def _place(inputs: tuple[Shape, ...], node: Node, counts: tuple[int, int], weights: dict[str, Weight]) -> Place:
    return Place(node.name, node.layer, inputs, node.output.type.sample, *counts, tuple(weights[name] for name in node.weights))


def _differences(a: Sequence[Place], b: Sequence[Place]) -> Iterator[Difference]:
    """In the order of B, what was removed where it stood: layers that correspond are those of one path, else of one kind in one order."""
    paths = {place.path: place for place in a}
    pairs = _pairs(a, b)
    gone = [place for place in a if place.path not in {old.path for old in pairs.values()}]
    order = {place.path: number for number, place in enumerate(a)}
    for place in b:
        old = pairs.get(place.path)
        while gone and old is not None and order[gone[0].path] < order[old.path]:
            yield Difference("removed", gone.pop(0), None)
        if old is None:
            yield Difference("added", None, place)
        elif old.path != place.path:
            yield Difference("renamed", old, place)
        elif old.alike != place.alike or str(old.output) != str(place.output):
            yield Difference("changed", paths[place.path], place)
    yield from (Difference("removed", place, None) for place in gone)


def _pairs(a: Sequence[Place], b: Sequence[Place]) -> dict[str, Place]:
    """Of each path of B, the layer of A that it was: the same path where that is of the same kind, else the same layer under another name.

    What is neither is paired by its path alone, unless its layer stands elsewhere.
    """
    known = {place.path: place for place in a}
    pairs = {place.path: known[place.path] for place in b if place.path in known and known[place.path].layer.name == place.layer.name}
    taken = {place.path for place in pairs.values()}
    left = [place for place in a if place.path not in taken], [place for place in b if place.path not in pairs]
    blocks = SequenceMatcher(None, [p.alike for p in left[0]], [p.alike for p in left[1]], autojunk=False).get_matching_blocks()
    for block in blocks:
        for k in range(block.size):
            pairs[left[1][block.b + k].path] = left[0][block.a + k]
    return pairs


def _weights(a: Sequence[Place], b: Sequence[Place], layers: Sequence[Difference]) -> Weights:
    mine = {weight.name: weight for place in a for weight in place.weights}
    yours = {weight.name: weight for place in b for weight in place.weights}
    both = [(mine[name], weight) for name, weight in yours.items() if name in mine]
    load = tuple(new for old, new in both if old.type == new.type)
    moved = [(item.a, item.b) for item in layers if item.change == "renamed" and item.a and item.b]
    renames = [pair for old, new in moved for pair in zip(old.weights, new.weights, strict=False)]
    renames = [(old, new) for old, new in renames if old.name not in yours and new.name not in mine and old.type == new.type]
    named = {old.name for old, _ in renames}, {new.name for _, new in renames}
    return Weights(
        load,
        tuple((old, new) for old, new in both if old.type != new.type),
        tuple(weight for name, weight in yours.items() if name not in mine and name not in named[1]),
        tuple(weight for name, weight in mine.items() if name not in yours and name not in named[0]),
        tuple(renames),
    )


def count(weights: Sequence[Weight]) -> int:
    """The numbers in some weights."""
    return sum(size_of(weight.type.shape) for weight in weights)
