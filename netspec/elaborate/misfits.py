"""Where to point when shapes do not fit: at the argument that decides, and at the step that made the tensor."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.diagnostics import Label, Span
from netspec.elaborate.place import Application, Place
from netspec.elaborate.values import Tensor, show


def producer(tensor: Tensor, span: Span, place: Place) -> list[Label]:
    """The step that made a tensor, unless it is the one that is pointed at."""
    if tensor.span.start <= span.start and span.end <= tensor.span.end:
        return []
    verb = "the input is" if place.build.is_input(tensor) else "produces"
    return [Label(tensor.span, f"{verb} {show(tensor)}")]


def argument_span(argument: str | None, at: Application, names: Sequence[str]) -> Span | None:
    """Where an argument was written, None when it has its default."""
    if argument not in names:
        return None
    given = at.found.arguments
    place = sum(item.name is None for item in given)
    for item in at.arguments:
        if (item.name.text if item.name else names[place]) == argument:
            return item.span
        place += item.name is None
    return next((item.span for k, item in enumerate(given) if (item.name or names[k]) == argument), None)
