"""From tiles to machine code: drivers are written as modules into the private cache, many to a module, imported, and asked for.

The folder's name tells the generator and the versions of the tools, a module's name its drivers; beside the modules, a file of each
driver's name says which module has it. So a second start compiles nothing, nets share drivers, and stale code is never found.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportAttributeAccessIssue=false, reportMissingTypeStubs=false

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import llvmlite
import numba

from netspec import settings
from netspec.runtime.cache import private_cache
from netspec.runtime.modules import import_written, write_generated, write_whole
from netspec.schedule.program import Tile
from netspec.targets.cpu import driver, record, source, vector_math
from netspec.targets.cpu import tile as emitter
from netspec.targets.cpu.driver import driver_name

MOST, FEWEST = 48, 8
"""Drivers of a module: at most so many; fewer are not worth a process of their own."""
WORKER = """
import os, pathlib, sys
sys.path[:] = sys.argv[1].split(os.pathsep)
from netspec.runtime.build import load
for path in sys.argv[2:]:
    load(pathlib.Path(path))
"""

_known: dict[Tile, int] = {}


def build(tiles: Iterable[Tile]) -> dict[Tile, int]:
    """The address of the driver of every tile: `void(plan, private, block, part, first, last)`, 64-bit integers all.

    What the cache does not have is compiled, in several processes at once where there is much of it.
    """
    wanted = tuple(dict.fromkeys(tiles))
    unknown = [tile for tile in wanted if tile not in _known]
    if unknown:
        folder = _folder()
        found = {tile: _module_of(folder, tile) for tile in unknown}
        for path in dict.fromkeys(path for path in found.values() if path is not None):
            load(path)
        _compile(folder, [tile for tile, path in found.items() if path is None])
    return {tile: _known[tile] for tile in wanted}


def uncompiled(tiles: Iterable[Tile]) -> list[Tile]:
    """Those of which neither this process nor the cache has a driver."""
    folder = _folder()
    return [tile for tile in dict.fromkeys(tiles) if tile not in _known and _module_of(folder, tile) is None]


def load(path: Path) -> None:
    """Import a module of drivers, compiling it unless the cache has its code, and note which drivers it has."""
    with private_cache():
        module = import_written(path)
    for number, tile in enumerate(module.TILES):
        _known[tile] = module.address.ctypes(number)
        entry = path.parent / driver_name(tile)
        if not entry.exists():
            write_whole(entry, path.name)


def _module_of(folder: Path, tile: Tile) -> Path | None:
    """The module that has a tile's driver, None where there is none."""
    try:
        path = folder / (folder / driver_name(tile)).read_text()
    except FileNotFoundError:
        return None
    return path if path.exists() else None


def _compile(folder: Path, tiles: Sequence[Tile]) -> None:
    """Write the drivers of tiles as modules and load those, after other processes have compiled their share of them."""
    workers = max(1, min(settings.threads(), len(tiles) // FEWEST))
    count = max(workers, -(-len(tiles) // MOST))
    paths = [_write(folder, tiles[number::count]) for number in range(count)] if tiles else []
    with ExitStack() as stack:
        others: list[subprocess.Popen[bytes]] = []
        for number in range(1, workers):
            command = [sys.executable, "-c", WORKER, os.pathsep.join(sys.path), *map(str, paths[number::workers])]
            others.append(stack.enter_context(subprocess.Popen(command)))
            stack.callback(others[-1].kill)  # an interrupt ends them, too
        for path in paths[::workers]:
            load(path)
        for other in others:
            other.wait()
    for path in (path for number in range(1, workers) for path in paths[number::workers]):
        load(path)


def _write(folder: Path, tiles: Sequence[Tile]) -> Path:
    text = source.module_source(tiles)
    path = folder / f"drivers_{hashlib.sha256(text.encode()).hexdigest()[:16]}.py"
    write_generated(path, text)
    return path


def _folder() -> Path:
    folder = settings.cache_folder() / f"drivers-{_generator()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@cache
def _generator() -> str:
    """A hash of what makes the code: the generator's files and the tools' versions."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__} {sys.version_info[:2]}".encode())
    for module in (record, source, driver, emitter, vector_math):
        assert module.__file__
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()[:12]
