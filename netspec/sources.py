"""Which spec is meant: a path, the name of a bundled net, or the text itself."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from netspec.diagnostics import Source, UserError, did_you_mean
from netspec.records import record

_MOST_BYTES = 256 * 1024 + 1
"""One more than the parser takes, so that it is the parser that says so."""

_NET = re.compile(r"^\s*net\s+([A-Za-z_]\w*)(.*)$", re.MULTILINE)
_WITHOUT_DEFAULT = re.compile(r"[(,]\s*[A-Za-z_]\w*\s*(?=[,)])")


@record
class Found:
    """A spec, and the net of it that its name stands for."""

    source: Source
    net: str | None = None


def find(name: str) -> Found:
    """A path, else a bundled net (case ignored), else a bundled file. Raises UserError."""
    path = Path(name)
    try:
        there, is_folder = path.exists(), path.is_dir()
    except OSError as error:  # a name that is too long, say the text of a spec without its net
        raise UserError(f"no such file: {name[:60]}{'..' if len(name) > 60 else ''}", (error.strerror or str(error)).lower()) from error
    if is_folder:
        raise UserError(f"{name} is a folder", "name a spec in it, `net.net`")
    if there:  # a pipe too
        return Found(read(path))
    if (found := bundled(name)) is not None:
        return found
    if path.suffix or len(path.parts) > 1:
        raise UserError(f"no such file: {name}")
    known = [net for file in specs() for net in nets_of(file)]
    raise UserError(f"no file and no bundled net `{name}`", did_you_mean(name, known) or f"bundled: {', '.join(known)}")


def resolve(path_or_text: str) -> Found:
    """As `find`, or the text of a spec: whatever has a brace or a newline in it."""
    if "{" in path_or_text or "\n" in path_or_text:
        return Found(Source("<text>", path_or_text))
    return find(path_or_text)


def read(path: Path) -> Source:
    """The text of a file. Raises UserError."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError as error:
        raise UserError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(data) < _MOST_BYTES:
            raise UserError(f"{path} is no text: byte {error.start} is not UTF-8", "a spec is UTF-8 text") from error
        text = data.decode("utf-8", errors="replace")
    return Source(str(path), text.replace("\r\n", "\n"))


def bundled(name: str) -> Found | None:
    """A net that ships with netspec: net names first, then file names."""
    files = specs()
    for file in files:
        for net in nets_of(file):
            if net.lower() == name.lower():
                return Found(read(file), net)
    for file in files:
        if file.stem.lower() == name.lower():
            return Found(read(file))
    return None


def specs() -> list[Path]:
    """The bundled specs: of the installed package, or of a source tree that is not installed."""
    try:
        found = import_module("netspec.specs").__file__
    except ModuleNotFoundError:
        found = None
    folder = Path(found).parent if found else Path(__file__).parents[1] / "specs"
    return sorted(folder.glob("*.net"))


def nets_of(file: Path) -> list[str]:
    """The names of the nets in a bundled file, templates left out, found without parsing it."""
    found = _NET.findall(file.read_text(encoding="utf-8"))
    return [name for name, rest in found if rest.lstrip().startswith("=") or not _WITHOUT_DEFAULT.search(rest)]
