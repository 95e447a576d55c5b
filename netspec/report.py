"""A check as people and programs read it: aligned text, Markdown, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from netspec.diagnostics import Diagnostic, Source, Span, render
from netspec.elaborate.results import CheckedNet, Expectation, Row
from netspec.graph.types import Shape
from netspec.records import record
from netspec.schema import Whole

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Cells = tuple[str, ...]

HEADS: Cells = ("layer", "kind", "output", "params", "MACs", "field", "pad")
_MOST = 8
"""Layers that are named in a line."""
_RIGHT = frozenset({"params", "MACs", "field"})


@record
class Report:
    """What `check` found: the nets of a file (those with errors up to the first bad layer), its expectations and diagnostics."""

    source: Source
    nets: tuple[CheckedNet, ...]
    expectations: tuple[Expectation, ...]
    diagnostics: tuple[Diagnostic, ...]
    target: str
    threads: int
    imported: tuple[Source, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; warnings are allowed."""
        return not any(item.severity == "error" for item in self.diagnostics)

    def net(self, name: str) -> CheckedNet:
        """A net by its name, KeyError when there is none."""
        return {net.name: net for net in self.nets}[name]

    def problems(self) -> str:
        """The diagnostics, as they stand on the terminal."""
        return "\n\n".join(render(item, self._sources()) for item in self.diagnostics)

    def _sources(self) -> dict[str, Source]:
        return {source.file: source for source in (self.source, *self.imported)}

    def to_dict(self) -> dict[str, Json]:
        """The report as plain data: the JSON form."""
        return {
            "target": self.target,
            "threads": self.threads,
            "nets": [_net(net) for net in self.nets],
            "expects": [_expectation(item) for item in self.expectations],
            "diagnostics": [_diagnostic(item, self._sources()) for item in self.diagnostics],
        }

    def to_json(self) -> str:
        """The JSON form as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_text(self, *, colour: bool = False) -> str:
        """Tables for a terminal."""
        return "\n\n".join("\n".join(_text(net, self._expected(net), colour)) for net in self.nets if net.rows or net.graph)

    def to_markdown(self) -> str:
        """Tables for a page."""
        return "\n\n".join("\n".join(_markdown(net, self._expected(net))) for net in self.nets)

    def to_concise(self) -> str:
        """The diagnostics, a line each, as editors and `grep` like them: `file:line:column: error[E0201]: message`."""
        lines = (f"{_place(item.span)}: {item.severity}[{item.code}]: {item.message}" for item in self.diagnostics)
        return "\n".join(" ".join(line.split("\n")) for line in lines)

    def to_github(self) -> str:
        """The diagnostics as commands of GitHub's workflows, which put them beside the lines of a pull request."""
        return "\n".join(map(_github, self.diagnostics))

    def summary(self) -> str:
        """How many errors and warnings there are."""
        errors = sum(item.severity == "error" for item in self.diagnostics)
        counts = ((errors, "error"), (len(self.diagnostics) - errors, "warning"))
        return ", ".join(f"{count or 'no'} {what}{'s' * (count != 1)}" for count, what in counts)

    def _expected(self, net: CheckedNet) -> list[Expectation]:
        return [item for item in self.expectations if item.net == net.name]

    def __str__(self) -> str:
        return "\n\n".join(part for part in (self.to_text(), self.problems()) if part)


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────


def _net(net: CheckedNet) -> dict[str, Json]:
    memory = net.memory
    needs: dict[str, Json] = {}
    for name, need in (("infer", memory.infer), ("train", memory.train)) if memory else ():
        needs[name] = {"fixed": _size(need.fixed), "per_sample": _size(need.per_sample)}
    return {
        "name": net.name,
        "inputs": {name: _sizes(shape) for name, shape in net.inputs.items()},
        "outputs": {name: _sizes(shape) for name, shape in net.output_shapes().items()},
        **({"smallest": dict(net.symbols)} if net.symbols else {}),
        "params": _size(net.params),
        "train_params": _size(net.in_training.params),
        "macs": _size(net.macs),
        "receptive_field": _field(net.receptive_field),
        "memory": needs or None,
        "layers": [_layer(row) for row in net.rows],
    }


def _layer(row: Row) -> dict[str, Json]:
    shapes: list[Json] = [_sizes(shape) for shape in row.inputs]
    return {
        "path": row.path,
        "kind": row.kind,
        "line": row.span.line,
        "input": shapes[0] if len(shapes) == 1 else shapes,
        "output": _sizes(row.output),
        "params": _size(row.params),
        "macs": _size(row.macs),
        "receptive_field": _field(row.receptive_field),
        "pads": None if row.pads is None else [_sizes(side) for side in row.pads],
    }


