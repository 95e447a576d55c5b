"""Code for machines: from the tiles of a program to source."""

from __future__ import annotations

from netspec.schedule.program import Program


def sources(program: Program) -> str:
    """All generated modules of a program, one behind the other."""
    from netspec.targets.cpu.source import driver_source

    drivers = dict.fromkeys((launch.tile, len(launch.tasks), len(launch.inner)) for launch in program.launches)
    return "\n\n".join(driver_source(*driver) for driver in drivers)
