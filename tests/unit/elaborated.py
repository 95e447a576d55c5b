"""Short forms for tests of elaboration: from a text to its nets, its diagnostics, its names."""

from __future__ import annotations

from netspec.diagnostics import Diagnostic, Source, render
from netspec.elaborate import CheckedNet, Elaborated, Setting, examine
from netspec.syntax.parse import parse


def examined(text: str, settings: dict[str, Setting] | None = None, net: str | None = None, file: str = "n.net") -> Elaborated:
    """The text, elaborated, errors in the result."""
    return examine(parse(text, file), Source(file, text), settings, net=net)


def sound(text: str, settings: dict[str, Setting] | None = None, net: str | None = None) -> CheckedNet:
    """The last net of a text without errors."""
    found = examined(text, settings, net)
    assert not found.diagnostics, rendered(found)
    return found.nets[-1]


def errors(text: str, settings: dict[str, Setting] | None = None) -> list[Diagnostic]:
    """The errors of a text, of which there must be some."""
    found = [item for item in examined(text, settings).diagnostics if item.severity == "error"]
    assert found
    return found


def only_error(text: str) -> Diagnostic:
    """The one error of a text."""
    (error,) = errors(text)
    return error


def at(error: Diagnostic, text: str) -> str:
    """The source text that an error points at."""
    return text[error.span.start : error.span.end]


def rendered(found: Elaborated) -> str:
    """All diagnostics as text."""
    sources = {source.file: source for source in (found.source, *found.imported)}
    return "\n\n".join(render(item, sources) for item in found.diagnostics)


def net(body: str, shape: str = "[3, 8, 8]") -> str:
    """A net of one input, `x`."""
    return f"net N {{\n  input x{shape}\n{body}\n}}"


def rows(checked: CheckedNet) -> dict[str, tuple[int, ...]]:
    """Paths and result shapes."""
    return {row.path: row.output for row in checked.rows}


def weights(checked: CheckedNet) -> list[str]:
    """The full names of all weights."""
    assert checked.graph is not None
    return [weight.name for weight in checked.graph.weights]
