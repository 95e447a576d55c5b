"""A module of drivers as Python source: the tiles that it has code for, and the one function that tells where each driver stands.

A module carries no text of any spec: tiles are all it knows of a net. It is real, readable Python, and what Numba's cache compiles once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass

from netspec.kernels.scalar import Expr
from netspec.schedule.program import Tile
from netspec.targets.cpu.driver import driver_name

HEAD = '''"""Drivers of register tiles; netspec/targets/cpu/driver.py says what they do.

Written by netspec; do not edit.
"""

from numba import cfunc

from netspec.kernels.scalar import Call, Constant
from netspec.schedule.program import At, Kind, Reduced, ReducedAt, Slot, Tile
from netspec.targets.cpu.driver import make_drivers

TILES = (
'''
TAIL = """\
)
drivers = make_drivers(TILES)


@cfunc("int64(int64)", cache=True)
def address(number):
    return drivers(number)
"""


def module_source(tiles: Sequence[Tile]) -> str:
    """The module whose `address(number)` is the machine code for the tile of that number."""
    return HEAD + "".join(f"    # {number}: {driver_name(tile)}\n{_literal_lines(tile)}" for number, tile in enumerate(tiles)) + TAIL


def literal(value: object) -> str:
    """A frozen dataclass of plain values as the Python expression that builds it."""
    if is_dataclass(value) and not isinstance(value, type):
        shown = [f"{item.name}={literal(getattr(value, item.name))}" for item in fields(value) if getattr(value, item.name) != item.default]
        return f"{type(value).__name__}({', '.join(shown)})"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f'float("{value}")'
    assert value is None or isinstance(value, bool | int | float | str | Expr), value
    return repr(value)


def _literal_lines(tile: Tile) -> str:
    """The literal of a tile, one field a line."""
    shown = [(item.name, getattr(tile, item.name)) for item in fields(tile) if getattr(tile, item.name) != item.default]
    lines = (f"        {name}={literal(value)},\n" for name, value in shown)
    return f"    Tile(\n{''.join(lines)}    ),\n"
