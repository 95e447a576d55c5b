"""A net while its body runs: the layers applied so far, and at the end the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from netspec.diagnostics import Span
from netspec.elaborate.facts import Facts, Library
from netspec.elaborate.limits import Budget
from netspec.elaborate.naming import Path
from netspec.elaborate.problems import Frame
from netspec.elaborate.reach import Reach, of_input
from netspec.elaborate.values import Current, Labelled, Stored, Tensor
from netspec.graph.graph import Graph, Node
from netspec.graph.types import Shape, Value, Weight, batched
from netspec.kernels.affine import size_of
from netspec.records import record

Taken = Mapping[str, Stored]
"""Weights of a layer that are another one's, by the layer's own names."""


@record
class Applied:
    """A layer in its place; `inputs` are numbers of values, its own is its position after the inputs of the net.

    `frame` is the call of a block that it stands in. `taken` are weights that belong to steps above, `given` those that start, or stay,
    as the text says; the rest is as the layer has it.
    """

    facts: Facts
    inputs: tuple[int, ...]
    path: Path
    span: Span
    reach: Reach | None
    frame: Frame | None
    taken: Taken
    given: Mapping[str, Weight]

    @property
    def own(self) -> tuple[Weight, ...]:
        """The weights that no other step has."""
        if not self.taken and not self.given:
            return self.facts.weights
        return tuple(self.given.get(item.name, item) for item in self.facts.weights if item.name not in self.taken)

    @property
    def params(self) -> int:
        """Trainable numbers, those of shared weights counted where they belong."""
        return counted(self.own) if self.taken or self.given else self.facts.params

    @property
    def stored(self) -> int:
        """Numbers that are saved with the weights."""
        return sum(size_of(weight.type.shape) for weight in self.own) if self.taken else self.facts.stored


_NONE: Final[Mapping[str, Any]] = {}


class Build:
    """Values are numbered: the inputs first, then one for each layer applied."""

    def __init__(self, name: str, library: Library, budget: Budget, *, single_input: bool = True) -> None:
        self.name, self.library, self.budget, self.single_input = name, library, budget, single_input
        self.inputs: list[tuple[str, Shape]] = []
        self.applied: list[Applied] = []
        self.outputs: dict[str, Current] = {}
        self.labels: dict[str, Labelled] = {}
        self.ends: dict[Span, Shape] = {}  # what the chains of the net's own statements end with
        self.symbols: dict[str, int] = {}
        self.weights = 0
        self.sharing: Sharing | None = None
        self.sound: int | None = None  # how many layers stood when the first step failed
        self.where: Span | None = None  # the step at work, for what exceeds a limit
        self.frame: Frame | None = None  # the block at work

    def input(self, name: str, shape: Shape, span: Span) -> Tensor:
        """Add an input of the net. They all come before the first layer."""
        self.inputs.append((name, shape))
        return Tensor(len(self.inputs) - 1, shape, span, of_input(shape))

    def is_input(self, tensor: Tensor) -> bool:
        """Whether the tensor is an input of the net."""
        return tensor.number < len(self.inputs)

    def apply(
        self, facts: Facts, inputs: list[Tensor], path: Path, span: Span, taken: Taken = _NONE, given: Mapping[str, Weight] = _NONE
    ) -> Tensor:
        """Add a layer."""
        self.budget.layer(facts.parts)
        self.weights += len(facts.weights) if self.sharing is None else 0
        reach = of_input(facts.output) if facts.rearranges and self.is_input(inputs[0]) else _reach(facts, inputs)
        self.applied.append(Applied(facts, tuple(item.number for item in inputs), path, span, reach, self.frame, taken, given))
        return Tensor(len(self.inputs) + len(self.applied) - 1, facts.output, span, reach)

    def value_name(self, number: int) -> str:
        """The name of a value in the graph."""
        return self.inputs[number][0] if number < len(self.inputs) else str(self.applied[number - len(self.inputs)].path)

    def clash(self) -> tuple[str, Span] | None:
        """A name that two steps have, and the second of them: a label named like a block may meet that block's own counting."""
        seen: set[str] = set()
        for item in self.applied:
            name = str(item.path)
            if name in seen:
                return name, item.span
            seen.add(name)
        return None

    def graph(self) -> Graph:
        """The graph of a net without errors."""
        names = [name for name, _ in self.inputs] + [str(item.path) for item in self.applied]
        nodes: list[Node] = []
        weights: list[Weight] = []
        for item, name in zip(self.applied, names[len(self.inputs) :], strict=True):
            weights += [Weight(f"{name}.{weight.name}", weight.type, weight.init, weight.role) for weight in item.own]
            inputs = tuple(names[number] for number in item.inputs)
            output = Value(name, batched(item.facts.output))
            read = tuple(self._weight_name(item, weight.name) for weight in item.facts.weights)
            turned = tuple(self._weight_name(item, key) for key, stored in item.taken.items() if stored.turned)
            nodes.append(Node(name, item.facts.layer, inputs, read, output, item.span, turned))
        inputs = tuple(Value(name, batched(shape)) for name, shape in self.inputs)
        outputs = dict.fromkeys(names[value.number] for value in self.outputs.values() if isinstance(value, Tensor))
        return Graph(self.name, inputs, tuple(weights), tuple(nodes), tuple(outputs))

    def owner(self, weight: Stored) -> Stored:
        """The weight that a weight of a step really is: its own, or the one that it was taken from."""
        if (source := self.applied[weight.step].taken.get(weight.name)) is None:
            return weight
        return source.transposed if weight.turned else source

    def _weight_name(self, item: Applied, name: str) -> str:
        """The full name of one of a step's weights."""
        source = item.taken.get(name)
        return f"{item.path}.{name}" if source is None else f"{self.applied[source.step].path}.{source.name}"


class Sharing:
    """The steps with weights of a line, one after the other, while they are repeated; `span` is where."""

    def __init__(self, build: Build, label: Labelled, span: Span) -> None:
        steps = range(label.first, label.last)
        self.name, self.span = label.name, span
        self.donors = iter([step for step in steps if build.applied[step].facts.weights])


def counted(weights: Iterable[Weight]) -> int:
    """How many numbers of the weights are trained."""
    return sum(size_of(weight.type.shape) for weight in weights if weight.role == "trainable")


def _reach(facts: Facts, inputs: list[Tensor]) -> Reach | None:
    found: Reach | None = None
    for tensor, look in zip(inputs, facts.looks, strict=True):
        if tensor.reach is not None and look is not None:
            through = tensor.reach.through(look)
            found = through if found is None else found.widest(through)
    return found
