"""`netspec fmt`: files in canonical layout, with the shapes of their statements where that is asked for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from netspec import sources
from netspec.diagnostics import Source, UserError
from netspec.records import record
from netspec.syntax.format import layout
from netspec.syntax.parse import parse
from netspec.syntax.text import text as tree_text
from netspec.tools.annotate import annotated


@record
class Formatted:
    """A text before and after."""

    source: Source
    after: str

    @property
    def changed(self) -> bool:
        """Whether the layout was another one."""
        return self.source.text != self.after


def reformat(source: Source, *, annotate: bool = False) -> Formatted:
    """The text in canonical layout; with `annotate`, `:: [..]` behind the statements of its nets. Raises SpecError for faulty texts.

    What is given back has been parsed again, and has the same tree.
    """
    spec = parse(source.text, source.file)
    text = annotated(source, spec) if annotate else source.text
    if annotate:
        spec = parse(text, source.file)
    after = layout(text)
    assert tree_text(parse(after, source.file), places=False) == tree_text(spec, places=False), "the layout changed what the text says"
    return Formatted(source, after)


def files(names: Iterable[str]) -> Iterator[Path]:
    """The files that are named; of a folder, all specs in it. Raises UserError for what is not there."""
    for path in map(Path, names):
        if path.is_dir():
            yield from sorted(path.rglob("*.net"))
        elif path.exists():
            yield path
        else:
            raise UserError(f"no such file: {path}")


def reformat_file(path: Path, *, annotate: bool = False, write: bool = True) -> bool:
    """Bring a file into canonical layout; whether it was not. Raises SpecError, then nothing is written."""
    done = reformat(sources.read(path), annotate=annotate)
    if done.changed and write:
        replace(path, done.after)
    return done.changed


def replace(path: Path, text: str) -> None:
    """Write a spec whole or not at all, with the line ends that it had. Raises UserError."""
    path = path.resolve()
    try:
        if b"\r\n" in path.read_bytes():
            text = text.replace("\n", "\r\n")
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            Path(name).chmod(path.stat().st_mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
