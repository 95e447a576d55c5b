"""Whether a program's memory fits into what is free: told before it is taken, for a system that is out of memory ends a process unasked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from netspec.diagnostics import UserError
from netspec.schedule.program import Program

MOST = 1 << 20
"""The largest batch that is looked for."""


def needed(program: Program, threads: int) -> int:
    """The bytes that an executable takes for its arenas."""
    sizes = dict(program.spaces)
    return 4 * (sum(sizes.values()) + (threads - 1) * sizes.get("private", 0))


def free() -> int | None:
    """The bytes that this process may still take: of the machine, its control group and its own limit; None where that is not known."""
    found = [room for room in (_machine(), _group(), _limit()) if room is not None]
    return min(found, default=None)


def check(batch: int, room: int, need: Callable[[int], int]) -> None:
    """Raise UserError, with the largest batch that fits, where `need(batch)` bytes are more than there is room for."""
    if need(batch) <= room:
        return
    fits = largest(room, need, batch)
    mend = f"`batch = {fits}` fits" if fits else "not even a batch of 1 fits"
    raise UserError(f"a batch of {batch} takes {told(need(batch))} of memory, {told(room)} are free", mend)


def largest(room: int, need: Callable[[int], int], most: int = MOST) -> int:
    """The largest batch, up to `most`, whose `need` in bytes there is room for; 0 where one sample does not fit.

    Found along the line through two batches, between which it lies: need grows with the batch, in steps, and nearly as a line.
    """
    fits, free = 0, room - need(1)
    if free < 0:
        return 0
    fits, fails, lack = 1, most + 1, need(most) - room
    if lack <= 0:
        return most
    fails = most
    while fails - fits > 1:
        guess = fits + (fails - fits) * free // (free + lack)
        guess = min(fails - 1, max(fits + 1, guess))
        spare = room - need(guess)
        fits, free, fails, lack = (guess, spare, fails, lack) if spare >= 0 else (fits, free, guess, -spare)
    return fits


def _machine() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return None


def _group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What is left to a container. Pages of files in its cache can be given back."""
    try:
        limit, used = (root / "memory.max").read_text(), (root / "memory.current").read_text()
        kept = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
        return None if limit.strip() == "max" else max(0, int(limit) - int(used) + int(kept["inactive_file"]))
    except (OSError, KeyError, ValueError):
        return None


def _limit() -> int | None:
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        return None if limit == resource.RLIM_INFINITY else max(0, limit - taken)
    except (ImportError, OSError, ValueError):
        return None


def told(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
