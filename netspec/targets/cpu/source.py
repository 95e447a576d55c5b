"""The driver of a tile as Python source: the loops around it, in a module of its own that every net shares.

A driver carries no text of any spec: its name is a hash of what it computes, sizes and strides come from the launch's record.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass

from netspec.kernels.scalar import Expr
from netspec.schedule.program import Tile
from netspec.targets.cpu import record

SIGNATURE = "void(int64, int64, int64, int64, int64, int64)"


def driver_name(tile: Tile) -> str:
    """What it is, and a hash that tells it from all others."""
    what = "map" if tile.body is None else "dot" if str(tile.body).count("*") == 1 and tile.combine == "sum" else tile.combine
    digest = hashlib.sha256(repr(tile).encode()).hexdigest()[:12]
    return f"{what}_{tile.rows}x{tile.vectors}x{tile.lanes}_{digest}"


def driver_source(tile: Tile) -> str:
    """The module of a driver. The loops around the tile are counted as one: its operands move by the innermost loop's strides, and are
    placed
    anew where that loop ends.
    """
    lines = [
        f'"""{_words(tile)}',
        "",
        "Written by netspec; do not edit.",
        '"""',
        "",
        "from numba import cfunc",
        "",
        "from netspec.kernels.scalar import Call, Constant",
        "from netspec.schedule.program import Kind, Reduced, ReducedAt, Slot, Tile",
        "from netspec.targets.cpu.tile import make_tile, peek",
        "",
        "tile = make_tile(",
        *_indented(literal(tile)),
        ")",
        "",
        "",
        f'@cfunc("{SIGNATURE}", cache=True, error_model="numpy")',
        f"def {driver_name(tile)}(plan, private, block, part, first, last):",
        *("    " + line for line in _body(range(len(tile.kinds)))),
    ]
    return "\n".join(lines) + "\n"


def _body(operands: range) -> list[str]:
    moves = [f"p{n} += index * peek(plan, {record.field(n, record.LOOP)} + loop)" for n in operands]
    return [
        *(f"o{n} = p{n} = {_origin(n)}" for n in operands),
        *(f"step{n} = peek(plan, {record.field(n, record.LOOP)})" for n in operands),
        "left = 0",
        "for task in range(first, last):",
        "    if left == 0:",
        f"        extent = peek(plan, {record.LOOP_EXTENT})",
        "        rest = task // extent",
        "        index = task - rest * extent",
        "        left = extent - index",
        *(f"        p{n} = o{n} + index * step{n}" for n in operands),
        "        loop = 1",
        "        while rest > 0:",
        f"            extent = peek(plan, {record.LOOP_EXTENT} + loop)",
        "            index = rest % extent",
        "            rest //= extent",
        *(f"            {line}" for line in moves),
        "            loop += 1",
        f"    tile(plan, {', '.join(f'p{n}' for n in operands)})",
        *(f"    p{n} += step{n}" for n in operands),
        "    left -= 1",
    ]


def _origin(n: int) -> str:
    place = [f"peek(plan, {record.field(n, name)})" for name in (record.ADDRESS, record.PRIVATE, record.BLOCK, record.PART)]
    return f"{place[0]} + private * {place[1]} + block * {place[2]} + part * {place[3]}"


def _words(tile: Tile) -> str:
    return f"{tile}.".replace("\\", "")


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


def _indented(text: str) -> list[str]:
    """The literal of a tile, one field a line."""
    inside, depth, line = text[len("Tile(") : -1], 0, ""
    lines = ["    Tile("]
    for character in inside:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            lines.append(f"        {line.strip()},")
            line = ""
        else:
            line += character
    return [*lines, f"        {line.strip()},", "    )"]
