"""The shipped tables are those of the grammar, and are what a start reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import lark
import pytest

from netspec.syntax import automaton, tables


def shipped() -> dict[str, object]:
    return json.loads((automaton.folder() / "tables.json").read_text(encoding="utf-8"))


def grammar() -> str:
    return (automaton.folder() / "netspec.lark").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_grammar() -> None:
    assert shipped()["grammar"] == grammar(), "run python -m netspec.syntax.tables"
    if shipped()["lark"] != tables.series():
        pytest.skip("another series of Lark may number rules otherwise")
    assert json.loads(json.dumps(tables.build(grammar()))) == shipped(), "run python -m netspec.syntax.tables"


def test_another_grammar_gets_tables_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netspec.lark").write_text(grammar().replace('repeat: "repeat" expr', 'repeat: "again" expr'), encoding="utf-8")
    (tmp_path / "tables.json").write_text(json.dumps(shipped()), encoding="utf-8")
    monkeypatch.setattr(automaton, "folder", lambda: tmp_path)
    words = automaton.load.__wrapped__().keywords["NAME"]
    assert words["again"] == "AGAIN"
    assert "repeat" not in words


def test_no_conflict_is_resolved_silently(caplog: pytest.LogCaptureFixture) -> None:
    """Lark prefers shifting in a conflict and only logs it."""
    lark.logger.setLevel("DEBUG")
    lark.logger.propagate = True
    try:
        with caplog.at_level("DEBUG"):
            lark.Lark(grammar(), parser="lalr", lexer="basic", debug=True)
    finally:
        lark.logger.setLevel("CRITICAL")
    assert "Shift/Reduce conflict" not in caplog.text


def test_a_start_imports_nothing_slow() -> None:
    script = "import sys, netspec.syntax.parse as p; p.parse('net N { relu }', 'n'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "numba", "pydantic", "rich", "torch", "lark"} & set(loaded)