def _size(value: int) -> Json:
    """A number; text, as `64*H*W`, for what depends on sizes that are not bound."""
    return str(value) if isinstance(value, Whole) else value


def _sizes(values: Sequence[int]) -> Json:
    return [_size(value) for value in values]


def _field(pixels: tuple[int, ...] | None) -> Json:
    """One number where the axes agree."""
    if pixels is None:
        return None
    return pixels[0] if len(set(pixels)) == 1 else list(pixels)


def _expectation(item: Expectation) -> dict[str, Json]:
    status = "not applicable" if item.holds is None else "holds" if item.holds else "fails"
    return {"net": item.net, "text": item.text, "line": item.span.line, "status": status, "actual": item.actual or None}


def _diagnostic(item: Diagnostic, sources: dict[str, Source]) -> dict[str, Json]:
    marked = [(item.span, item.label)] if item.label else []
    marked += [(label.span, label.text) for label in item.labels]
    labels: list[Json] = [
        {"text": text, **({"file": span.file} if span.file != item.span.file else {}), "span": _span(span, sources)}
        for span, text in marked
    ]
    return {
        "code": item.code,
        "severity": item.severity,
        "message": item.message,
        "file": item.span.file,
        "span": _span(item.span, sources),
        "labels": labels,
        "notes": list(item.notes),
        "help": item.help,
        "fix": None if item.fix is None else {"span": _span(item.fix.span, sources), "text": item.fix.text},
    }


def _span(span: Span, sources: dict[str, Source]) -> dict[str, Json]:
    line, column = sources[span.file].locate(span.end)
    return {"start": {"line": span.line, "column": span.column}, "end": {"line": line, "column": column}}


def _place(span: Span) -> str:
    return f"{span.file}:{span.line}:{span.column}"


def _github(item: Diagnostic) -> str:
    """In properties `:` and `,` are escaped too."""
    more = [f"{_place(label.span)}: {label.text}" for label in item.labels] + [f"note: {note}" for note in item.notes]
    text = "\n".join([item.message + (f": {item.label}" if item.label else ""), *more, *([f"help: {item.help}"] if item.help else [])])
    at = {"file": item.span.file, "line": str(item.span.line), "col": str(item.span.column), "title": f"netspec {item.code}"}
    properties = ",".join(f"{name}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}" for name, value in at.items())
    return f"::{item.severity} {properties}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


# ── text ─────────────────────────────────────────────────────────────────────────────────────────


def _text(net: CheckedNet, expected: Sequence[Expectation], colour: bool) -> Iterator[str]:
    bold, dim, green, red, plain = ("\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m") if colour else ("",) * 5
    yield f"{bold}{net.name}{plain}  {_signature(net)}"
    yield ""
    rows = [_cells(row) for row in net.rows]
    total: Cells = ("total", "", "", f"{net.params:,}", f"{net.macs:,}", _pixels(net.receptive_field), "")
    widths = [max(map(len, column)) for column in zip(HEADS, *rows, total, strict=True)]
    rule = "  " + "─" * (sum(widths) + 2 * len(widths) - 2)
    yield f"{dim}  {_line(HEADS, widths)}{plain}"
    yield f"{dim}{rule}{plain}"
    yield from (f"  {_line(row, widths)}" for row in rows)
    yield f"{dim}{rule}{plain}"
    yield f"  {bold}{_line(total, widths)}{plain}"
    for note in _notes(net):
        yield ""
        yield f"  {note}"
    if net.memory is not None:
        yield ""
        yield f"  memory  inference {_need(net.memory.infer.fixed, net.memory.infer.per_sample)}"
        yield f"          training  {_need(net.memory.train.fixed, net.memory.train.per_sample)}"
    if expected:
        yield ""
        width = max(len(item.text) for item in expected)
        for item in expected:
            tick = f"{dim}-{plain}" if item.holds is None else f"{green}✓{plain}" if item.holds else f"{red}✗{plain}"
            yield f"  {tick} {item.text:<{width}}  {_outcome(item)}".rstrip()


def _line(cells: Cells, widths: Sequence[int]) -> str:
    parts = zip(HEADS, cells, widths, strict=True)
    return "  ".join(cell.rjust(width) if head in _RIGHT else cell.ljust(width) for head, cell, width in parts).rstrip()


