"""What elaboration gives: nets as graphs, with all that a report says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netspec.diagnostics import Diagnostic, Source, Span, UserError
from netspec.elaborate.memory import Memory
from netspec.elaborate.problems import Frame
from netspec.elaborate.reach import Reach
from netspec.graph.graph import Graph
from netspec.graph.types import Shape
from netspec.records import record
from netspec.training import TrainPlan


@record
class Row:
    """A layer of the report. Sizes are of one sample; `reach` is how far it looks back, None for what has no axes, and `receptive_field`
    that in whole pixels of the input per axis. `frame` is the call of a block that it stands in.
    """

    path: str
    kind: str
    span: Span
    inputs: tuple[Shape, ...]
    output: Shape
    params: int
    macs: int
    reach: Reach | None
    pads: tuple[tuple[int, int], ...] | None
    frame: Frame | None = None

    @property
    def receptive_field(self) -> tuple[int, ...] | None:
        """Whole pixels of the input."""
        return self.reach.pixels if self.reach else None


@record
class Expectation:
    """A line of `expect`. `holds` is None where it is not applicable: under settings other than the defaults."""

    net: str
    text: str
    span: Span
    holds: bool | None
    actual: str


@dataclass(frozen=True)
class CheckedNet:
    """A net as deployed. With errors in it, `graph` and `memory` are None, and the rows end before the first layer that is wrong.

    `outputs` and `labels` lead to names of values in the graph; labels are addresses, `down[2].keep`. `ends`: the shapes with which the
    chains of its statements end. `trained`: the net as it is trained, where that is another one.
    `plans` are its train blocks, `plan` the chosen one: that without a name, else the first.
    """

    name: str
    span: Span
    inputs: dict[str, Shape]
    outputs: dict[str, str]
    labels: dict[str, str]
    rows: tuple[Row, ...]
    graph: Graph | None = None
    memory: Memory | None = None
    symbols: Mapping[str, int] = field(default_factory=dict[str, int])
    """The sizes that must be bound before the net is compiled, each with the smallest value that `where` allows."""
    plan: TrainPlan | None = None
    ends: dict[Span, Shape] = field(default_factory=dict[Span, Shape])
    trained: CheckedNet | None = None
    plans: tuple[TrainPlan, ...] = ()

    @property
    def in_training(self) -> CheckedNet:
        """The net as it is trained: with what stands in `if training`."""
        return self.trained or self

    @property
    def params(self) -> int:
        """Trainable numbers."""
        return sum(row.params for row in self.rows)

    @property
    def macs(self) -> int:
        """Multiplications of a forward pass of one sample."""
        return sum(row.macs for row in self.rows)

    @property
    def receptive_field(self) -> tuple[int, ...] | None:
        """The widest of all values: that before the first global layer, where the net is a chain. None for nets of vectors."""
        found = [row.receptive_field for row in self.rows if row.receptive_field]
        rank = max(map(len, found), default=0)
        return tuple(max(item[k] for item in found if len(item) == rank) for k in range(rank)) if found else None

    def shape(self, address: str) -> Shape:
        """The shape of a sample at an input, a result, a label (`stage[2].keep`) or a step (`stage.2.conv.0`). KeyError for nothing."""
        shapes = dict(self.inputs) | {row.path: row.output for row in self.rows}
        return shapes[self.outputs.get(address) or self.labels.get(address) or address]

    @property
    def bound_graph(self) -> Graph:
        """The graph of a net without errors. Raises UserError while sizes of its inputs are not bound."""
        assert self.graph is not None
        if self.symbols:
            settings = " ".join(f"--set {name}={size}" for name, size in self.symbols.items())
            named = ", ".join(f"{name}={size}" for name, size in self.symbols.items())
            message = f"{self.name} has sizes that are not known: {', '.join(self.symbols)}"
            help = f"bind them: `{settings}`, in Python `load(.., {named})` or `.compile({named})`; these are the smallest"
            raise UserError(message, help)
        return self.graph

    def output_shapes(self) -> dict[str, Shape]:
        """The shapes of the results by name, as far as the rows reach."""
        shapes = dict(self.inputs) | {row.path: row.output for row in self.rows}
        return {name: shapes[value] for name, value in self.outputs.items() if value in shapes}


@record
class Elaborated:
    """A file: its concrete nets in order, expectations, and everything that was found wrong."""

    source: Source
    nets: tuple[CheckedNet, ...]
    expectations: tuple[Expectation, ...]
    diagnostics: tuple[Diagnostic, ...]
    imported: tuple[Source, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether there is an error."""
        return any(item.severity == "error" for item in self.diagnostics)

    def net(self, name: str) -> CheckedNet | None:
        """A net by its name, case ignored where that is not ambiguous."""
        same = [net for net in self.nets if net.name == name] or [net for net in self.nets if net.name.lower() == name.lower()]
        return same[0] if len(same) == 1 else None
