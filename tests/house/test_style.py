"""Style, types and lengths."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.house.sources import PACKAGE, ROOT, parsed

pytestmark = pytest.mark.house

FILE, FUNCTION, EMITTER = 400, 40, 80
"""Lines: a file and a function have fewer; a function that writes vector IR may be longer."""
EMITTERS = ("netspec/targets/",)


def run(*command: str) -> str:
    """What a tool finds fault with."""
    if find_spec(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    assert run("ruff", "check", "--no-cache", ".") == ""


def test_everything_is_formatted() -> None:
    assert run("ruff", "format", "--check", "--no-cache", ".") == ""


def test_types() -> None:
    assert run("basedpyright", "--pythonpath", sys.executable) == ""


@pytest.mark.parametrize("folder", [PACKAGE, ROOT / "tests"], ids=["netspec", "tests"])
def test_files_are_short(folder: Path) -> None:
    long = {path: lines for path in parsed(folder) if (lines := (ROOT / path).read_text().count("\n")) >= FILE}
    assert not long


@pytest.mark.parametrize("folder", [PACKAGE, ROOT / "tests"], ids=["netspec", "tests"])
def test_functions_are_short(folder: Path) -> None:
    long = {}
    for path, tree in parsed(folder).items():
        most = EMITTER if path.startswith(EMITTERS) else FUNCTION
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines >= most:
                    long[f"{path}:{node.lineno} {node.name}"] = lines
    assert not long


def test_nothing_is_left_unfinished() -> None:
    words = ("TO" + "DO", "FIX" + "ME")
    for path in (*parsed(PACKAGE), *parsed(ROOT / "tests")):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not any(word in text for word in words), path
