"""What the numbers were taken on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from netspec.bench.results import Json

WIDE = ("sse4_2", "avx", "avx2", "fma", "avx512", "amx", "asimd", "sve")
"""Beginnings of processor flags that matter to arithmetic."""


def machine() -> dict[str, Json]:
    """Processor, cores, flags, memory, load and system, as JSON holds them."""
    fields = _fields("/proc/cpuinfo")
    flags: list[Json] = [*sorted(flag for flag in (fields.get("flags") or fields.get("Features") or "").split() if flag.startswith(WIDE))]
    memory = _fields("/proc/meminfo").get("MemTotal", "0 kB").split()[0]
    return {
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "flags": flags,
        "memory_bytes": 1024 * int(memory),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "numba": version("numba"),
        "llvmlite": version("llvmlite"),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _fields(path: str) -> dict[str, str]:
    """The `name: value` lines of a file of the system, the first of each name; none where there is no such file."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    found: dict[str, str] = {}
    for name, colon, value in (line.partition(":") for line in lines):
        if colon:
            found.setdefault(name.strip(), value.strip())
    return found
