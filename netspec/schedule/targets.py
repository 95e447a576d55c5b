"""The machines that code is generated for: plain data. A host is mapped to one of these by name, never measured, so that bits and goldens
do not depend on it.
"""

from __future__ import annotations

from typing import Literal

from netspec.records import record


@record
class Target:
    """What decides the generated code. `lanes` float32 of a vector, vector `registers`, cache sizes in bytes."""

    name: str
    kind: Literal["cpu", "cuda"]
    lanes: int
    registers: int
    fma: bool
    l1: int
    l2: int


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("avx512", "cpu", 16, 32, True, 32 << 10, 1 << 20),
        Target("avx2", "cpu", 8, 16, True, 32 << 10, 256 << 10),
        Target("neon", "cpu", 4, 32, True, 64 << 10, 512 << 10),
        Target("plain", "cpu", 4, 16, False, 32 << 10, 256 << 10),
        Target("cuda_sm90", "cuda", 32, 255, True, 228 << 10, 50 << 20),
    )
}
