"""A net as a picture: SVG with a layout of our own, Graphviz's dot, Mermaid. Blocks are one box each, equal ones in a row one box, xN."""

from __future__ import annotations

from typing import Literal

from netspec.diagnostics import UserError
from netspec.elaborate import CheckedNet
from netspec.picture.boxes import Drawing, drawing
from netspec.picture.dot import dot
from netspec.picture.layout import layout
from netspec.picture.mermaid import mermaid
from netspec.picture.svg import svg

Form = Literal["dot", "mermaid", "svg"]
FORMS: tuple[Form, ...] = ("dot", "mermaid", "svg")

MOST_BOXES = 2_000
"""What can still be looked at, and is laid out in a few seconds."""


def picture(net: CheckedNet, form: Form, *, unfold: bool = False) -> str:
    """The net in a form; `unfold` draws every layer of every block and of what repeats. Raises UserError for too large a picture."""
    drawn = drawing(net, unfold=unfold)
    if len(drawn.boxes) > MOST_BOXES:
        help = "draw it without `--unfold`" if unfold else "put what belongs together into blocks"
        raise UserError(f"{net.name} has {len(drawn.boxes):,} boxes, a picture at most {MOST_BOXES:,}", help)
    return _drawn(drawn, form)


def _drawn(drawn: Drawing, form: Form) -> str:
    match form:
        case "dot":
            return dot(drawn)
        case "mermaid":
            return mermaid(drawn)
        case "svg":
            return svg(layout(drawn))
