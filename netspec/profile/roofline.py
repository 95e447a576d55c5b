"""The roofline as a picture (Williams, Waterman, Patterson 2009): rate over intensity, both logarithmic, below what the machine allows.

SVG written as text: the same text for the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from math import atan, ceil, degrees, floor, log10, sqrt
from pathlib import Path

from netspec.diagnostics import UserError
from netspec.profile.results import GIGA, Profile, Side

WIDTH, HEIGHT = 960, 620
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 70, 60
LETTER, LINE = 6.2, 13
"""Pixels of a letter's width and of a line's height, at the size of labels."""
AROUND = 0.25
"""What is free around the outermost points, in decades."""
COLOURS = {"forward": "#1f5fa8", "backward": "#c2571a"}
STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.title{font-size:16px;font-weight:600}.grid{stroke:#e6e6e6}.frame{stroke:#888;fill:none}"
    ".roof{stroke:#444;stroke-width:1.6;fill:none}.cache{stroke-dasharray:6 4}.point{fill-opacity:.75;stroke:#fff}"
)


@dataclass(frozen=True, slots=True)
class Point:
    """A direction of a layer, in operations per byte, FLOP/s and its share of the time."""

    name: str
    direction: str
    intensity: float
    rate: float
    share: float
    told: str


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle that is taken, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def meets(self, other: Box) -> bool:
        """Whether they overlap."""
        apart_x = self.x + self.width <= other.x or other.x + other.width <= self.x
        return not (apart_x or self.y + self.height <= other.y or other.y + other.height <= self.y)


@dataclass(frozen=True, slots=True)
class Plane:
    """The ends of both axes, as logarithms, and where they lie on the page."""

    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, intensity: float) -> float:
        """The pixel of an intensity."""
        return LEFT + (log10(intensity) - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - LEFT - RIGHT)

    def down(self, rate: float) -> float:
        """The pixel of a rate in FLOP/s."""
        return HEIGHT - BOTTOM - (log10(rate / GIGA) - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - TOP - BOTTOM)

    @property
    def steepness(self) -> float:
        """How far a line of constant bandwidth rises, in pixels per pixel to the right."""
        return (self.x[1] - self.x[0]) / (WIDTH - LEFT - RIGHT) * (HEIGHT - TOP - BOTTOM) / (self.y[1] - self.y[0])


def svg(found: Profile) -> str:
    """The picture: a point for each direction of each layer that computes, as large as its share of the time; others have no place here."""
    points = sorted(_points(found), key=lambda point: (-point.share, point.name, point.direction))
    machine = found.machine
    ridge = machine.peak / machine.memory
    plane = Plane(
        _ends([machine.peak / machine.cache, ridge, *(point.intensity for point in points)]),
        _ends([machine.peak / GIGA, *(point.rate / GIGA for point in points)]),
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_head(found),
        *_grid(plane),
        *_roofs(found, plane),
        *_marks(points, plane, list(_named(found, plane))),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def write(found: Profile, path: Path) -> None:
    """Put the picture into a file. Raises UserError."""
    try:
        path.write_text(svg(found), encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error


def _points(found: Profile) -> Iterator[Point]:
    for row in found.layers:
        for direction, side in (("forward", row.forward), ("backward", row.backward)):
            if side is not None and side.operations:
                yield Point(row.name, direction, side.intensity, side.rate, side.seconds / found.total, _told(row.name, direction, side))


def _told(name: str, direction: str, side: Side) -> str:
    rate = f"{side.rate / GIGA:.1f} GFLOP/s, {side.share:.0%} of the peak"
    return f"{name}, {direction}: {1e3 * side.seconds:.3f} ms, {rate}, {side.intensity:.2f} FLOP/byte, bound by {side.bound}"


def _ends(values: list[float]) -> tuple[float, float]:
    return log10(min(values)) - AROUND, log10(max(values)) + AROUND


def _ticks(ends: tuple[float, float]) -> Iterator[float]:
    """1, 2, 5, 10, .. between two logarithms."""
    for decade in range(floor(ends[0]), ceil(ends[1]) + 1):
        yield from (value for first in (1, 2, 5) if ends[0] <= log10(value := first * 10.0**decade) <= ends[1])


def _head(found: Profile) -> Iterator[str]:
    what = "inference" if found.mode == "infer" else "training"
    yield f'<text class="title" x="{LEFT}" y="26">{escape(found.net)}: {what}, batch {found.batch}</text>'
    threads = f"{found.threads} thread{'s' if found.threads > 1 else ''}"
    yield f'<text x="{LEFT}" y="46">{escape(found.target)}, {threads}; a point as large as its share of the time</text>'
    directions = ("forward",) if found.mode == "infer" else ("forward", "backward")
    for k, direction in enumerate(directions):
        x = WIDTH - RIGHT - 90 * (len(directions) - k)
        yield f'<circle cx="{x}" cy="42" r="5" fill="{COLOURS[direction]}"/><text x="{x + 10}" y="46">{direction}</text>'


def _grid(plane: Plane) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in _ticks(plane.x):
        x = plane.across(value)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>'
    for value in _ticks(plane.y):
        y = plane.down(GIGA * value)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    yield f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{bottom - TOP}"/>'
    yield f'<text x="{(LEFT + right) / 2:.1f}" y="{HEIGHT - 16}" text-anchor="middle">operations per byte</text>'
    middle = (TOP + bottom) / 2
    yield f'<text x="18" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 18 {middle:.1f})">GFLOP/s</text>'


def _levels(found: Profile, plane: Plane) -> Iterator[tuple[str, float, float]]:
    """Name, bandwidth and first intensity of each slope: the left edge, or where it enters from below."""
    for name, bandwidth in (("memory", found.machine.memory), ("cache", found.machine.cache)):
        yield name, bandwidth, max(10.0 ** plane.x[0], GIGA * 10.0 ** plane.y[0] / bandwidth)


def _roofs(found: Profile, plane: Plane) -> Iterator[str]:
    """Each up to its ridge, and on along the peak."""
    top, right = found.machine.peak, 10.0 ** plane.x[1]
    for name, bandwidth, start in _levels(found, plane):
        corners = ((start, start * bandwidth), (top / bandwidth, top), (right, top))
        path = " ".join(f"{plane.across(x):.1f},{plane.down(y):.1f}" for x, y in corners)
        yield f'<polyline class="roof {name}" points="{path}"/>'
        turned = f"translate({plane.across(start):.1f} {plane.down(start * bandwidth):.1f}) rotate({-degrees(atan(plane.steepness)):.1f})"
        yield f'<text x="14" y="-6" transform="{turned}">{name} {bandwidth / GIGA:.0f} GB/s</text>'
    yield f'<text x="{WIDTH - RIGHT - 6}" y="{plane.down(top) - 6:.1f}" text-anchor="end">peak {top / GIGA:.0f} GFLOP/s</text>'


def _named(found: Profile, plane: Plane) -> Iterator[Box]:
    """The room that the names of the roofs take."""
    for _, bandwidth, start in _levels(found, plane):
        x, y = plane.across(start), plane.down(start * bandwidth)
        yield from (Box(x + step, y - plane.steepness * step - 2 * LINE, LINE, 2 * LINE) for step in range(0, 110, LINE))
    yield Box(WIDTH - RIGHT - 120, plane.down(found.machine.peak) - 18, 120, 18)


# ── points and their labels ──────────────────────────────────────────────────────────────────────


def _marks(points: list[Point], plane: Plane, taken: list[Box]) -> Iterator[str]:
    """Points, the largest first, so that smaller ones lie on them; a label where there is room for it, the names of all as tool tips."""
    places = [(point, plane.across(point.intensity), plane.down(point.rate), 3 + 14 * sqrt(point.share)) for point in points]
    taken += [Box(x - 3, y - 3, 6, 6) for _, x, y, _ in places]
    for point, x, y, radius in places:
        circle = f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{COLOURS[point.direction]}">'
        yield f"{circle}<title>{escape(point.told)}</title></circle>"
    for point, x, y, radius in places:
        box = next((box for box in _around(point.name, x, y, radius) if _fits(box, taken)), None)
        if box is not None:
            taken.append(box)
            yield f'<text class="name" x="{box.x:.1f}" y="{box.y + LINE - 3:.1f}">{escape(point.name)}</text>'


def _around(name: str, x: float, y: float, radius: float) -> Iterator[Box]:
    """Where a label may stand: right, left, above, below, then further off."""
    width = LETTER * len(name)
    for away in (radius + 3, radius + 12):
        yield Box(x + away, y - LINE / 2, width, LINE)
        yield Box(x - away - width, y - LINE / 2, width, LINE)
        yield Box(x - width / 2, y - away - LINE, width, LINE)
        yield Box(x - width / 2, y + away, width, LINE)


def _fits(box: Box, taken: list[Box]) -> bool:
    across = box.x >= LEFT and box.x + box.width <= WIDTH - RIGHT
    down = box.y >= TOP and box.y + box.height <= HEIGHT - BOTTOM
    return across and down and not any(box.meets(other) for other in taken)
