"""A drawing in Graphviz's language."""

from __future__ import annotations

from netspec.picture.boxes import Box, Drawing, Kind

_FILL: dict[Kind, str] = {
    "end": "#ffffff",
    "block": "#fdf0d5",
    "linear": "#dbe9f6",
    "window": "#e2f0d9",
    "merge": "#eae2f3",
    "plain": "#f2f2f2",
}


def dot(drawing: Drawing) -> str:
    """A digraph, top to bottom, shapes on its edges."""
    lines = [
        f"digraph {_quoted(drawing.name)} {{",
        f"  label={_quoted(f'{drawing.name}: {drawing.subtitle}')}; labelloc=t; fontname=Helvetica; rankdir=TB;",
        '  node [shape=box, style="rounded,filled", fontname=Courier, fontsize=11];',
        "  edge [fontname=Courier, fontsize=9];",
    ]
    for k, box in enumerate(drawing.boxes):
        shape = ", shape=plaintext" if box.kind == "end" else ""
        lines.append(f'  n{k} [label={_text(box)}, fillcolor="{_FILL[box.kind]}"{shape}];')
    lines += [f"  n{edge.source} -> n{edge.target} [label={_quoted(' ' + drawing.labels[edge.tensor])}];" for edge in drawing.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _text(box: Box) -> str:
    lines = [box.title, *box.lines[1:], *([f"{box.params:,} params"] if box.params else [])]
    return _quoted("\n".join(lines))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
