"""The catalogue of codes: a page of Markdown for each, in `netspec/pages`. To add a code, add its page.

A page is a title, `# E0201: branches of a merge ..`, then paragraphs, and pairs of examples: a fenced `net failing`, for which a check
finds this code and no other, and the same `net mended`, for which it finds nothing. Words behind `failing` or `mended`: `train` (as
`netspec train` sees it) and `9000 times` (the file holds the example so often). A line `==> blocks.net` begins a file that it imports,
`==> f{k}.net 20 times` so many, in which `{k}` and `{k+1}` are numbers from 1 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from netspec.diagnostics import Diagnostic, Source, render
from netspec.records import record

FOLDER = Path(__file__).parents[1] / "pages"
_FILE = "==> "
NAME = "example.net"
"""How messages call the file of an example."""


@record
class Example:
    """A spec that has the fault, or has it no more."""

    kind: Literal["failing", "mended"]
    text: str
    times: int = 1
    trains: bool = False

    @property
    def source(self) -> Source:
        """The file that it stands for."""
        text, *others = self.text.split(_FILE)
        return Source(NAME, text * self.times, tuple(item for part in others for item in _files(part)))

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is found wrong with it."""
        from netspec.checking import check_source

        report = check_source(self.source, {}, net=None, target="plain")
        plans = [net.plan for net in report.nets if net.plan is not None] if self.trains else []
        return (*report.diagnostics, *(item for plan in plans for item in plan.deferred))

    def rendered(self) -> str:
        """The diagnostics as a terminal shows them."""
        sources = {name: Source(name, text) for name, text in self.source.carried or ()}
        return "\n\n".join(render(item, {NAME: self.source, **sources}) for item in self.diagnostics())


@record
class Page:
    """What a code means: paragraphs and examples in their order."""

    code: str
    title: str
    parts: tuple[str | Example, ...]

    @property
    def examples(self) -> tuple[Example, ...]:
        """The examples alone."""
        return tuple(part for part in self.parts if isinstance(part, Example))

    def text(self) -> str:
        """The page for a terminal, under each failing example what a check says of it."""
        out = [f"{self.code}: {self.title}"]
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
                continue
            out.append(_indented(part.text if part.times == 1 else f"{part.text}.. {part.times:,} times"))
            if part.kind == "failing":
                out.append(_indented(_shortened(part.rendered())))
        return "\n\n".join(out)


def codes() -> list[str]:
    """All codes, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.md"))


def titles() -> dict[str, str]:
    """What each code means, in one line."""
    return {code: page(code).title for code in codes()}


def page(code: str) -> Page:
    """The page of a code. Raises KeyError for one that there is not, ValueError for a page that is not well-formed."""
    try:
        text = (FOLDER / f"{code}.md").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyError(code) from None
    head, _, body = text.partition("\n")
    name, colon, title = head.removeprefix("# ").partition(": ")
    if not head.startswith("# ") or name != code or not colon:
        raise ValueError(f"{code}.md starts with {head!r}, not with `# {code}: ..`")
    pieces = body.split("```")  # paragraphs and fenced blocks in turn
    parts = [_example(piece) if k % 2 else piece.strip("\n") for k, piece in enumerate(pieces)]
    return Page(code, title, tuple(part for part in parts if part))


def _example(block: str) -> Example:
    words, _, text = block.partition("\n")
    match words.split():
        case ["net", "failing" | "mended" as kind, *more]:
            times = int(more[more.index("times") - 1]) if "times" in more else 1
            return Example(kind, text, times, "train" in more)
        case _:
            raise ValueError(f"an example is `net failing` or `net mended`, not `{words}`")


def _files(part: str) -> Iterator[tuple[str, str]]:
    """The files of a part of an example: their names, and their texts."""
    head, _, text = part.partition("\n")
    name, *times = head.split()
    for k in range(1, int(times[0]) + 1 if times else 2):
        yield name.replace("{k}", str(k)), text.replace("{k}", str(k)).replace("{k+1}", str(k + 1))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.rstrip("\n").split("\n"))


def _shortened(text: str) -> str:
    return "\n".join(line if len(line) <= 160 else f"{line[:157]}..." for line in text.split("\n"))
