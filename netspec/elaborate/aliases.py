"""`net B = A(depth=3)`: which net a name stands for in the end, and with which parameters."""

from __future__ import annotations

from netspec.diagnostics import did_you_mean
from netspec.elaborate.binding import Signature, all_words, gather
from netspec.elaborate.problems import Frame
from netspec.elaborate.scope import Context, Scope
from netspec.elaborate.values import POISON, Given, Poison
from netspec.records import record
from netspec.syntax import tree

Declared = tree.Block | tree.Net | tree.Alias


@record
class Meant:
    """A block or net, the file that it is read in, and what aliases on the way give its parameters; `frame` is the first of them."""

    item: tree.Block | tree.Net
    home: Context
    given: dict[str, Given]
    frame: Frame | None = None


def meant(item: Declared, home: Context) -> Meant | Poison:
    """What a name stands for; what is no alias is itself. An alias that leads to no net is reported where it stands."""
    way: list[tuple[tree.Alias, Context]] = []
    while isinstance(item, tree.Alias):
        found = home.step(item.template.text)
        if found is None or isinstance(found[0], tree.Block) or any(found[0] is alias for alias, _ in way):
            return _nothing(item, home, found[0] if found else None)
        way.append((item, home))
        item, home = found
    given: dict[str, Given] = {}
    frame: Frame | None = None
    for alias, user in way:
        arguments = gather(signature(item.name.text, item.formals), (), alias.arguments, Scope(user))
        if isinstance(arguments, Poison):
            return POISON
        frame = frame or Frame(item.name.text, tuple(arguments.values()), alias.span, of_net=True)
        given = arguments | given
    return Meant(item, home, given, frame)


def template(item: Declared, home: Context) -> tree.Net | None:
    """The net that a name stands for in the end, None when that is nothing; reports nothing."""
    seen: list[tree.Alias] = []
    while isinstance(item, tree.Alias):
        seen.append(item)
        found = home.step(item.template.text)
        if found is None or any(found[0] is alias for alias in seen):
            return None
        item, home = found
    return item if isinstance(item, tree.Net) else None


def _nothing(alias: tree.Alias, home: Context, found: Declared | None) -> Poison:
    name, report = alias.template.text, home.problems.report
    if name in home.file.foreign:
        return POISON
    if isinstance(found, tree.Block):
        return report(
            "E0116", f"`{name}` is a block, not a net", alias.template.span, help="an alias gives a net another name and parameters"
        )
    if found is not None:
        message = f"`{alias.name.text}` leads through aliases to no net"
        return report("E0115", message, alias.template.span, help="one of them must be a net")
    known = [other for other in (*home.file.nets, *home.file.imports) if other != alias.name.text]
    return report("E0116", f"unknown net `{name}`", alias.template.span, help=did_you_mean(name, known))


def signature(name: str, formals: tuple[tree.Formal, ...]) -> Signature:
    """What a block or net takes: any value, words of layers among them."""
    return Signature(name, tuple(formal.name.text for formal in formals), lambda _: all_words(None))
