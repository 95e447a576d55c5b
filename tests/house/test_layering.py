"""Who may import whom. The way of the data is the order: text, graph, passes, schedule, targets, runtime; what stands later is not seen."""

from __future__ import annotations

import ast

import pytest

from netspec.kernels.scalar import PRIMITIVES
from netspec.layers import LAYERS
from tests.house.sources import PACKAGE, calls, imports, parsed

pytestmark = pytest.mark.house

BASE = {"records", "diagnostics", "schema"}
"""What everyone may import; it imports nothing else."""
LANGUAGE = {"syntax", "layers", "training", "graph", "kernels"}
STAGES = LANGUAGE | {"elaborate", "passes", "schedule", "targets", "runtime", "settings", "sources"}
MAY_IMPORT: dict[str, set[str]] = {
    "records": set(),
    "diagnostics": set(),
    "schema": set(),
    "settings": set(),
    "sources": set(),
    "kernels": set(),
    "syntax": set(),
    "graph": {"kernels"},
    "layers": {"graph", "kernels"},
    "training": {"graph", "kernels"},
    "elaborate": LANGUAGE | {"sources"},
    "passes": {"layers", "training", "graph", "kernels"},
    "schedule": {"graph", "kernels"},
    "targets": {"schedule", "kernels"},
    "runtime": {"targets", "schedule", "graph", "kernels", "settings"},
    "data": {"training", "settings"},
    "report": {"elaborate", "graph"},
    "compiler": STAGES - {"runtime"},
    "lints": {"elaborate", "graph", "syntax", "training"},
    "checking": {"lints", "elaborate", "report", "schedule", "runtime", "settings", "sources", "syntax"},
    "model": STAGES | {"compiler"},
    "explain": {"checking", "elaborate", "sources", "syntax"} | LANGUAGE,
    "picture": {"elaborate", "explain", "graph"},
    "show": STAGES | {"compiler", "model", "picture"},
    "trainer": STAGES | {"compiler", "model", "data"},
    "progress": {"trainer", "settings"},
    "bench": STAGES | {"compiler", "model"},
    "profile": STAGES | {"compiler", "model", "bench"},
    "ahead": STAGES | {"model", "trainer", "data"},
    "tools": STAGES | {"checking", "report"},
    "api": STAGES | {"compiler", "model", "trainer"},
}
ANYTHING = {"cli", "spec_commands", "__main__", "__init__"}
"""The command line, and the names that the package gives to its users."""

HEAVY = {"numba": ("targets", "runtime", "bench/peak"), "llvmlite": ("targets", "runtime", "bench/peak"), "lark": ("syntax/tables",)}
"""Libraries that only these may import."""
LATE = {"numpy", "numba", "llvmlite", "pydantic", "rich", "safetensors", "PIL", "torch"}
"""Libraries that a check does not load: nothing that it imports imports them."""
CHECK = (
    "kernels",
    "syntax",
    "graph",
    "layers",
    "training",
    "elaborate",
    "report",
    "checking",
    "records",
    "schema",
    "diagnostics",
    "settings",
    "sources",
    "lints",
    "tools",
)


def unit(path: str) -> str:
    """The package or module right under netspec that a file belongs to."""
    return path.removeprefix("netspec/").split("/")[0].removesuffix(".py")


def test_every_module_stands_somewhere() -> None:
    assert {unit(path) for path in parsed()} == set(MAY_IMPORT) | ANYTHING


@pytest.mark.parametrize("path", parsed())
def test_imports_go_downwards(path: str) -> None:
    here = unit(path)
    if here in ANYTHING:
        return
    used = {name.split(".")[1] for name in imports(parsed()[path]) if name.startswith("netspec.")}
    allowed = MAY_IMPORT[here] | BASE | {here}
    assert used <= allowed, f"{path} imports {sorted(used - allowed)}"


@pytest.mark.parametrize("library", HEAVY)
def test_libraries_have_their_place(library: str) -> None:
    users = [path for path, tree in parsed().items() if library in {name.split(".")[0] for name in imports(tree)}]
    assert all(path.removeprefix("netspec/").startswith(HEAVY[library]) for path in users), users


def test_a_check_is_light() -> None:
    for path, tree in parsed().items():
        if unit(path) in CHECK:
            assert not LATE & {name.split(".")[0] for name in imports(tree)}, path


def test_only_the_front_prints() -> None:
    for path, tree in parsed().items():
        if unit(path) not in ("cli", "spec_commands", "report", "progress"):
            assert not list(calls(tree, "print")), path


def test_only_settings_reads_the_environment() -> None:
    for path, tree in parsed().items():
        read = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & {"environ", "getenv", "putenv"}
        assert path == "netspec/settings.py" or not read, path


KNOWN = {
    "netspec/lints/windows.py": {"conv", "maxpool", "avgpool", "lppool", "gausspool", "subsample"},
    "netspec/lints/undone.py": {"conv", "convt", "dense", "bn", "softmax", "logsoftmax", "sigmoid"},
    "netspec/elaborate/steps.py": {"flatten"},  # the mend of an error
}
"""Layer names outside the layers: what errors say. Whatever is computed goes by formulas."""


def test_layers_are_named_in_their_own_files_alone() -> None:
    families = {path.stem for path in (PACKAGE / "layers").glob("*.py")}
    names = set(LAYERS) - set(PRIMITIVES) - {"max", "pad"}  # `add`, `tanh`, `max`: operations of kernels too; `pad=`: an argument
    for path, tree in parsed().items():
        if unit(path) not in ("layers", "bench"):  # the bench says what each layer is in other libraries
            found = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in names}
            assert found <= KNOWN.get(path, set()), f"{path}: {found}"
            single = {name for name in imports(tree) if name.startswith("netspec.layers.") and name.split(".")[2] in families}
            assert not single, f"{path} imports {single}: it may know the registry, no layer"
