"""A line of a spec in numbers: for each layer that it makes the formula, sizes, counts as products, receptive field, memory.

Everything follows from the layer's formulas, as its kernels do: nothing here knows a layer by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from netspec import sources
from netspec.diagnostics import Source, UserError
from netspec.elaborate import CheckedNet, Setting, elaborate
from netspec.elaborate.facts import FLOAT, Facts, Library
from netspec.elaborate.reach import Reach, of_input
from netspec.explain.arguments import call
from netspec.explain.arithmetic import MOST_LINES, counts, fields, sizes
from netspec.graph.graph import Node
from netspec.records import record
from netspec.syntax.parse import parse

_MOST = 12
"""Applications that a line lists beside the one that it explains."""


_WIDEST = 160
"""Characters of a formula."""


@record
class Applied:
    """A layer of a net, the parameters that are its own, and the reach of what it reads."""

    node: Node
    facts: Facts
    params: int
    reads: tuple[Reach | None, ...]
    reach: Reach | None


def text(file: str, line: int, settings: Mapping[str, Setting], net: str | None) -> str:
    """The explanation. Raises UserError where no layer stands on the line, SpecError for a file with errors."""
    found = sources.find(file)
    checked = elaborate(parse(found.source.text, found.source.file), found.source, settings, net=net or found.net)
    there = {item.name: on_line(item, found.source.file, line) for item in checked.nets}
    chosen = next((item for item in checked.nets if there[item.name]), None)
    if chosen is None:
        raise UserError(f"{file}:{line} makes no layer", _lines_with_layers(checked.nets, found.source.file, line))
    others = [name for name, layers in there.items() if layers and name != chosen.name]
    head = f"{found.source.file}:{line}  {_line(found.source, line)}"
    parts = [head, *_blocks(there[chosen.name], found.source)]
    if others:
        parts.append(f"This is {chosen.name}. The line also makes layers of {', '.join(others)}: choose with `--net`.")
    return "\n\n".join(parts)


def on_line(net: CheckedNet, file: str, line: int) -> list[Applied]:
    """The layers that a line makes, in the order in which they are applied."""
    return [item for item in applied(net) if item.node.span and (item.node.span.file, item.node.span.line) == (file, line)]


def applied(net: CheckedNet) -> Iterator[Applied]:
    """Every layer of a net with its facts and reach."""
    library = Library()
    reaches: dict[str, Reach | None] = {name: of_input(shape) for name, shape in net.inputs.items()}
    for node, row in zip(net.graph.layers if net.graph else (), net.rows, strict=False):
        reaches[node.output.name] = row.reach
        yield Applied(node, library.facts(node.layer, row.inputs), row.params, tuple(reaches[name] for name in node.inputs), row.reach)


def _line(source: Source, line: int) -> str:
    lines = source.lines()
    return lines[line - 1].strip() if line <= len(lines) else ""


def _lines_with_layers(nets: Sequence[CheckedNet], file: str, line: int) -> str:
    """The lines nearest to this one that make layers."""
    known = {item.node.span.line for net in nets for item in applied(net) if item.node.span and item.node.span.file == file}
    near = sorted(sorted(known, key=lambda other: abs(other - line))[:6])
    return f"lines near it that do: {', '.join(map(str, near))}" if near else "the file has no net with layers"


def _blocks(layers: Sequence[Applied], source: Source) -> Iterator[str]:
    """One block of text for each step of the line; what a loop or block makes of the same step again is listed below it."""
    steps: dict[int, list[Applied]] = {}
    for item in layers:
        assert item.node.span is not None
        steps.setdefault(item.node.span.start, []).append(item)
    for _, same in sorted(steps.items()):
        yield "\n".join([*_layer(same[0]), *_again(same)])


def _layer(item: Applied) -> Iterator[str]:
    facts = item.facts
    reads = " and ".join(str(list(shape)) for shape in facts.inputs)
    yield f"{item.node.name}: {call(facts.layer)}   {reads} -> {list(facts.output)}"
    yield ""
    yield from _rows("formula", list(_formulas(facts)))
    for axis, size in sizes(facts):
        yield from _rows(axis, [size])
    for what, lines in counts(facts):
        yield from _rows(what, lines)
    yield from _rows("shared", list(_shared(item)))
    yield from _rows("receptive field", list(fields(item.reads, facts.looks, item.reach)))
    yield from _rows("memory", list(_memory(facts)))


def _rows(what: str, lines: Sequence[str]) -> Iterator[str]:
    """Lines with their heading beside the first."""
    for k, line in enumerate(lines):
        yield f"  {what if k == 0 else '':<16}  {line}"


def _formulas(facts: Facts) -> Iterator[str]:
    formulas = facts.inference.formulas
    yield from (text if len(text) <= _WIDEST else f"{text[:_WIDEST]}.." for text in map(str, formulas[:MOST_LINES]))
    if len(formulas) > MOST_LINES:
        yield f".. and {len(formulas) - MOST_LINES} more of this kind"


def _shared(item: Applied) -> Iterator[str]:
    """Which weights belong to another layer, and how many numbers are the layer's own."""
    others = [name for name in item.node.weights if not name.startswith(f"{item.node.name}.")]
    if others:
        yield f"{', '.join(others)} is read here and counted there; {item.params:,} parameters are its own"


def _memory(facts: Facts) -> Iterator[str]:
    if facts.overwrites:
        yield "its result takes the place of its input"
    else:
        yield f"for each sample {FLOAT} x {prod(facts.output):,} = {facts.bytes:,} bytes of its result"
    if facts.saved:
        yield f"training keeps {facts.saved:,} bytes for its gradient"
    if facts.stored:
        yield f"weights {FLOAT} x {facts.stored:,} = {FLOAT * facts.stored:,} bytes"


def _again(same: Sequence[Applied]) -> Iterator[str]:
    """The other layers that the step makes."""
    if len(same) == 1:
        return
    yield ""
    yield f"  the same step makes {len(same) - 1} more:"
    rows = [(item.node.name, " and ".join(str(list(shape)) for shape in item.facts.inputs), item.facts) for item in same[1 : _MOST + 1]]
    wide, reads = max(len(name) for name, _, _ in rows), max(len(shapes) for _, shapes, _ in rows)
    for name, shapes, facts in rows:
        parts = [f"{facts.params:,} parameters" if facts.params else "", f"{facts.macs:,} multiplications" if facts.macs else ""]
        told = f"   {', '.join(part for part in parts if part)}" if any(parts) else ""
        yield f"    {name:<{wide}}  {shapes:>{reads}} -> {list(facts.output)}{told}"
    if len(same) > _MOST + 1:
        yield f"    .. and {len(same) - 1 - _MOST} more"
