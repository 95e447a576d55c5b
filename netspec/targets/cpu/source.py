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


def driver_name(tile: Tile, tasks: int, inner: int) -> str:
    """What it is, and a hash that tells it from all others."""
    what = "map" if tile.body is None else "dot" if str(tile.body).count("*") == 1 and tile.combine == "sum" else tile.combine
    digest = hashlib.sha256(repr((tile, tasks, inner)).encode()).hexdigest()[:12]
    return f"{what}_{tile.rows}x{tile.vectors}x{tile.lanes}_{digest}"


def driver_source(tile: Tile, tasks: int, inner: int) -> str:
    """The module of a driver with so many loops over tasks and within a task."""
    name = driver_name(tile, tasks, inner)
    operands = range(len(tile.kinds))
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
        f"def {name}(plan, private, block, part, first, last):",
    ]
    body = [f"o{n} = {_origin(n)}" for n in operands]
    body += [f"extent{t} = peek(plan, {record.TASK_EXTENT + t})" for t in range(1, tasks)]
    body.append("for task in range(first, last):")
    lines += ["    " + line for line in body] + ["        " + line for line in _task(tile, tasks, inner)]
    return "\n".join(lines) + "\n"


def _origin(n: int) -> str:
    place = [f"peek(plan, {record.field(n, name)})" for name in (record.ADDRESS, record.PRIVATE, record.BLOCK, record.PART)]
    return f"{place[0]} + private * {place[1]} + block * {place[2]} + part * {place[3]}"


def _task(tile: Tile, tasks: int, inner: int) -> list[str]:
    """A task's number becomes its indices, slowest first; then the inner loops, each of which moves all operands."""
    operands = range(len(tile.kinds))
    lines = ["rest = task"] if tasks else []
    for t in reversed(range(tasks)):
        lines += [f"index{t} = rest % extent{t}", f"rest //= extent{t}"] if t else ["index0 = rest"]
    names = [f"p{n}" for n in operands]
    for n in operands:
        moves = "".join(f" + index{t} * peek(plan, {record.field(n, record.TASK + t)})" for t in range(tasks))
        lines.append(f"p{n} = o{n}{moves}")
    indent = ""
    for level in range(inner):
        outer, names = names, [f"p{n}_{level}" for n in operands]
        lines.append(f"{indent}for step{level} in range(peek(plan, {record.INNER_EXTENT + level})):")
        indent += "    "
        lines += [
            f"{indent}{name} = {before} + step{level} * peek(plan, {record.field(n, record.INNER + level)})"
            for n, (name, before) in enumerate(zip(names, outer, strict=True))
        ]
    lines.append(f"{indent}tile(plan, {', '.join(names)})")
    return lines


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
