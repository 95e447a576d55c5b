"""Code for machines: from the tiles of a program to source."""

from __future__ import annotations

from netspec.schedule.program import Program


def sources(program: Program) -> str:
    """All generated modules of a program, one behind the other."""
    from netspec.targets.cpu.source import driver_source

    return "\n\n".join(driver_source(tile) for tile in program.tiles)
