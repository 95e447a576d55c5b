"""Values that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.diagnostics import Diagnostic
from netspec.lints.net import Net, place, warning
from netspec.syntax import tree


def unread_values(net: Net) -> Iterator[Diagnostic]:
    """Layers whose result is lost."""
    for node in net.kinds():
        if node.output.name not in net.reads and node.output.name not in net.wanted:
            help = "read it (`from a -> ..`, `concat(a)`), make it a result (`output a`), or remove the line"
            yield warning("W0302", f"nothing reads what `{node.layer.name}` makes here", place(node), help=help)


def unread_inputs(net: Net) -> Iterator[Diagnostic]:
    """Inputs that no layer takes."""
    lost = [name for name in net.checked.inputs if name not in net.reads and name not in net.wanted]
    bodies = [item.body for item in net.spec.declarations if isinstance(item, tree.Net)] if lost else []
    for item in (item for body in bodies for item in body.items if isinstance(item, tree.Input)):
        if item.name.text in lost and net.checked.span.file == item.span.file:
            help = f"`from {item.name.text} -> ..` starts with it"
            yield warning("W0302", f"nothing reads the input `{item.name.text}`", item.name.span, help=help)
