"""Where everything stands: boxes in levels and lanes, edges along free lanes and through the gaps between levels.

A level is as deep as the longest way from an input; a lane is a column. The longest way through the net is a straight line in lane 0;
every branch and every edge that passes a level gets the nearest lane that nothing else uses there (short ones first, so that they lie
inside of longer ones). Edges turn only in the gaps, so no edge ever crosses a box.
"""

from __future__ import annotations

from dataclasses import dataclass

from netspec.picture.boxes import Box, Drawing
from netspec.picture.lanes import Grid, Route, grid
from netspec.records import record

CHARACTER, LINE, SMALL = 7.83, 17, 15
"""Widths and heights of text: a fixed-width font of 13 pixels, its line, a line of small print."""
PAD_X, PAD_Y, MARGIN = 14, 9, 24
LABEL, TRACK, ARROW, BETWEEN = 20, 10, 16, 26
"""Heights within a gap: a tensor's shape, a horizontal line, an arrow's head. Between two lanes."""
HEAD = 58
"""The room for the title."""
SMALL_CHARACTER = 6.63


@record
class Placed:
    """A box: its upper left corner, and its size."""

    box: Box
    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> int:
        """Where its edges begin and end."""
        return self.x + self.width // 2

    @property
    def bottom(self) -> int:
        """The end of it."""
        return self.y + self.height


@record
class Label:
    """The shape of a tensor, beside the line that leaves its box."""

    text: str
    x: int
    y: int


Line = tuple[tuple[int, int], ...]
"""Corners of an edge, from its box to the next."""


@record
class Layout:
    """A drawing with places, in pixels."""

    drawing: Drawing
    width: int
    height: int
    placed: tuple[Placed, ...]
    lines: tuple[Line, ...]
    labels: tuple[Label, ...]


def layout(drawing: Drawing) -> Layout:
    """Place everything."""
    return _Layout(drawing, grid(len(drawing.boxes), [(edge.source, edge.target) for edge in drawing.edges])).done()


def small_print(box: Box) -> str:
    """The last line of a box."""
    return f"{box.params:,} params" if box.params else ""


def size(box: Box) -> tuple[int, int]:
    """Width and height of a box with its text."""
    wide = max(len(line) for line in (box.title, *box.lines[1:])) * CHARACTER
    wide = max(wide, len(small_print(box)) * SMALL_CHARACTER)
    stacked = 4 if box.times > 1 else 0
    lines = len(box.lines) * LINE + (SMALL if box.params else 0)
    return _even(wide + 2 * PAD_X + stacked), int(lines + 2 * PAD_Y + stacked)


def _even(value: float) -> int:
    return -(-int(value + 0.999) // 2) * 2


@dataclass
class _Layout:
    drawing: Drawing
    grid: Grid

    def done(self) -> Layout:
        self.sizes = [size(box) for box in self.drawing.boxes]
        self.texts = self._texts()
        centers, width = self._columns()
        self._gaps()
        tops, height = self._levels()
        placed = tuple(self._place(k, centers, tops) for k in range(len(self.drawing.boxes)))
        labels = tuple(
            Label(text, box.middle + 8, box.bottom + 14 + 13 * n) for k, box in enumerate(placed) for n, text in enumerate(self.texts[k])
        )
        lines = tuple(self._line(route, placed, centers) for route in self.grid.routes)
        return Layout(self.drawing, max(width, self._title_width()), height, placed, lines, labels)

    def _texts(self) -> list[list[str]]:
        """What stands under each box: its tensors that are read, each once."""
        found: list[list[str]] = [[] for _ in self.drawing.boxes]
        for edge in self.drawing.edges:
            text = self.drawing.labels[edge.tensor]
            if text not in found[edge.source]:
                found[edge.source].append(text)
        return found

    def _title_width(self) -> int:
        return int(max(len(self.drawing.name) * 10, len(self.drawing.subtitle) * SMALL_CHARACTER)) + 2 * MARGIN

    def _columns(self) -> tuple[dict[int, int], int]:
        """The middle of each lane; a lane is as wide as its widest box or label needs, on either side of its middle."""
        left, right = dict[int, float](), dict[int, float]()
        for lane in self.grid.lanes:
            boxes = [k for k, at in enumerate(self.grid.lane) if at == lane]
            half = [self.sizes[k][0] / 2 for k in boxes]
            told = [len(text) * SMALL_CHARACTER + 10 for k in boxes for text in self.texts[k]]
            left[lane], right[lane] = max(half, default=5), max([*half, *told], default=5)
        centers, x = dict[int, int](), float(MARGIN)
        for lane in self.grid.lanes:
            centers[lane] = int(x + left[lane])
            x = centers[lane] + right[lane] + BETWEEN
        return centers, int(x - BETWEEN + MARGIN)

    def _gaps(self) -> None:
        """Of each gap the sources that turn in its upper part, and the targets that turn in its lower part: a track each."""
        self.forks: dict[int, list[int]] = {}
        self.joins: dict[int, list[int]] = {}
        for route in self.grid.routes:
            if route.lane != self.grid.lane[route.source]:
                tracks = self.forks.setdefault(self.grid.level[route.source], [])
                tracks += [] if route.source in tracks else [route.source]
            if route.lane != self.grid.lane[route.target]:
                tracks = self.joins.setdefault(self.grid.level[route.target] - 1, [])
                tracks += [] if route.target in tracks else [route.target]

    def _levels(self) -> tuple[list[int], int]:
        """The middle of each level, and the height of all."""
        middles, y = list[int](), MARGIN + HEAD
        self.upper: dict[int, int] = {}
        self.lower: dict[int, int] = {}
        last = max(self.grid.level, default=0)
        for level in range(last + 1):
            here = [k for k, at in enumerate(self.grid.level) if at == level]
            tall = max(self.sizes[k][1] for k in here)
            middles.append(y + tall // 2)
            y += tall
            if level < last:
                told = max(len(self.texts[k]) for k in here)
                y += LABEL + 13 * max(0, told - 1)
                self.upper[level] = y
                y += TRACK * (len(self.forks.get(level, ())) + len(self.joins.get(level, ())))
                self.lower[level] = y
                y += ARROW
        return middles, y + MARGIN

    def _place(self, k: int, centers: dict[int, int], middles: list[int]) -> Placed:
        wide, tall = self.sizes[k]
        x, y = centers[self.grid.lane[k]] - wide // 2, middles[self.grid.level[k]] - tall // 2
        return Placed(self.drawing.boxes[k], x, y, wide, tall)

    def _line(self, route: Route, placed: tuple[Placed, ...], centers: dict[int, int]) -> Line:
        start, end, x = placed[route.source], placed[route.target], centers[route.lane]
        points = [(start.middle, start.bottom)]
        if x != start.middle:
            level = self.grid.level[route.source]
            y = self.upper[level] + TRACK * self.forks[level].index(route.source)
            points += [(start.middle, y), (x, y)]
        if x != end.middle:
            level = self.grid.level[route.target] - 1
            y = self.lower[level] - TRACK * self.joins[level].index(route.target)
            points += [(x, y), (end.middle, y)]
        return (*points, (end.middle, end.y))
