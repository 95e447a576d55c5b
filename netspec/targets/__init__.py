"""Code for machines: from the tiles of a program to source."""

from __future__ import annotations

from netspec.schedule.program import Program


def sources(program: Program) -> str:
    """The generated module of a program, were all its drivers compiled together."""
    from netspec.targets.cpu.source import module_source

    return module_source(program.tiles)
