"""Values that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.lints.net import Finding, Net, warning
from netspec.syntax import tree


def unread_values(net: Net) -> Iterator[Finding]:
    """Layers whose result is lost."""
    for step in net.steps:
        if step.name in net.readers or step.name in net.wanted:
            yield "W0302", step.span, None
        else:
            help = "read it (`from a -> ..`, `concat(a)`), make it a result (`output a`), or remove the line"
            yield warning("W0302", f"nothing reads what `{step.layer.name}` makes here", step.span, help=help)


def unread_inputs(net: Net) -> Iterator[Finding]:
    """Inputs that no layer takes."""
    bodies = (item.body for item in net.spec.declarations if isinstance(item, tree.Net))
    for item in (item for body in bodies for item in body.items if isinstance(item, tree.Input)):
        name = item.name.text
        if name in net.readers or name in net.wanted:
            yield "W0302", item.name.span, None
        elif name in net.checked.inputs:
            yield warning("W0302", f"nothing reads the input `{name}`", item.name.span, help=f"`from {name} -> ..` starts with it")
