"""A layout as SVG: no script, no font of its own, colours for light and dark pages, the same bytes for the same net."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from netspec.picture.layout import LINE, PAD_Y, SMALL, Layout, Line, Placed, small_print

_RADIUS = 7

_STYLE = """
    text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 13px; fill: #1d2430 }
    .name { font-family: system-ui, "DejaVu Sans", Helvetica, Arial, sans-serif; font-size: 17px; font-weight: 600 }
    .small, .shape { font-size: 11px; fill: #5b6675 }
    .title { font-weight: 600 }
    rect { stroke-width: 1.2; fill: #f4f5f7; stroke: #8a94a3 }
    .page { fill: #ffffff; stroke: none }
    .end { fill: none; stroke: #8a94a3; stroke-dasharray: 3 3 }
    .block { fill: #fdf3dd; stroke: #b98a2f }
    .linear { fill: #e3edf8; stroke: #4a78a8 }
    .window { fill: #e6f2df; stroke: #5f8f46 }
    .merge { fill: #eee7f6; stroke: #7a5ba6 }
    .edge { fill: none; stroke: #66707f; stroke-width: 1.3 }
    .head { fill: #66707f }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6e9ee }
      .small, .shape { fill: #9aa5b4 }
      rect { fill: #262c35; stroke: #6f7a89 }
      .page { fill: #15191f }
      .block { fill: #3a301c; stroke: #c89b45 }
      .linear { fill: #1e2f42; stroke: #6d9fd3 }
      .window { fill: #24331d; stroke: #7fb262 }
      .merge { fill: #2e2540; stroke: #a184cf }
      .edge { stroke: #9aa5b4 }
      .head { fill: #9aa5b4 }
    }"""


def svg(layout: Layout) -> str:
    """The picture as the text of an SVG file."""
    return "\n".join([*_head(layout), *_body(layout), "</svg>"]) + "\n"


def _head(layout: Layout) -> Iterator[str]:
    name, subtitle = escape(layout.drawing.name), escape(layout.drawing.subtitle)
    size = f'width="{layout.width}" height="{layout.height}" viewBox="0 0 {layout.width} {layout.height}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    yield f"  <title>{name}</title>"
    yield f"  <desc>{subtitle}</desc>"
    yield f"  <style>{_STYLE}\n  </style>"
    head = 'viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"'
    yield f'  <marker id="head" {head}>'
    yield '    <path class="head" d="M0 0.5 L8 4 L0 7.5 Z"/>'
    yield "  </marker>"
    yield f'  <rect class="page" width="{layout.width}" height="{layout.height}" rx="8"/>'
    yield f'  <text class="name" x="24" y="36">{name}</text>'
    yield f'  <text class="small" x="24" y="56">{subtitle}</text>'


def _body(layout: Layout) -> Iterator[str]:
    yield from (f'  <path class="edge" d="{_path(line)}" marker-end="url(#head)"/>' for line in layout.lines)
    for placed in layout.placed:
        yield from _box(placed)
    yield from (f'  <text class="shape" x="{label.x}" y="{label.y}">{escape(label.text)}</text>' for label in layout.labels)


def _box(placed: Placed) -> Iterator[str]:
    """The box, a second one behind it where it stands for several, and its text, centred."""
    box, again = placed.box, 4 if placed.box.times > 1 else 0
    wide, tall = placed.width - again, placed.height - again
    radius = tall // 2 if box.kind == "end" else 6
    if again:
        yield _rectangle(box.kind, placed.x + again, placed.y + again, wide, tall, radius)
    yield _rectangle(box.kind, placed.x, placed.y, wide, tall, radius)
    x, y = placed.x + wide // 2, placed.y + PAD_Y + 12
    for k, line in enumerate((box.title, *box.lines[1:])):
        style = ' class="title"' if k == 0 and box.kind != "end" else ""
        yield f'  <text{style} x="{x}" y="{y + LINE * k}" text-anchor="middle">{escape(line)}</text>'
    if told := small_print(box):
        yield f'  <text class="small" x="{x}" y="{y + LINE * (len(box.lines) - 1) + SMALL}" text-anchor="middle">{escape(told)}</text>'


def _rectangle(kind: str, x: int, y: int, wide: int, tall: int, radius: int) -> str:
    return f'  <rect class="{kind}" x="{x}" y="{y}" width="{wide}" height="{tall}" rx="{radius}"/>'


def _path(line: Line) -> str:
    """The line with its corners rounded."""
    out = [f"M{line[0][0]} {line[0][1]}"]
    for before, corner, after in zip(line, line[1:], line[2:], strict=False):
        (ax, ay), (bx, by) = _towards(corner, before), _towards(corner, after)
        out.append(f"L{ax} {ay} Q{corner[0]} {corner[1]} {bx} {by}")
    out.append(f"L{line[-1][0]} {line[-1][1]}")
    return " ".join(out)


def _towards(corner: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The point a radius away from a corner, half way at most."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = min(_RADIUS, (abs(dx) + abs(dy)) // 2)
    return corner[0] + length * ((dx > 0) - (dx < 0)), corner[1] + length * ((dy > 0) - (dy < 0))
