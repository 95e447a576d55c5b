"""Names: what a file declares, and the chain of scopes of the bodies in it. Values and steps are two namespaces."""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netspec.diagnostics import Fix, Label, Span
from netspec.elaborate.limits import Budget
from netspec.elaborate.problems import Frame, Problems
from netspec.elaborate.values import POISON, Callable, Current, Labelled, Poison, Value, show
from netspec.layers import LAYERS
from netspec.records import record
from netspec.syntax import tree

if TYPE_CHECKING:
    from netspec.elaborate.ops import Op

Importable = tree.Block | tree.Net | tree.Alias | tree.Let | tree.Param


@record
class Imported:
    """Something of another file, which is read with the names of that one."""

    home: Context
    item: Importable


@dataclass
class File:
    """What a file declares, by name. `imports` are blocks and nets of other files; `borrowed` are constants of other files, which are among
    `constants` too. `foreign`: names that are known, but stand for nothing; that has been reported.
    """

    blocks: dict[str, tree.Block] = field(default_factory=dict[str, tree.Block])
    ops: dict[str, Op] = field(default_factory=dict[str, "Op"])
    nets: dict[str, tree.Net | tree.Alias] = field(default_factory=dict[str, "tree.Net | tree.Alias"])
    constants: dict[str, tree.Let | tree.Param] = field(default_factory=dict[str, "tree.Let | tree.Param"])
    imports: dict[str, Imported] = field(default_factory=dict[str, Imported])
    borrowed: dict[str, Imported] = field(default_factory=dict[str, Imported])
    foreign: set[str] = field(default_factory=set[str])

    def steps(self) -> Iterator[str]:
        """Everything that can be called as a step."""
        yield from LAYERS
        yield from self.blocks
        yield from self.ops
        yield from self.nets
        yield from self.imports
        yield from self.foreign
        yield from ("skip", "share")


@dataclass
class Mode:
    """Which of its graphs a net is elaborated for, and whether anything has asked."""

    training: bool = False
    asked: bool = False


@dataclass
class Context:
    """What all scopes of one file share. `constant` evaluates a `let` or `param` at the top of the file."""

    file: File
    problems: Problems
    budget: Budget
    constant: Function[[str], Value]
    mode: Mode
    settings: Mapping[str, Value] = field(default_factory=dict[str, Value])

    def step(self, name: str) -> tuple[tree.Block | tree.Net | tree.Alias, Context] | None:
        """The block or net of this name, with the file that it is read in."""
        if (found := self.file.blocks.get(name) or self.file.nets.get(name)) is not None:
            return found, self
        imported = self.file.imports.get(name)
        if imported is None or isinstance(imported.item, tree.Let | tree.Param):
            return None
        return imported.item, imported.home


class Scope:
    """Names of values in one body, on top of those around it. `entry` is what `in` means, `frame` the calls that led here, `turn` the pass
    of a loop whose body this is: its number from 0, the number of passes, and the names that the loop defines.
    """

    __slots__ = ("context", "entry", "frame", "labels", "parent", "turn", "values")

    def __init__(self, context: Context, parent: Scope | None = None, frame: Frame | None = None, entry: Current = None) -> None:
        self.context, self.parent, self.frame, self.entry = context, parent, frame, entry
        self.values: dict[str, Value] = {}
        self.labels: dict[str, Labelled] = {}
        self.turn: tuple[int, int, tuple[tree.Name, ...]] | None = None

    def inner(self) -> Scope:
        """A scope for a pass of a loop: what is around it stays visible."""
        return Scope(self.context, self, self.frame, self.entry)

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        labels: Sequence[Label] = (),
        notes: Sequence[str] = (),
        help: str | None = None,
        fix: Fix | None = None,
    ) -> Poison:
        """Report an error here, with the calls that led here."""
        problems, notes = self.context.problems, [*notes, *self.turns()]
        return problems.report(code, message, span, frame=self.frame, label=label, labels=labels, notes=notes, help=help, fix=fix)

    def turns(self) -> Iterator[str]:
        """A note for each loop around, the innermost first; of the first pass there is nothing to say."""
        scope: Scope | None = self
        while scope is not None:
            if scope.turn is not None and scope.turn[0] > 0:
                number, count, names = scope.turn
                given = "".join(f", {name.text} = {show(scope.values[name.text])}" for name in names if name.text in scope.values)
                yield f"in pass {number + 1} of {count}{given}"
            scope = scope.parent

    def text(self, span: Span) -> str:
        """The source text of a span, on one line."""
        return self.context.problems.text(span)

    def find(self, name: str) -> Value | None:
        """The value of a name, None when nothing defines it."""
        scope: Scope | None = self
        while scope is not None:
            if (value := scope.values.get(name)) is not None:
                return value
            scope = scope.parent
        return self.context.constant(name) if name in self.context.file.constants else None

    def function(self, name: str) -> Function[..., Value] | None:
        """A function that only this scope has, taking keywords."""
        return None

    def measure(self, label: Labelled, name: str) -> Value | None:
        """What only this scope knows of a label."""
        return None

    def names(self) -> list[str]:
        """All names of values that can be seen from here."""
        found = list(self.context.file.constants)
        scope: Scope | None = self
        while scope is not None:
            found += scope.values
            scope = scope.parent
        return found

    def define(self, name: tree.Name, value: Value) -> None:
        """Add a name; one that is already there may not be hidden."""
        if self.find(name.text) is not None:
            self._taken(name)
        elif name.text == "training":
            self.report("E0103", "`training` is a name of the language", name.span, help="choose another name")
        self.values[name.text] = value
        if isinstance(value, Labelled):
            self.labels[name.text] = value

    def _taken(self, name: tree.Name) -> None:
        other = self.find(name.text)
        declared = self.context.file.constants.get(name.text)
        place = other.span if isinstance(other, Labelled) else declared.name.span if declared else None
        labels = [Label(place, "defined here")] if place and place != name.span else []
        message = f"`{name.text}` is already the name of a {'label' if isinstance(other, Labelled) else 'value'}"
        self.report("E0103", message, name.span, labels=labels, help="choose another name: nothing may be hidden")

    def callable(self, name: tree.Name) -> Callable | None:
        """The layer, block, op, or parameter that holds one, of this name; None when there is none (poison is a Callable of nothing)."""
        value = self.find(name.text)
        if isinstance(value, Callable):
            return value
        if (found := self.context.step(name.text)) is not None:
            item, home = found
            return Callable(name.text, name.span, block=item, home=home)
        if (op := self.context.file.ops.get(name.text)) is not None:
            return Callable(name.text, name.span, op=op)
        if (layer := LAYERS.get(name.text)) is not None:
            return Callable(name.text, name.span, layer=layer)
        return Callable("skip", name.span) if name.text == "skip" else None

    def poisoned(self, name: str) -> bool:
        """Whether a name stands for something that has been reported already."""
        return name in self.context.file.foreign or self.find(name) is POISON
