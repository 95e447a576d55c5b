"""A program: kernels to compile, buffers in one arena, launches in order. Plain data that a target turns into code and the runtime runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from netspec.kernels.formula import Combine
from netspec.kernels.scalar import Expr
from netspec.schedule.targets import Target


@dataclass(frozen=True, slots=True)
class Count:
    """A number known when a step runs: constant + ceil(times * ceil(images / unit) / divide)."""

    times: int = 1
    unit: int = 1
    divide: int = 1
    constant: int = 0

    def resolve(self, images: int) -> int:
        """The number, for so many images in the batch."""
        return self.constant + _ceil(self.times * _ceil(images, self.unit), self.divide)

    def __str__(self) -> str:
        base = "images" if self.unit == 1 else f"ceil(images/{self.unit})"
        scaled = base if self.times == 1 else f"{self.times}*{base}"
        whole = scaled if self.divide == 1 else f"ceil({scaled}/{self.divide})"
        return whole if not self.constant else f"{self.constant} + {whole}"


Size = int | Count


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def resolve(size: Size, images: int) -> int:
    """A size as a number, for so many images in the batch."""
    return size if isinstance(size, int) else size.resolve(images)


# ── what is compiled ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Slot(Expr):
    """The value of a kernel's operand, by number."""

    number: int

    def __str__(self) -> str:
        return f"s{self.number}"


@dataclass(frozen=True, slots=True)
class At(Expr):
    """An element near that of an operand: so many of the operand's own steps away."""

    number: int
    steps: tuple[int, ...]

    def __str__(self) -> str:
        return f"s{self.number}[{', '.join(map(str, self.steps))}]"


Place = int | At
"""Where a result goes: an operand by number, or near it."""


def slot_of(place: Place) -> int:
    """The operand's number."""
    return place.number if isinstance(place, At) else place


@dataclass(frozen=True, slots=True)
class Reduced(Expr):
    """What the reduction gave."""

    def __str__(self) -> str:
        return "total"


@dataclass(frozen=True, slots=True)
class ReducedAt(Expr):
    """Where the maximum stands."""

    def __str__(self) -> str:
        return "at"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kernel reaches an operand: what it is, how it runs along the lanes, and whether the tile's rows and vectors move it.

    A `memory` operand is an address; an `index` is the number itself; `random` is the position at which a stream is read.
    """

    what: Literal["memory", "index", "random"] = "memory"
    lane: Literal["vector", "same", "strided"] = "same"
    rows: bool = False
    vectors: bool = False
    stream: int = 0


@dataclass(frozen=True, slots=True)
class Tile:
    """A register tile, all that its code depends on; sizes and strides come at run time.

    `rows` x `vectors` accumulators of `lanes` numbers each: combine over `depth` nested loops of `body`, then store `results`, (slot,
    expression) pairs. `lane_sum`: the lanes, too, are summed. `tail`: the last operand holds how many lanes are left; `ragged`: the
    operands before it, how many rows and vectors are left. `fills`: lanes that are not there are stored, too, as what zeros give.
    `clipped`: the loops whose ends are cut where an operand's index leaves its tensor; their operands come before those.
    """

    lanes: int
    rows: int
    vectors: int
    kinds: tuple[Kind, ...]
    results: tuple[tuple[Place, Expr], ...]
    combine: Combine = "none"
    depth: int = 0
    body: Expr | None = None
    position: int | None = None
    lane_sum: bool = False
    tail: bool = False
    fills: bool = False
    ragged_rows: bool = False
    ragged_vectors: bool = False
    clipped: tuple[int, ...] = ()
    fma: bool = True

    def __str__(self) -> str:
        shape = f"{self.rows}x{self.vectors}x{self.lanes}"
        results = "; ".join(f"{place if isinstance(place, At) else Slot(place)} = {value}" for place, value in self.results)
        over = f" {self.combine}[{self.depth}] {self.body} |" if self.body is not None else ""
        flags = [name for name in ("lane_sum", "tail", "fills", "ragged_rows", "ragged_vectors") if getattr(self, name)]
        return f"{shape}{over} {results}{' ' + ' '.join(flags) if flags else ''}"


# ── what is run ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop around a tile or in it: its extent and how far each operand moves per step, in bytes (an index: in units)."""

    axis: str
    extent: Size
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Operand:
    """Where an operand of a launch starts: a buffer and an offset in bytes, or a number; how far it moves per row, vector and lane of the
    tile.

    `block` and `part`: how far it moves per block of images (apart) or per image (by image), and per part.
    Of the position of a clipped loop: the `size` of what it runs over, and how far it moves per `step` of the loop.
    `near`: how far its neighbours are that the tile reaches from it, in bytes per step along each dimension.
    """

    buffer: str | None
    offset: Size = 0
    row: int = 0
    vector: int = 0
    lane: int = 0
    block: int = 0
    part: int = 0
    size: int = 0
    step: int = 0
    near: tuple[int, ...] = ()


