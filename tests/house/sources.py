"""The package's files, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "netspec"


@cache
def parsed(folder: Path = PACKAGE) -> dict[str, ast.Module]:
    """The tree of every file, by its path from the repository's root."""
    files = [path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts]
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def imports(tree: ast.Module) -> Iterator[str]:
    """The dotted names that a file imports, wherever it does: `a.b` for `import a.b` and for `from a import b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{item.name}" for item in node.names)


def calls(tree: ast.Module, name: str) -> Iterator[int]:
    """The lines where a function of this plain name is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node.lineno
