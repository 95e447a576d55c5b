"""Which spec is meant: a path, the name of a bundled net, or the text itself."""

from __future__ import annotations

import re
from importlib import import_module
from itertools import islice
from os.path import normpath
from pathlib import Path, PurePosixPath

from netspec.diagnostics import Source, UserError, did_you_mean
from netspec.records import record

TEXT = "<text>"
"""The name of a spec that is given as text."""

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
        return Found(Source(TEXT, path_or_text))
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
    """The bundled specs."""
    return sorted(_bundle().glob("*.net"))


def _bundle() -> Path:
    """Their folder: of the installed package, or of a source tree that is not installed."""
    try:
        found = import_module("netspec.specs").__file__
    except ModuleNotFoundError:
        found = None
    return Path(found).parent if found else Path(__file__).parents[1] / "specs"


def nets_of(file: Path) -> list[str]:
    """The names of the nets in a bundled file, templates left out, found without parsing it."""
    found = _NET.findall(file.read_text(encoding="utf-8"))
    return [name for name, rest in found if rest.lstrip().startswith("=") or not _WITHOUT_DEFAULT.search(rest)]


# ── imports ──────────────────────────────────────────────────────────────────────────────────────

_STANDARD = "std"
_MARKS = (".git", "pyproject.toml")
_LISTED = 1000
"""Files of a folder that are looked through for a similar name."""


class Project:
    """The files that a spec may import: those in its project's folder, and the standard library.

    A file is known by its key: its path from the spec's folder, with `/`, or `std.vision`. The project's folder is the nearest one above
    the spec that holds `.git` or `pyproject.toml`, else the spec's own.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.folder = Path(source.file).parent
        self.name = Path(source.file).name
        """The key of the spec itself."""

    def relative(self, path: str, user: str) -> str:
        """The key of a path in the file of key `user`. Raises UserError for one that can be no import."""
        if self.source.carried is None and self.source.file == TEXT:
            raise UserError("a spec that is given as text has no folder to import from", "save it to a file, or import from `std.vision`")
        if user.startswith(f"{_STANDARD}."):
            raise UserError("the standard library imports no files")
        if not path.endswith(".net"):
            raise UserError(f"`{path}` is no spec: its name ends in `.net`")
        if PurePosixPath(path).is_absolute() or Path(path).is_absolute():
            raise UserError(f"`{path}` starts at the root", "the path of an import starts at the folder of the file that it stands in")
        return normpath(PurePosixPath(user).parent / path).replace("\\", "/")

    def library(self, names: tuple[str, ...]) -> str:
        """The key of a dotted name. Raises UserError for one that the standard library does not have."""
        known = sorted(f"{_STANDARD}.{path.stem}" for path in (_bundle() / _STANDARD).glob("*.net"))
        if (key := ".".join(names)) not in known:
            raise UserError(f"no library `{key}`", did_you_mean(key, known))
        return key

    def open(self, key: str) -> Source:
        """The text of an import. Raises UserError where it cannot be read, or lies outside of the project's folder."""
        shown = key if self.folder == Path() or _is_library(key) else normpath(self.folder / key)
        if (text := dict(self.source.carried or ()).get(key)) is not None:
            return Source(shown, text)
        if _is_library(key):
            return Source(key.replace(".", "/") + ".net", read(_bundle() / _STANDARD / f"{key.partition('.')[2]}.net").text)
        if self.source.carried is not None:
            raise UserError(f"`{key}` does not come with the spec")
        return Source(shown, read(self._contained(key)).text)

    def _contained(self, key: str) -> Path:
        try:
            base = self.folder.resolve()
            path, root = (base / key).resolve(), project_folder(base)
            inside, there = path.is_relative_to(root), path.is_file()
        except (OSError, ValueError, RuntimeError) as error:  # a name too long, a character that no name has, links in a circle
            raise UserError(f"`{key[:60]}` is no path that can be read: {error}") from error
        if not inside:
            raise UserError(f"`{key}` lies outside of the project's folder", f"only files in {root} can be imported")
        if not there:
            found = [item.name for item in islice(path.parent.glob("*.net"), _LISTED) if item.is_file()]
            close = did_you_mean(path.name, found)
            raise UserError(f"no such file: {key}", close or f"looked in {path.parent}")
        return path


def _is_library(key: str) -> bool:
    return key.startswith(f"{_STANDARD}.") and not key.endswith(".net")


def project_folder(folder: Path) -> Path:
    """The nearest folder at or above this one that holds `.git` or `pyproject.toml`, else this one."""
    return next((item for item in (folder, *folder.parents) if any((item / mark).exists() for mark in _MARKS)), folder)
