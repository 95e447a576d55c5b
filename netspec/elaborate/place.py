"""Where a statement stands, and a step that is being applied there."""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Sequence
from typing import Final, Literal

from netspec.diagnostics import Span
from netspec.elaborate.build import Build
from netspec.elaborate.naming import Names
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import Callable, Current, Labelled, Poison
from netspec.records import record
from netspec.syntax import tree

Level = Literal["net", "if", "called", "called if", "inner"]
"""`input` stands in a net's own body, `output` also inside its `if`s; that of a net that is called like a block names no result."""
BRANCH: Final[dict[Level, Level]] = {"net": "if", "if": "if", "called": "called if", "called if": "called if", "inner": "inner"}
"""The level of a body of `if`."""


@record
class Place:
    """`body` names labels, `line` names steps (the body's own names outside labelled lines); `owner` gathers the labels of blocks called
    on its line; `passes` is the product of the passes of the loops around.
    """

    build: Build
    scope: Scope
    body: Names
    line: Names
    owner: Labelled | None = None
    level: Level = "inner"
    passes: int = 1

    def within(self, level: Level) -> Place:
        """The place of what stands in a body of this level here."""
        return self if level == self.level else Place(self.build, self.scope, self.body, self.line, self.owner, level, self.passes)


Runner = Function[[Sequence[tree.Item], Current, Place], Current]
"""What elaborates the items of a body: blocks and branches are bodies."""


@record
class Application:
    """`step` calls `found` on the current tensor; `run` elaborates bodies in it."""

    step: tree.Call
    found: Callable
    current: Current
    place: Place
    run: Runner

    @property
    def arguments(self) -> tuple[tree.Argument, ...]:
        """The arguments as written."""
        return self.step.arguments or ()

    @property
    def mark(self) -> Span:
        """Where the step is pointed at."""
        return mark(self.step)


def mark(step: tree.Call) -> Span:
    """Where a step is pointed at: the call, or the name when branches follow."""
    return step.span if step.branches is None else step.name.span


def nothing_current(step: tree.Call, place: Place) -> Poison:
    """Report a step that has no input."""
    names = [name for name, _ in place.build.inputs]
    if len(names) > 1:
        message = f"`{step.name.text}` has no input: the net has the inputs {', '.join(names)}, and none of them is current"
        help = f"say which: `from {names[0]} -> {place.scope.text(mark(step))}`"
    else:
        message = f"`{step.name.text}` has no input: nothing is current here"
        help = "a net starts with `input image[1, 28, 28]`"
    return place.scope.report("E0111", message, mark(step), help=help)
