"""Collects diagnostics: each cause once, with the calls that lead to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from netspec.diagnostics import Diagnostic, Fix, Label, Severity, Source, Span
from netspec.elaborate.values import POISON, Current, Given, Poison, Tensor, Value, show
from netspec.records import record

MOST: Final = 50
"""Diagnostics of a file: nobody reads more, and a hostile file has any number."""


class TooMany(Exception):
    """The file has as many errors as are reported: it is not elaborated any further."""


Key = tuple[str, str, int, int]
"""Code and place: file, first and last character."""


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
    turns: Callable[[], Iterable[str]] = tuple
    """The passes of loops that the call stands in, as notes."""

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
            found += [str(frame), *frame.turns()]
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
        self.sources = {source.file: source}
        self.remark = ""  # a note that all diagnostics get for now
        self._found: dict[Key, Diagnostic] = {}
        self._repeats: dict[Key, int] = {}
        self.errors = 0

    def add_source(self, source: Source) -> None:
        """A file that is imported, whose text diagnostics may show."""
        self.sources[source.file] = source

    def add(self, diagnostics: Sequence[Diagnostic]) -> None:
        """What has been found elsewhere: the syntax errors of a file."""
        for item in diagnostics:
            key = item.code, item.span.file, item.span.start, item.span.end
            if self._is_new(key, item.severity):
                self._found[key] = item

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
        key = f"{code} {part}", span.file, span.start, span.end
        if self._is_new(key, severity):
            notes = [*notes, *(frame.notes() if frame else ()), *([self.remark] if self.remark else ())]
            self._found[key] = Diagnostic(code, message, span, label, tuple(labels), tuple(notes), help, fix, severity)
        return POISON

    def _is_new(self, key: Key, severity: Severity) -> bool:
        """Count a diagnostic; whether it is the first of its kind at its place."""
        self.errors += severity == "error"
        if key in self._found:
            self._repeats[key] = self._repeats.get(key, 0) + 1
            return False
        if len(self._found) == MOST:
            raise TooMany
        return True

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All of them, by their place in the file."""
        found = [self._folded(key, item) for key, item in self._found.items()]
        places = {file: place for place, file in enumerate(self.sources)}
        return tuple(sorted(found, key=lambda item: (places.get(item.span.file, -1), item.span.start, item.span.end)))

    def _folded(self, key: Key, item: Diagnostic) -> Diagnostic:
        if not (count := self._repeats.get(key)):
            return item
        return replace(item, notes=(*item.notes, f"the same {count} more time{'s' if count > 1 else ''}, in other calls, passes or nets"))

    def text(self, span: Span) -> str:
        """The source text of a span, on one line."""
        source = self.sources.get(span.file)  # a setting's text is in no file
        return "" if source is None else " ".join(source.text[span.start : span.end].split())
