"""Where a statement stands: its names, and the line that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netspec.elaborate.build import Build
from netspec.elaborate.naming import Names
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import Labelled

Level = Literal["net", "if", "inner"]
"""`input` stands in a net's own body, `output` also inside its `if`s."""


@dataclass(frozen=True, slots=True)
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
