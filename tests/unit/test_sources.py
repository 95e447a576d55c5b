"""Which spec a name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec import sources
from netspec.diagnostics import UserError


def test_paths_bundled_nets_and_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_text("net A { relu }\r\n", encoding="utf-8")
    assert sources.find(str(path)).source.text == "net A { relu }\n"
    assert sources.find("resnet50").net == "ResNet50"
    assert sources.resolve("let a = 1\n").source.file == "<text>"


@pytest.mark.parametrize("name", ["missing.net", "no/such/file", "let a = [" + "1," * 100_000 + "]"])
def test_what_is_no_file(name: str) -> None:
    with pytest.raises(UserError, match="no such file") as caught:
        sources.resolve(name)
    assert len(str(caught.value)) < 200
