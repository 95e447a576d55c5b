"""A drawing in Mermaid's language, which many pages of Markdown show as a picture."""

from __future__ import annotations

from netspec.picture.boxes import Box, Drawing, Kind

_CLASSES: dict[Kind, str] = {
    "block": "fill:#fdf0d5,stroke:#b98a2f,color:#222",
    "linear": "fill:#dbe9f6,stroke:#4a78a8,color:#222",
    "window": "fill:#e2f0d9,stroke:#5f8f46,color:#222",
    "merge": "fill:#eae2f3,stroke:#7a5ba6,color:#222",
    "plain": "fill:#f2f2f2,stroke:#888,color:#222",
}


def mermaid(drawing: Drawing) -> str:
    """A flowchart, top to bottom, shapes on its edges."""
    lines = ["---", f"title: {drawing.name}", "---", "flowchart TB"]
    lines += [f"  n{k}{_node(box)}" for k, box in enumerate(drawing.boxes)]
    lines += [f"  n{edge.source} -- {_quoted(drawing.labels[edge.tensor])} --> n{edge.target}" for edge in drawing.edges]
    used = {box.kind for box in drawing.boxes}
    lines += [f"  classDef {kind} {style}" for kind, style in _CLASSES.items() if kind in used]
    return "\n".join(lines) + "\n"


def _node(box: Box) -> str:
    lines = [box.title, *box.lines[1:], *([f"{box.params:,} params"] if box.params else [])]
    text = _quoted("<br/>".join(map(_escaped, lines)), escape=False)
    return f"([{text}])" if box.kind == "end" else f"[{text}]:::{box.kind}"


def _quoted(text: str, *, escape: bool = True) -> str:
    return f'"{_escaped(text) if escape else text}"'


def _escaped(text: str) -> str:
    """Mermaid's entities for what means something to it."""
    for sign, entity in (("#", "#35;"), ("&", "#amp;"), ("<", "#lt;"), (">", "#gt;"), ('"', "#quot;"), ("`", "#96;")):
        text = text.replace(sign, entity)
    return text
