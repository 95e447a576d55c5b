"""Names that a file gives and never uses: blocks, constants, parameters, imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from netspec.diagnostics import Diagnostic, Source, Span
from netspec.syntax import tree

_WORD: Final = re.compile(r'"[^"\n]*"|#[^\n]*|[A-Za-z_][A-Za-z0-9_]*')


def unused_names(spec: tree.Spec, source: Source) -> Iterator[Diagnostic]:
    """Warnings for names that stand nowhere but where they are defined. A file without nets is a library: its blocks are for others.

    A name counts as used wherever the word stands again, be it for something else: no warning is better than a wrong one.
    """
    words: dict[str, list[int]] = {}
    for match in _WORD.finditer(source.text):
        words.setdefault(match[0], []).append(match.start())
    library = not any(isinstance(item, tree.Net | tree.Alias) for item in spec.declarations)
    for what, name, around in _names(spec):
        if library and around is None:
            continue
        places = words.get(name.text, [])
        if sum(1 for at in places if around is None or around.start <= at < around.end) <= 1:
            help = "remove it, or use it" if around is None else "remove it here and from the calls, or use it"
            yield Diagnostic("W0306", f"{what} `{name.text}` is never used", name.span, help=help, severity="warning")


def _names(spec: tree.Spec) -> Iterator[tuple[str, tree.Name, Span | None]]:
    """What each name is of, and the declaration in which it is to be used; None for the whole file."""
    for item in spec.declarations:
        match item:
            case tree.Block() | tree.Op():
                yield "the block" if isinstance(item, tree.Block) else "the op", item.name, None
                yield from _inner_names(item)
            case tree.Net():
                yield from _inner_names(item)
            case tree.Let() | tree.Param():
                yield "the constant" if isinstance(item, tree.Let) else "the parameter", item.name, None
            case tree.Use():
                yield from (("the import", part.alias or part.name, None) for part in item.imports)
            case tree.Alias() | tree.Train() | tree.Expect():
                pass


def _inner_names(item: tree.Block | tree.Op | tree.Net) -> Iterator[tuple[str, tree.Name, Span | None]]:
    yield from (("the parameter", formal.name, item.span) for formal in item.formals)
    for inner in item.body.items if isinstance(item, tree.Block | tree.Net) else ():
        if isinstance(inner, tree.Let):
            yield "the constant", inner.name, item.span
