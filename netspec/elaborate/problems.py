"""Collects diagnostics: each cause once, with the calls that lead to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from netspec.diagnostics import Diagnostic, Fix, Label, Severity, Source, Span
from netspec.elaborate.values import POISON, Current, Given, Poison, Tensor, Value, show
from netspec.records import record

MOST: Final = 50
"""Diagnostics of a file: nobody reads more, and a hostile file has any number."""


class TooMany(Exception):
    """The file has as many errors as are reported: it is not elaborated any further."""


@record
class Frame:
    """A call of a block, or a net made from a template, for the notes of what goes wrong inside."""

    name: str
    arguments: tuple[Given, ...]
    span: Span
    input: Current = None
    outer: Frame | None = None
    depth: int = 1
    of_net: bool = False

    @property
    def call(self) -> str:
        """`basic(128, stride=2)`."""
        given = ", ".join(f"{item.name}={_shown(item.value)}" if item.name else _shown(item.value) for item in self.arguments)
        return f"{self.name}({given})" if given else self.name

    def __str__(self) -> str:
        """`in basic(128, stride=2), called at residual.net:13:3, input [64, 32, 32]`."""
        place = f"{self.span.file}:{self.span.line}:{self.span.column}"
        reads = f", input {show(self.input)}" if isinstance(self.input, Tensor) else ""
        return f"in {self.call}, called at {place}{reads}"

    def notes(self) -> list[str]:
        """One note per level, the innermost first."""
        found: list[str] = []
        frame: Frame | None = self
        while frame is not None:
            found.append(str(frame))
            frame = frame.outer
        return found if len(found) <= 8 else [*found[:4], f".. {len(found) - 7} more calls ..", *found[-3:]]


def _shown(value: Value) -> str:
    """A value as a call has it: two numbers as a window, `7x7`."""
    match value:
        case (int() as height, int() as width) if height > 0 and width > 0:
            return f"{height}x{width}"
        case _:
            return show(value)


class Problems:
    """What is wrong with a file so far."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._found: dict[tuple[str, int, int], Diagnostic] = {}
        self._repeats: dict[tuple[str, int, int], int] = {}
        self.errors = 0

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        frame: Frame | None = None,
        label: str = "",
        labels: Sequence[Label] = (),
        notes: Sequence[str] = (),
        help: str | None = None,
        fix: Fix | None = None,
        severity: Severity = "error",
        part: str = "",
    ) -> Poison:
        """Note a diagnostic; the same code at the same place is counted instead. Gives the poison to go on with.

        `part` tells causes apart that have one place.
        """
        self.errors += severity == "error"
        key = f"{code} {part}", span.start, span.end
        if key in self._found:
            self._repeats[key] = self._repeats.get(key, 0) + 1
        else:
            if len(self._found) == MOST:
                raise TooMany
            notes = [*notes, *(frame.notes() if frame else ())]
            self._found[key] = Diagnostic(code, message, span, label, tuple(labels), tuple(notes), help, fix, severity)
        return POISON

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All of them, by their place in the file."""
        found = [self._folded(key, item) for key, item in self._found.items()]
        return tuple(sorted(found, key=lambda item: (item.span.file, item.span.start, item.span.end)))

    def _folded(self, key: tuple[str, int, int], item: Diagnostic) -> Diagnostic:
        if not (count := self._repeats.get(key)):
            return item
        return replace(item, notes=(*item.notes, f"the same {count} more time{'s' if count > 1 else ''}, in other calls, passes or nets"))

    def text(self, span: Span) -> str:
        """The source text of a span, on one line."""
        return " ".join(self.source.text[span.start : span.end].split())
