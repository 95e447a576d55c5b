"""From tiles to machine code: drivers are written as modules into the private cache, imported, and asked for their address.

A module's name tells its content, the generator's and the versions of the tools, so that a second start compiles nothing and a changed
generator never finds a stale module.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportAttributeAccessIssue=false, reportMissingTypeStubs=false

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import llvmlite
import numba

from netspec.runtime.cache import private_cache
from netspec.runtime.modules import import_generated
from netspec.schedule.program import Program, Tile
from netspec.targets.cpu import record, source, vector_math
from netspec.targets.cpu import tile as emitter

_loaded: dict[str, ModuleType] = {}


def build(program: Program) -> dict[Tile, int]:
    """The address of the driver of every tile of a program, compiled where the cache does not have it."""
    return {tile: address(tile) for tile in program.tiles}


def address(tile: Tile) -> int:
    """The address of a driver: `void(plan, private, block, part, first, last)`, 64-bit integers all."""
    name = source.driver_name(tile)
    module = _loaded.get(name)
    if module is None:
        with private_cache():
            module = _loaded[name] = import_generated("drivers", f"{name}_{_generator()}", source.driver_source(tile))
    return int(getattr(module, name).address)


@cache
def _generator() -> str:
    """A hash of what makes the code: the generator's files and the tools' versions."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__} {sys.version_info[:2]}".encode())
    for module in (record, source, emitter, vector_math):
        assert module.__file__
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()[:12]
