"""Which target this machine runs."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false

from __future__ import annotations

import platform
from pathlib import Path

from netspec import settings
from netspec.diagnostics import UserError, did_you_mean
from netspec.schedule.targets import TARGETS, Target


def host_target(name: str | None = None) -> Target:
    """The named target, else that of NETSPEC_TARGET, else the best one for this machine. Raises UserError for an unknown name."""
    name = name or settings.target() or _detected()
    if name not in TARGETS:
        raise UserError(f"unknown target {name!r}", did_you_mean(name, list(TARGETS)))
    return TARGETS[name]


def _detected() -> str:
    if platform.machine().lower() in ("aarch64", "arm64"):
        return "neon"
    features = _features()
    if {"avx512f", "avx512vl"} <= features:
        return "avx512"
    return "avx2" if {"avx2", "fma"} <= features else "plain"


def _features() -> set[str]:
    """What the processor can do: as Linux tells it, at once; elsewhere LLVM is asked, which takes a moment to load."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            return set(next(line for line in file if line.startswith("flags")).split())
    except (OSError, StopIteration):
        from llvmlite.binding import get_host_cpu_features

        return {name for name, there in get_host_cpu_features().items() if there}
