"""`netspec zoo`: the nets that come with netspec."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from netspec import sources
from netspec.elaborate import CheckedNet, examine
from netspec.records import record
from netspec.report import Json
from netspec.syntax.parse import parse
from netspec.tools.columns import columns, markdown, size

_HEADS = ("net", "input", "params", "MACs", "file", "what it is")
_RIGHT = (2, 3)


@record
class Entry:
    """A net of a bundled file; `about`: the first line of the comment that the file begins with."""

    net: CheckedNet
    file: Path
    about: str

    def cells(self, first: bool) -> tuple[str, ...]:
        """The entry as a row of the table; the `first` of a file says what the file is, up to the first colon."""
        inputs = ", ".join(str(list(shape)) for shape in self.net.inputs.values())
        file, about = (self.file.name, self.about.partition(": ")[0]) if first else ("", "")
        return self.net.name, inputs, f"{self.net.params:,}", f"{self.net.macs:,}", file, about


def entries() -> Iterator[Entry]:
    """All bundled nets that are free of errors, by file."""
    for file in sources.specs():
        source = sources.read(file)
        found = examine(parse(source.text, source.file), source)
        yield from (Entry(net, file, about(source.text)) for net in found.nets if net.graph is not None)


def about(text: str) -> str:
    """What the comment at the head of a spec says first."""
    found = re.match(r"\s*#+[ \t]*(\S[^\n]*)", text)
    return found[1].rstrip() if found else ""


def to_text(form: str) -> str:
    """The zoo as `table`, `md` or `json`."""
    found = list(entries())
    if form == "json":
        return json.dumps([_json(entry) for entry in found], indent=2, ensure_ascii=False)
    rows = [entry.cells(k == 0 or found[k - 1].file != entry.file) for k, entry in enumerate(found)]
    return "\n".join(markdown(_HEADS, rows, _RIGHT) if form == "md" else columns(_HEADS, rows, _RIGHT))


def _json(entry: Entry) -> Json:
    net = entry.net
    shapes: dict[str, Json] = {name: [size(dim) for dim in shape] for name, shape in net.inputs.items()}
    counts: dict[str, Json] = {"params": size(net.params), "macs": size(net.macs)}
    return {"name": net.name, "inputs": shapes, **counts, "file": str(entry.file), "about": entry.about}
