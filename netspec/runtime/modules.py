"""Generated modules: checked against what a generator may write, kept as files in the private cache, imported.

No text of a spec reaches a generated module; the check is there should a generator ever err.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from netspec import settings

IMPORTS = {
    "numba",
    "numpy",
    "netspec.kernels.scalar",
    "netspec.schedule.program",
    "netspec.targets.cpu.driver",
    "netspec.targets.cuda.functions",
}
BUILTINS = {"range", "float", "int"}
ATTRIBUTES = {"grid", "jit"}
NEVER = (ast.Import, ast.Lambda, ast.ClassDef, ast.Global, ast.Nonlocal, ast.AsyncFunctionDef, ast.Try, ast.With, ast.Delete)


def import_generated(folder: str, name: str, text: str) -> ModuleType:
    """Import the module `name` with this text, which is written to `folder` of the private cache unless it is there already."""
    place = settings.cache_folder() / folder
    place.mkdir(mode=0o700, exist_ok=True)
    write_generated(place / f"{name}.py", text)
    return import_written(place / f"{name}.py")


def write_generated(path: Path, text: str) -> None:
    """Check a module's text and write it, at once and whole."""
    check(text)
    if not path.exists() or path.read_text() != text:
        write_whole(path, text)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that nobody ever sees a part of it."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
        file.write(text)
    os.replace(file.name, path)


def import_written(path: Path) -> ModuleType:
    """Import a module that was written to the private cache."""
    spec = importlib.util.spec_from_file_location(f"netspec_generated_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # Numba looks the module up by name when it loads cached code
    spec.loader.exec_module(module)
    return module


def check(text: str) -> None:
    """Refuse a module that imports, calls or names what no generator writes."""
    tree = ast.parse(text)
    known = BUILTINS | {name for node in ast.walk(tree) for name in _introduced(node)}
    for node in ast.walk(tree):
        assert not isinstance(node, NEVER), f"a generated module has a {type(node).__name__}"
        match node:
            case ast.Name(id=name):
                assert "__" not in name, f"a generated module names {name}"
            case ast.Attribute(attr=name):
                assert name in ATTRIBUTES, f"a generated module reads .{name}"
            case ast.Call(func=ast.Name(id=name)):
                assert name in known, f"a generated module calls {name}"
            case _:
                pass


def _introduced(node: ast.AST) -> list[str]:
    """The names that a node of a module makes known: imported from the fixed list, defined, assigned."""
    match node:
        case ast.ImportFrom(module=module, names=names, level=level):
            assert module in IMPORTS and level == 0, f"a generated module imports from {module}"
            return [item.asname or item.name for item in names]
        case ast.FunctionDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
            return [name]
        case _:
            return []
