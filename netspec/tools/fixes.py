"""`netspec check --fix`: what diagnostics offer as their mend is applied, and the text checked again.

A fix is kept if what it mends is gone and the text parses no worse than before. Mends uncover what was hidden behind the errors, so this
goes on until nothing is left that can be mended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netspec.diagnostics import Diagnostic, Fix, Source
from netspec.records import record
from netspec.report import Report

ROUNDS = 20
"""Each round mends at least one thing; a text that needs more is looked at by its author first."""

Check = Callable[[Source], Report]


@record
class Applied:
    """A mend that was applied: of what, and the text that it replaced."""

    diagnostic: Diagnostic
    before: str
    after: str

    def __str__(self) -> str:
        """`a.net:3:16: E0104: strid -> stride`, the place as it was then."""
        span = self.diagnostic.span
        change = f"`{self.before}` -> `{self.after}`" if self.before and self.after else ""
        change = change or (f"`{self.after}` put in" if self.after else f"`{self.before}` taken out")
        return f"{span.file}:{span.line}:{span.column}: {self.diagnostic.code}: {' '.join(change.split())}"


@record
class Mended:
    """A text after its mends, and the report on it."""

    source: Source
    applied: tuple[Applied, ...]
    report: Report


def mend(source: Source, check: Check) -> Mended:
    """Apply the fixes of a text's diagnostics, all of a round at once where that goes well, else one by one."""
    report, applied = check(source), list[Applied]()
    for _ in range(ROUNDS):
        found = _apart([item for item in report.diagnostics if item.fix is not None and item.fix.span.file == source.file])
        done = _round(source, report, found, check) if found else None
        if done is None:
            break
        source, report, new = done
        applied += new
    return Mended(source, tuple(applied), report)


def _apart(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Those whose fixes do not touch each other; the first counts."""
    kept: list[Diagnostic] = []
    end = -1
    for item in sorted(found, key=lambda item: (_fix(item).span.start, _fix(item).span.end)):
        if _fix(item).span.start > end:
            kept.append(item)
            end = _fix(item).span.end
    return kept


def _round(source: Source, report: Report, found: Sequence[Diagnostic], check: Check) -> tuple[Source, Report, list[Applied]] | None:
    """The text with these fixes, or with the first of them that mends anything."""
    for some in (found, *([item] for item in found)) if len(found) > 1 else (found,):
        text = source.text
        for item in reversed(some):
            text = text[: _fix(item).span.start] + _fix(item).text + text[_fix(item).span.end :]
        after = Source(source.file, text)
        now = check(after)
        if _better(report, now, some):
            changed = [Applied(item, source.text[_fix(item).span.start : _fix(item).span.end], _fix(item).text) for item in some]
            return after, now, changed
    return None


def _better(before: Report, after: Report, mended: Sequence[Diagnostic]) -> bool:
    """Whether the text parses no worse, and what was to be mended is said less often."""
    if _syntax(after) > _syntax(before):
        return False
    said, still = ([f"{item.code} {item.message}" for item in report.diagnostics] for report in (before, after))
    return all(still.count(text) < said.count(text) for text in {f"{item.code} {item.message}" for item in mended})


def _syntax(report: Report) -> int:
    return sum(item.code < "E01" for item in report.diagnostics)


def _fix(item: Diagnostic) -> Fix:
    assert item.fix is not None
    return item.fix
