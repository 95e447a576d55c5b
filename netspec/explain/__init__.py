"""Explanations for people who learn: what a code means, what a layer does, how the numbers of a line come about."""

from __future__ import annotations

import re
from collections.abc import Mapping

from netspec.diagnostics import UsageError, nearest
from netspec.elaborate import Setting
from netspec.explain import declarations, layers, lines, pages
from netspec.layers import LAYERS, LOSSES, layer_meant
from netspec.training import SETTINGS

_LINE = re.compile(r"(?P<file>.+):(?P<line>\d{1,9})")


def explain(topic: str | None, settings: Mapping[str, Setting] | None = None, *, net: str | None = None) -> str:
    """What there is to say of a code (`E0201`), a layer, loss or setting (`conv`, `cosine`), or a line (`lenet.net:6`); None lists all.

    `settings` and `net` choose what of the file is meant. Raises UsageError for what is none of these, UserError for a file or line that
    is not there, SpecError for a file with errors.
    """
    if topic is None:
        return _topics()
    if (place := _LINE.fullmatch(topic)) is not None:
        return lines.text(place["file"], int(place["line"]), settings or {}, net)
    if (code := topic.upper()) in pages.codes():
        return pages.page(code).text()
    return _of_name(topic)


def _of_name(name: str) -> str:
    known = {**LAYERS, **LOSSES}
    found = [layers.text(known[name])] if name in known else []
    found += [declarations.text(*item) for item in [declarations.find(name)] if item]  # `pad` is both
    if found:
        return "\n\n".join(found)
    if (told := declarations.setting(name)) is not None:
        return told
    if (meant := layer_meant(name, known)) is not None:
        return f"`{name}` is called `{meant}` here.\n\n{layers.text(known[meant])}"
    raise UsageError(f"nothing to explain under `{name}`", _nearest(name, [*known, *declarations.names(), *SETTINGS, *pages.codes()]))


def _nearest(name: str, topics: list[str]) -> str:
    """The help for what is no topic: the nearest one, of a code its family, else where all are listed."""
    if name.endswith(".net"):
        return f"name a line of it: `{name}:6`"
    family = [code for code in pages.codes() if code[:3] == name[:3].upper()]
    if close := nearest(name, topics):
        return f"did you mean `{close[0]}`?"
    return f"near it: {', '.join(family)}" if family else "`netspec explain` lists the topics"


def _topics() -> str:
    """Everything that can be asked for, a line each."""
    groups = {
        "layers": [(name, layers.summary(item)) for name, item in LAYERS.items()],
        "losses": [(name, layers.summary(item)) for name, item in LOSSES.items()],
        "train blocks": [(name, declarations.summary(name)) for name in declarations.names()],
        "codes": list(pages.titles().items()),
    }
    width = max(len(name) for items in groups.values() for name, _ in items)
    out = ["netspec explain TOPIC: a code, a layer, a setting of a train block, or FILE:LINE for the arithmetic of a line."]
    for title, items in groups.items():
        out += ["", title, *(f"  {name:<{width}}  {text}" for name, text in items)]
    return "\n".join(out)