LOOPS, DEPTH = 7, 4
"""How many loops a driver has at most: around the tile and in it."""
WORTH_SHARING = 12_000
"""Cycles, some 4 us: to wake other threads and to wait for them takes about as long."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A kernel applied: `loops` around the tile, outermost first, are counted as one and cut among threads; `reduce` runs in it.

    `work`: the cycles that it is thought to take for a full batch, or for the images that it takes at a time. Too little of it is not worth
    waking other threads. Only the outermost `cut` loops are cut: those within form sums in chunks, one after the other. `operations` and
    `moved`: the arithmetic and the bytes of a full batch, as netspec.schedule.counts has them.
    """

    name: str
    tile: Tile
    operands: tuple[Operand, ...]
    loops: tuple[Loop, ...]
    reduce: tuple[Loop, ...]
    origin: str = ""
    work: float = 0.0
    cut: int = LOOPS
    operations: int = 0
    moved: int = 0

    @property
    def shared(self) -> bool:
        """Whether threads share it."""
        return self.work >= WORTH_SHARING


Mode = Literal["together", "by_image", "apart"]
"""How a segment's launches are shared out. Together: all threads share each launch, of the whole batch. By image: each thread takes images
through all launches, one after the other, so that what passes from launch to launch stays in the cache; the last ones, too few for all
threads, are shared. Apart: likewise blocks of images, as many as a vector has lanes, along the lanes.
"""


@dataclass(frozen=True, slots=True)
class Segment:
    """Launches in order.

    Apart, blocks are dealt to `parts` by index alone, so that sums over the batch do not depend on the number of threads.
    """

    mode: Mode
    launches: tuple[Launch, ...]
    parts: int = 1


Space = Literal["persistent", "shared", "private", "parts", "external", "scalars"]


@dataclass(frozen=True, slots=True)
class Buffer:
    """A piece of memory: its layout's size in floats and where it lies. `offset` is in floats, within its space; `private` space exists
    once per thread.
    """

    name: str
    space: Space
    size: Size
    offset: Size = 0


@dataclass(frozen=True)
class Program:
    """All of it. `batch` is the largest number of images; `scalars` names the numbers a step is called with, in order;
    `constants` are the numbers that lie behind them.

    `load` runs when weights were loaded and not with every call: what depends on weights alone.
    """

    name: str
    target: Target
    batch: int
    layout: str
    buffers: dict[str, Buffer]
    segments: tuple[Segment, ...]
    layouts: dict[str, object]
    scalars: tuple[str, ...]
    spaces: dict[Space, int] = field(default_factory=dict[Space, int])
    part_stride: int = 0
    load: tuple[Segment, ...] = ()
    constants: tuple[float, ...] = ()

    @property
    def launches(self) -> tuple[Launch, ...]:
        """All launches, those of loading first."""
        return tuple(launch for segment in (*self.load, *self.segments) for launch in segment.launches)

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The different kernels, in order of first use."""
        return tuple(dict.fromkeys(launch.tile for launch in self.launches))
