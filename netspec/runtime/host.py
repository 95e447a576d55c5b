"""Which target this machine runs."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false

from __future__ import annotations

import platform

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
    from llvmlite.binding import get_host_cpu_features

    if platform.machine().lower() in ("aarch64", "arm64"):
        return "neon"
    features = get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl"):
        return "avx512"
    return "avx2" if features.get("avx2") and features.get("fma") else "plain"
