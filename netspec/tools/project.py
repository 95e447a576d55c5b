"""`netspec new NAME --from resnet18`: a folder with a spec of one's own, that starts as a bundled net and needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from netspec.diagnostics import Source, Span, UserError
from netspec.elaborate import CheckedNet, elaborate
from netspec.syntax import tree
from netspec.syntax.format import layout
from netspec.syntax.parse import parse
from netspec.tools.choose import find

FILE: Final = "net.net"
_WORD: Final = re.compile(r'"[^"\n]*"|#[^\n]*|[A-Za-z_][A-Za-z0-9_]*')


def create(name: str, origin: str) -> tuple[Path, tuple[CheckedNet, ...]]:
    """Write a project's spec, `NAME/net.net`, or `NAME` where that ends with `.net`; its path and nets. Raises UserError, SpecError."""
    path = Path(name) if name.endswith(".net") else Path(name) / FILE
    found = find(origin)
    text = extracted(found.source, found.net)
    nets = elaborate(parse(text, str(path)), Source(str(path), text)).nets
    if path.exists():
        raise UserError(f"{path} is there already", "choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
    return path, nets


def extracted(source: Source, net: str | None) -> str:
    """What a net of a file needs, in the file's order with its comments: the whole file where no net is named. Raises SpecError."""
    spec = parse(source.text, source.file)
    if net is None:
        return layout(source.text)
    elaborate(spec, source, net=net)  # the errors of the file are said of the file
    needed = _needed(spec, source.text, net)
    lines = source.text.split("\n")
    head = next((k for k, line in enumerate(lines) if not line.startswith("#")), len(lines))
    kept = set(range(head))
    for item in spec.declarations:
        if item in needed:
            kept |= set(_lines(item.span, source.text, lines))
    return layout(_joined(lines, kept))


def _joined(lines: Sequence[str], kept: set[int]) -> str:
    """The lines that are kept, and an empty one where some stood between them."""
    out: list[str] = []
    last = -1
    for k in sorted(kept):
        between = lines[last + 1 : k]
        if out and any(not line.strip() for line in between):
            out.append("")
        out.append(lines[k])
        last = k
    return "\n".join(out) + "\n"


def _lines(span: Span, text: str, lines: Sequence[str]) -> Iterator[int]:
    """The numbers of a declaration's lines, and of the comments right above it."""
    first = span.line - 1
    last = text.count("\n", 0, span.end)
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    yield from range(first, last + 1)


def _needed(spec: tree.Spec, text: str, net: str) -> list[tree.Declaration]:
    """The net, what it is an alias of, how both are trained, what is expected of it, and whatever any of these mention."""
    chain = [net]
    named = {item.name.text: item for item in spec.declarations if isinstance(item, tree.Net | tree.Alias)}
    while isinstance(item := named.get(chain[-1]), tree.Alias) and item.template.text not in chain:
        chain.append(item.template.text)
    trained = {item.net.text for item in spec.declarations if isinstance(item, tree.Train)}
    trainer = next((name for name in chain if name in trained), None)
    needed: list[tree.Declaration] = []
    pending = [item for item in spec.declarations if _is_of(item, chain, trainer)]
    while pending:
        item = pending.pop()
        needed.append(item)
        words = set(_WORD.findall(text[item.span.start : item.span.end]))
        pending += [other for other in spec.declarations if words & _defined(other) and other not in needed and other not in pending]
    return needed


def _is_of(item: tree.Declaration, chain: Sequence[str], trainer: str | None) -> bool:
    match item:
        case tree.Net() | tree.Alias():
            return item.name.text in chain
        case tree.Expect():
            return item.net.text == chain[0]
        case tree.Train():
            return item.net.text == trainer
        case _:
            return False


def _defined(item: tree.Declaration) -> set[str]:
    """The names that a declaration gives, for others to mention."""
    match item:
        case tree.Use():
            return {(part.alias or part.name).text for part in item.imports}
        case tree.Train() | tree.Expect():
            return set()
        case _:
            return {item.name.text}
