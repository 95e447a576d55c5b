"""What a profile found: the time of every layer beside what the machine could do, and its plain form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from netspec.records import record
from netspec.schedule.program import Launch, Mode

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
GIGA = 1e9


@record
class Machine:
    """What this machine does at most with all threads: FLOP/s of multiply-adds, bytes per second of memory and of the threads' caches."""

    peak: float
    memory: float
    cache: float


@record
class Timed:
    """A launch: the layer it belongs to (or what it is instead), whether it is of the backward pass, how it runs and how long it takes.

    `cached`: what it moves at a time fits into a thread's cache.
    """

    launch: Launch
    owner: str
    backward: bool
    mode: Mode
    cached: bool
    seconds: float


@record
class Side:
    """One direction of a layer: all its launches together. Operations and bytes are those of the batch."""

    parts: tuple[Timed, ...]
    machine: Machine

    @property
    def seconds(self) -> float:
        """Its time."""
        return sum(part.seconds for part in self.parts)

    @property
    def operations(self) -> int:
        """Its arithmetic, a multiply-add being two."""
        return sum(part.launch.operations for part in self.parts)

    @property
    def moved(self) -> int:
        """Bytes, each element of each tensor once per launch."""
        return sum(part.launch.moved for part in self.parts)

    @property
    def rate(self) -> float:
        """FLOP/s."""
        return self.operations / self.seconds

    @property
    def share(self) -> float:
        """The share of the machine's peak."""
        return self.rate / self.machine.peak

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.operations / self.moved

    @property
    def bound(self) -> str:
        """What would hold it up on a perfect program: `compute`, `memory` or `cache`, whose bandwidth takes longest."""
        needs = {"compute": sum(map(self._computing, self.parts))}
        for part in self.parts:
            level = "cache" if part.cached else "memory"
            needs[level] = needs.get(level, 0.0) + self._moving(part)
        moving = sum(seconds for what, seconds in needs.items() if what != "compute")
        return "compute" if needs["compute"] >= moving else max(set(needs) - {"compute"}, key=lambda what: needs[what])

    @property
    def roof(self) -> float:
        """The share of what peak and bandwidth allow: 1 is a program that cannot be faster."""
        return sum(max(self._computing(part), self._moving(part)) for part in self.parts) / self.seconds

    @property
    def longest(self) -> Timed:
        """The launch that takes most of it."""
        return max(self.parts, key=lambda part: part.seconds)

    def _computing(self, part: Timed) -> float:
        return part.launch.operations / self.machine.peak

    def _moving(self, part: Timed) -> float:
        return part.launch.moved / (self.machine.cache if part.cached else self.machine.memory)


@record
class Row:
    """A layer as it is fused, `kind` the layers in it (`conv+relu`); or what is no layer, without a kind."""

    name: str
    kind: str
    forward: Side | None
    backward: Side | None

    @property
    def both(self) -> Side:
        """Both directions together."""
        sides = [side for side in (self.forward, self.backward) if side]
        return Side(tuple(part for side in sides for part in side.parts), sides[0].machine)


@record
class Profile:
    """A net, one mode, one batch. `layers` in the net's order; `others`: copies, loss, optimizer; `free`: layers that take no launch.

    `step`: seconds of a whole step, `loading` of what runs once when weights are loaded. `rounds`: each time is the median of so many.
    """

    net: str
    mode: str
    batch: int
    threads: int
    target: str
    layout: str
    rounds: int
    machine: Machine
    step: float
    loading: float
    layers: tuple[Row, ...]
    others: tuple[Row, ...]
    free: tuple[str, ...]

    @property
    def total(self) -> float:
        """The sum of all parts."""
        return sum(row.both.seconds for row in (*self.layers, *self.others))

    def ordered(self, by_time: bool) -> tuple[Sequence[Row], Sequence[Row]]:
        """Layers and the rest: in the net's order, or the slowest first."""
        if not by_time:
            return self.layers, self.others
        slowest, rest = (sorted(rows, key=lambda row: -row.both.seconds) for rows in (self.layers, self.others))
        return slowest, rest


def gather(timed: Iterable[Timed], kinds: dict[str, str], machine: Machine) -> list[Row]:
    """A row for each owner, in order of its first launch; `kinds` by owner."""
    owners: dict[str, list[Timed]] = {}
    for item in timed:
        owners.setdefault(item.owner, []).append(item)
    rows: list[Row] = []
    for owner, parts in owners.items():
        sides = [tuple(part for part in parts if part.backward is backward) for backward in (False, True)]
        forward, backward = (Side(side, machine) if side else None for side in sides)
        rows.append(Row(owner, kinds.get(owner, ""), forward, backward))
    return rows


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────


def as_json(found: Profile, by_time: bool = True) -> dict[str, Json]:
    """A profile as plain data; netspec.profile says what is in it."""
    layers, others = found.ordered(by_time)
    machine = found.machine
    return {
        "net": found.net,
        "mode": found.mode,
        "batch": found.batch,
        "threads": found.threads,
        "target": found.target,
        "layout": found.layout,
        "rounds": found.rounds,
        "peak_gflops": machine.peak / GIGA,
        "memory_gbytes_per_second": machine.memory / GIGA,
        "cache_gbytes_per_second": machine.cache / GIGA,
        "step_ms": 1e3 * found.step,
        "sum_ms": 1e3 * found.total,
        "loading_ms": 1e3 * found.loading,
        "layers": [_row(row, found.total) for row in layers],
        "others": [_row(row, found.total) for row in others],
        "free": list(found.free),
    }


def _row(row: Row, total: float) -> dict[str, Json]:
    return {
        "name": row.name,
        "kind": row.kind,
        "share_of_time": row.both.seconds / total,
        "forward": _side(row.forward),
        "backward": _side(row.backward),
    }


def _side(side: Side | None) -> dict[str, Json] | None:
    if side is None:
        return None
    launches: list[Json] = [_launch(part) for part in side.parts]
    return {
        "ms": 1e3 * side.seconds,
        "operations": side.operations,
        "bytes": side.moved,
        "gflops": side.rate / GIGA,
        "share_of_peak": side.share,
        "intensity": side.intensity,
        "bound": side.bound,
        "share_of_roof": side.roof,
        "mode": side.longest.mode,
        "tile": tile_of(side.longest.launch),
        "launches": launches,
    }


def _launch(part: Timed) -> dict[str, Json]:
    return {"name": part.launch.name, "ms": 1e3 * part.seconds, "mode": part.mode, "tile": tile_of(part.launch)}


def tile_of(launch: Launch) -> str:
    """Rows x vectors x lanes of the register tile."""
    tile = launch.tile
    return f"{tile.rows}x{tile.vectors}x{tile.lanes}"
