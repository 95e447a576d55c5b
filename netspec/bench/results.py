"""What a run of the bench found: entries, ratios, and the two forms it is told in, JSON and a table."""

from __future__ import annotations

from statistics import median, quantiles
from typing import Literal, TypeAlias

from netspec.records import record

State = Literal["timed", "missing", "unsuited", "failed", "wrong"]
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
MEGA, GIGA = 1e6, 1e9


@record
class Memory:
    """Bytes above those before the net was built: the most while it was timed, and the most at all, its compiler included."""

    running: int
    most: int


@record
class Entry:
    """A candidate in one case. `seconds` has one measurement a round; `beside` are netspec's and `peak` the machine's FLOP/s in the same
    rounds. `reason` says why there is none.
    """

    name: str
    state: State
    reason: str = ""
    version: str = ""
    settings: str = ""
    error: float | None = None
    seconds: tuple[float, ...] = ()
    beside: tuple[float, ...] = ()
    peak: tuple[float, ...] = ()
    memory: Memory | None = None

    @property
    def median(self) -> float:
        """Seconds of a call."""
        return median(self.seconds)

    @property
    def spread(self) -> float:
        """The distance of the quartiles, relative to the median."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / self.median


@record
class Case:
    """One net, mode and batch: netspec's entry first, then the peers' in the order asked. `peak`: FLOP/s of the machine.

    Where not all fit into memory at once, there are several times as many rounds, netspec in all of them and each peer in some.

    `operations` are floating-point operations of a call.
    """

    net: str
    mode: str
    batch: int
    threads: int
    operations: int
    rounds: int
    entries: tuple[Entry, ...]
    peak: tuple[float, ...] = ()

    @property
    def ours(self) -> Entry:
        """Netspec's entry."""
        return self.entries[0]

    @property
    def peers(self) -> tuple[Entry, ...]:
        """The others."""
        return self.entries[1:]

    def ratio(self, peer: Entry) -> float | None:
        """How many times as long a peer takes: the median over rounds of its time over ours in the same round."""
        if not peer.seconds or len(peer.seconds) != len(peer.beside):
            return None
        return median(theirs / ours for theirs, ours in zip(peer.seconds, peer.beside, strict=True))

    @property
    def best(self) -> Entry | None:
        """The fastest peer."""
        return min((peer for peer in self.peers if peer.state == "timed"), key=lambda peer: peer.median, default=None)

    def rate(self, entry: Entry) -> float:
        """FLOP/s."""
        return self.operations / entry.median

    def share(self, entry: Entry) -> float | None:
        """The share of the machine's peak: the median over rounds."""
        if not entry.seconds or len(entry.peak) != len(entry.seconds):
            return None
        return median(self.operations / seconds / peak for seconds, peak in zip(entry.seconds, entry.peak, strict=True))

    @property
    def fine(self) -> bool:
        """Whether netspec ran, and gave the right result."""
        return self.ours.state == "timed"


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────


def as_json(case: Case) -> dict[str, Json]:
    """A case as plain data."""
    best = case.best
    return {
        "net": case.net,
        "mode": case.mode,
        "batch": case.batch,
        "threads": case.threads,
        "operations": case.operations,
        "peak_gflops": round(median(case.peak) / GIGA, 2) if case.peak else None,
        "best_peer": best.name if best else None,
        "ratio_to_best": case.ratio(best) if best else None,
        "entries": [_entry(case, entry) for entry in case.entries],
    }


def _entry(case: Case, entry: Entry) -> dict[str, Json]:
    found: dict[str, Json] = {"name": entry.name, "state": entry.state}
    if entry.reason:
        found["reason"] = entry.reason
    if entry.version:
        found |= {"version": entry.version, "settings": entry.settings}
    if entry.error is not None:
        found["error"] = entry.error
    if entry.state == "timed":
        found |= {"median_ms": 1e3 * entry.median, "spread": entry.spread, "ratio": case.ratio(entry)}
        found |= {"gflops": case.rate(entry) / GIGA, "share_of_peak": case.share(entry), "ms": [1e3 * item for item in entry.seconds]}
    if entry.beside:
        found["netspec_ms"] = [1e3 * item for item in entry.beside]
    if entry.memory is not None:
        found["memory_bytes"] = {"running": entry.memory.running, "most": entry.memory.most}
    return found


# ── table ────────────────────────────────────────────────────────────────────────────────────────

HEADS = ("", "median ms", "spread", "ratio", "GFLOP/s", "of peak", "memory", "error", "how")


def table(case: Case) -> str:
    """A case for a terminal: who was timed, by time, then who was not, and why."""
    timed = sorted((entry for entry in case.entries if entry.state == "timed"), key=lambda entry: entry.median)
    rows = [HEADS, *(_cells(case, entry) for entry in timed)]
    shown = [k for k in range(len(HEADS)) if k == 0 or any(row[k] for row in rows[1:])]
    rows = [tuple(row[k] for k in shown) for row in rows] if timed else []
    widths = [max(len(row[k]) for row in rows) for k in range(len(shown))] if rows else []
    left = {0, len(shown) - 1}
    lines = [_aligned(row, widths, left) for row in rows]
    width = max([len(entry.name) for entry in case.entries])
    lines += [f"  {entry.name:<{width}}  {_REASONS[entry.state]}{entry.reason}" for entry in case.entries if entry.state != "timed"]
    return "\n".join([_title(case), *lines, *_conclusion(case)])


_REASONS: dict[State, str] = {"timed": "", "missing": "not installed: ", "unsuited": "", "failed": "failed: ", "wrong": "wrong result: "}


def _title(case: Case) -> str:
    kind = "training step" if case.mode == "train" else "inference"
    threads = f"{case.threads} thread{'s' if case.threads > 1 else ''}"
    return f"{case.net}, {kind}, batch {case.batch}, {threads}, {case.rounds} round{'s' if case.rounds > 1 else ''}"


def _cells(case: Case, entry: Entry) -> tuple[str, ...]:
    ratio, share = case.ratio(entry), case.share(entry)
    return (
        entry.name,
        f"{1e3 * entry.median:.4g}",
        f"{entry.spread:.0%}",
        "" if ratio is None else f"{ratio:.2f}",
        f"{case.rate(entry) / GIGA:.1f}",
        "" if share is None else f"{share:.0%}",
        "" if entry.memory is None or case.mode != "train" else f"{entry.memory.running / 2**20:,.0f} MiB",
        "" if entry.error is None else f"{entry.error:.0e}",
        f"{entry.version} {entry.settings}",
    )


def _aligned(row: tuple[str, ...], widths: list[int], left: set[int]) -> str:
    cells = [f"{cell:<{width}}" if k in left else f"{cell:>{width}}" for k, (cell, width) in enumerate(zip(row, widths, strict=True))]
    return f"  {'  '.join(cells)}".rstrip()


def _conclusion(case: Case) -> list[str]:
    best = case.best
    found: list[str] = []
    ratio = case.ratio(best) if best else None
    if best and ratio is not None:
        found.append(f"  netspec is {ratio:.2f} x as fast as the best peer, {best.name}")
    if case.peak:
        found.append(f"  the machine's peak is {median(case.peak) / GIGA:.0f} GFLOP/s of multiply-adds, in the same rounds")
    return found
