"""The shipped tables are those of the grammar, and are what a start reads."""

from __future__ import annotations

import json
import subprocess
import sys

import lark
import pytest

from netspec.syntax import tables


def shipped() -> str:
    return (tables.folder() / "tables.json").read_text(encoding="utf-8")


def grammar() -> str:
    return (tables.folder() / "netspec.lark").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_grammar() -> None:
    if json.loads(shipped())["lark"] != ".".join(lark.__version__.split(".")[:2]):
        pytest.skip("the tables are those of another series of Lark, so this one builds its own")
    assert tables.serialise(tables.build(grammar()), grammar()) + "\n" == shipped(), "run python -m netspec.syntax.tables"


def test_tables_of_another_grammar_are_not_used() -> None:
    stamp = json.loads(shipped())
    assert tables.current(stamp, grammar())
    assert not tables.current(stamp, grammar() + "\n")
    assert not tables.current({}, grammar())


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
    assert not {"numpy", "numba", "pydantic", "rich", "torch", "typer"} & set(loaded)
