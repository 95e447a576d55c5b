"""What is wrong with a spec or its data: codes, places, causes and mends. Everyone may import this module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Literal

from netspec.records import record

Severity = Literal["error", "warning"]


@record
class Source:
    """A spec's text and the name under which messages mention it. `carried`: the files that it imports, as keys and texts, where they come
    with it and are not to be read from its folder.
    """

    file: str
    text: str
    carried: tuple[tuple[str, str], ...] | None = None

    def lines(self) -> list[str]:
        """The text's lines, as an editor counts them."""
        return self.text.split("\n")

    def locate(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of a character offset."""
        before = self.text[:offset]
        return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


@record
class Span:
    """The characters [start, end) of a file; `line` and `column` (from 1) are those of `start`."""

    file: str
    start: int
    end: int
    line: int
    column: int

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of the other."""
        return Span(self.file, self.start, max(self.end, other.end), self.line, self.column)


@record
class Label:
    """A second place that explains the first, with a few words."""

    span: Span
    text: str


@record
class Fix:
    """A mend that a tool may apply: replace the characters of `span` by `text`."""

    span: Span
    text: str


@record
class Diagnostic:
    """One thing that is wrong: what (`message`), where (`span`, `label`), why (`labels`, `notes`), the mend (`help`, `fix`)."""

    code: str
    message: str
    span: Span
    label: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    fix: Fix | None = None
    severity: Severity = field(default="error")


class SpecError(Exception):
    """A spec cannot be used; `diagnostics` says why, all of it."""

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Iterable[Source] = ()) -> None:
        self.diagnostics = tuple(diagnostics)
        self.sources = {source.file: source for source in sources}
        super().__init__("\n\n".join(render(item, self.sources) for item in self.diagnostics))


class UserError(Exception):
    """Something outside the spec is wrong (a file, data, a folder): a message and how to mend it, exit code 1."""

    def __init__(self, message: str, help: str | None = None) -> None:
        self.message, self.help = message, help
        super().__init__(message if help is None else f"{message}\n  = help: {help}")


class UsageError(UserError):
    """A mistake in the command or the call, not in a file: a parameter, net or target that does not exist. Exit code 2."""


_LONGEST_NAME = 100
"""What is longer is no mistyped name, and takes long to compare."""


def nearest(name: str, known: Iterable[str], limit: int = 1) -> list[str]:
    """The known names closest to `name` by edit distance, none when nothing is close enough to be meant."""
    if len(name) > _LONGEST_NAME:
        return []
    far = max(1, len(name) // 3)
    alike = (item for item in set(known) if abs(len(item) - len(name)) <= far)  # the distance is no less than that
    scored = sorted((_distance(name.lower(), item.lower()), item) for item in alike)
    return [item for score, item in scored if score <= far][:limit]


def did_you_mean(name: str, known: Sequence[str]) -> str | None:
    """A help line: the nearest name, else the whole list when it is short."""
    if close := nearest(name, known):
        return f"did you mean `{close[0]}`?"
    return "known: " + ", ".join(f"`{item}`" for item in sorted(known)) if 0 < len(known) <= 16 else None


def _distance(a: str, b: str) -> int:
    """Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]


def render(diagnostic: Diagnostic, sources: dict[str, Source]) -> str:
    """The diagnostic as text, the lines of the source beneath, as rustc lays them out."""
    span = diagnostic.span
    out = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    marks = [(span, "^", diagnostic.label)] + [(item.span, "-", item.text) for item in diagnostic.labels]
    here = [mark for mark in marks if mark[0].file == span.file]
    width = max(len(str(mark[0].line)) for mark in here)
    out.append(f"{' ' * width}--> {span.file}:{span.line}:{span.column}")
    if (source := sources.get(span.file)) is not None:
        out += _excerpt(source, here, width)
    out += [f"{' ' * width} = note: {note}" for note in diagnostic.notes]
    elsewhere = [mark for mark in marks if mark[0].file != span.file]
    out += [f"{' ' * width} = note: {where.file}:{where.line}:{where.column}: {text}" for where, _, text in elsewhere]
    if diagnostic.help:
        out.append(f"{' ' * width} = help: {diagnostic.help}")
    return "\n".join(out)


def _excerpt(source: Source, marks: Sequence[tuple[Span, str, str]], width: int) -> list[str]:
    lines = source.lines()
    bar = f"{' ' * width} |"
    out, previous = [bar], None
    for number in sorted({mark[0].line for mark in marks}):
        if previous is not None and number > previous + 2:
            out.append("...")
        elif previous is not None and number == previous + 2:
            out.append(f"{previous + 1:>{width}} | {_visible(lines[previous])}".rstrip())
        text = lines[number - 1] if number <= len(lines) else ""
        out.append(f"{number:>{width}} | {_visible(text)}".rstrip())
        for span, mark, label in sorted((m for m in marks if m[0].line == number), key=lambda m: -m[0].column):
            room = max(1, len(text) + 1 - (span.column - 1))
            length = max(1, min(span.end - span.start, room))
            lead = _visible(text[: span.column - 1])
            out.append(f"{bar} {' ' * len(lead)}{mark * length} {label}".rstrip())
        previous = number
    return [*out, bar]


def _visible(text: str) -> str:
    """Tabs as four spaces, other control characters as a dot: the carets then stand beneath what they mean."""
    return "".join("    " if c == "\t" else c if c.isprintable() else "·" for c in text)