def _markdown(net: CheckedNet, expected: Sequence[Expectation]) -> Iterator[str]:
    yield f"## {net.name}"
    yield ""
    yield _signature(net)
    yield ""
    yield f"| {' | '.join(HEADS)} |"
    yield f"|{'|'.join('---:' if head in _RIGHT else '---' for head in HEADS)}|"
    yield from (f"| {' | '.join(_cells(row))} |" for row in net.rows)
    yield f"| **total** | | | **{net.params:,}** | **{net.macs:,}** | **{_pixels(net.receptive_field)}** | |"
    for note in _notes(net):
        yield ""
        yield f"{note[0].upper()}{note[1:]}."
    if net.memory is not None:
        yield ""
        yield f"Memory: inference {_need(net.memory.infer.fixed, net.memory.infer.per_sample)};"
        yield f"training {_need(net.memory.train.fixed, net.memory.train.per_sample)}."
    if expected:
        yield ""
        for item in expected:
            mark = " " if item.holds is None else "x" if item.holds else "!"
            yield f"- [{mark}] `{item.text}` {_outcome(item)}".rstrip()


def _signature(net: CheckedNet) -> str:
    inputs = ", ".join(f"{name} {_shape(shape)}" for name, shape in net.inputs.items())
    outputs = ", ".join(f"{name} {_shape(shape)}" for name, shape in net.output_shapes().items())
    return f"{inputs} -> {outputs or '?'}"


def _smallest(net: CheckedNet) -> str:
    """What each size is at least."""
    return ", ".join(f"{name} from {size:,}" for name, size in net.symbols.items())


def _cells(row: Row) -> Cells:
    return (
        row.path,
        row.kind,
        _shape(row.output),
        _count(row.params),
        _count(row.macs),
        _pixels(row.receptive_field),
        _pads(row.pads),
    )


def _notes(net: CheckedNet) -> Iterator[str]:
    """What training adds, and which sizes are not bound."""
    if net.trained is not None:
        yield f"in training {net.trained.params:,} parameters: {_only_trained(net)}"
    if net.symbols:
        yield f"sizes: {_smallest(net)}"


def _only_trained(net: CheckedNet) -> str:
    """What stands in `if training`: the layers with parameters that the deployed net does not have."""
    deployed = {row.path for row in net.rows}
    rows = [row for row in net.in_training.rows if _count(row.params) and row.path not in deployed]
    shown = ", ".join(f"{row.path} {row.params:,}" for row in rows[:_MOST])
    return "with " + shown + (", .." if len(rows) > _MOST else "") if rows else "other layers, the same number"


def _count(value: int) -> str:
    return f"{value:,}" if isinstance(value, Whole) or value else ""


def _shape(shape: Shape) -> str:
    return str(list(shape))


def _pixels(field: tuple[int, ...] | None) -> str:
    return "" if field is None else "x".join(map(str, dict.fromkeys(field))) if len(set(field)) == 1 else "x".join(map(str, field))


def _pads(pads: tuple[tuple[int, int], ...] | None) -> str:
    """As the language writes padding: `2`, `(0, 1)` for height and width, `((0, 1), (0, 1))` per side."""
    if pads is None:
        return ""
    if len({side for pair in pads for side in pair}) == 1:
        return str(pads[0][0])
    if all(before == after for before, after in pads):
        return f"({', '.join(str(before) for before, _ in pads)})"
    return f"({', '.join(str(pair) for pair in pads)})"


def _need(fixed: int, per_sample: int) -> str:
    return f"{_bytes(fixed)} + {_bytes(per_sample)} x N"


def _bytes(count: int) -> str:
    if isinstance(count, Whole):
        return f"({count:,}) bytes"
    size, unit = next((s, u) for s, u in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "bytes")) if count >= s or s == 1)
    return f"{count / size:.1f} {unit}" if size > 1 else f"{count} {unit}"


def _outcome(item: Expectation) -> str:
    return "not applicable with --set" if item.holds is None else item.actual


def highlight(text: str) -> str:
    """Diagnostics in colour: what is wrong by severity, carets red, the frame around the source blue."""
    return "\n".join(map(_coloured, text.split("\n")))


def _coloured(line: str) -> str:
    body = line.lstrip(" ")
    if line.startswith(("error", "warning")):
        head, colon, rest = line.partition(":")
        return f"\x1b[1;{31 if line.startswith('error') else 33}m{head}{colon}\x1b[0;1m{rest}\x1b[0m"
    if body.startswith("|") and body[1:].lstrip(" ").startswith("^"):
        bar = line.index("|") + 1
        return f"\x1b[34m{line[:bar]}\x1b[1;31m{line[bar:]}\x1b[0m"
    return f"\x1b[34m{line}\x1b[0m" if body.startswith(("-->", "|", "= ")) else line
