"""Which net a command means: `resnet18`, `nets/a.net`, `nets/a.net:B`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netspec import sources
from netspec.diagnostics import Source, SpecError, UsageError, UserError
from netspec.elaborate import CheckedNet, examine
from netspec.syntax.parse import parse


def find(name: str) -> sources.Found:
    """A path or a bundled net, of a file with several nets the one named behind `:`. Raises UserError."""
    path, colon, net = name.rpartition(":")
    if not colon or Path(name).exists():
        return sources.find(name)
    return sources.Found(sources.find(path).source, net)


def nets(found: sources.Found) -> tuple[CheckedNet, ...]:
    """The nets that are meant, without errors. Raises SpecError, and UsageError for a net that the file does not have."""
    source = found.source
    done = examine(parse(source.text, source.file), source, net=found.net)
    if done.failed:
        raise SpecError(done.diagnostics, [source])
    return done.nets


def one_of_each(first: str, second: str) -> tuple[tuple[Source, CheckedNet], tuple[Source, CheckedNet]]:
    """A net of each: the one that is named, the only one, or those that both have under one name. Raises UserError."""
    found = find(first), find(second)
    mine, yours = map(nets, found)
    common = [net.name for net in mine if net.name in {other.name for other in yours}]
    if len(common) == 1:
        mine, yours = (tuple(net for net in some if net.name == common[0]) if len(some) > 1 else some for some in (mine, yours))
    return (found[0].source, _only(first, mine)), (found[1].source, _only(second, yours))


def _only(name: str, some: Sequence[CheckedNet]) -> CheckedNet:
    match some:
        case [net]:
            return net
        case []:
            raise UserError(f"{name} has no net")
        case _:
            names = ", ".join(net.name for net in some)
            raise UsageError(f"{name} has several nets: {names}", f"name one: `{name}:{some[0].name}`")
