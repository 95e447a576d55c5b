"""Levels and lanes of a graph, whatever its nodes are: which row and column each node stands in, and in which column each edge runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from netspec.records import record

Pair = tuple[int, int]


_FAR = 3.5
"""How many lanes an edge goes to the right before the left is better."""


@record
class Route:
    """An edge: it leaves its source, runs down in `lane`, and turns to its target."""

    source: int
    target: int
    lane: int


@record
class Grid:
    """Level and lane of each node, the lanes from left to right, and a route for each pair that is joined."""

    level: tuple[int, ...]
    lane: tuple[int, ...]
    lanes: tuple[int, ...]
    routes: tuple[Route, ...]


def grid(nodes: int, edges: Sequence[Pair]) -> Grid:
    """Place nodes 0, 1, .., which are in an order in which edges go upwards in number. Edges between the same two are one."""
    return _Placing(nodes, tuple(dict.fromkeys(edges))).done()


@record
class _Item:
    """Something that takes a lane over an interval: a branch of nodes, or a long edge. `first` and `last` are in half levels: 2 * level
    is a level, the odd number behind it the gap. `ends`: the nodes that it hangs on.
    """

    first: int
    last: int
    ends: tuple[int, ...]
    nodes: tuple[int, ...] = ()
    edge: Pair | None = None


@dataclass
class _Placing:
    nodes: int
    edges: tuple[Pair, ...]
    lane: dict[int, int] = field(default_factory=dict[int, int])
    taken: dict[int, list[Pair]] = field(default_factory=dict[int, list[Pair]])

    def done(self) -> Grid:
        self.before: list[list[int]] = [[] for _ in range(self.nodes)]
        self.after: list[list[int]] = [[] for _ in range(self.nodes)]
        for source, target in self.edges:
            self.before[target].append(source)
            self.after[source].append(target)
        self.level = self._levels()
        items = [self._branch(way) for way in self._ways()]
        own = {pair for item in items for pair in self._within(item)}
        items += [self._long(edge) for edge in self.edges if edge not in own and self.level[edge[1]] - self.level[edge[0]] > 1]
        chosen = self._place_all(items)
        routes = tuple(Route(*edge, chosen[edge] if edge in chosen else self._short(edge)) for edge in self.edges)
        lanes = sorted({*self.lane.values(), *(route.lane for route in routes)})
        return Grid(tuple(self.level), tuple(self.lane[k] for k in range(self.nodes)), tuple(lanes), routes)

    def _levels(self) -> list[int]:
        """As deep as the longest way to a node; an input stands right above the first that reads it."""
        level = [0] * self.nodes
        for k in range(self.nodes):
            level[k] = max((level[other] + 1 for other in self.before[k]), default=0)
        for k in range(self.nodes):
            if not self.before[k] and self.after[k]:
                level[k] = min(level[other] for other in self.after[k]) - 1
        return level

    def _ways(self) -> Iterator[tuple[int, ...]]:
        """The longest way through the nodes that are on none yet, again and again, until each node is on one."""
        free = set(range(self.nodes))
        while free:
            length: dict[int, int] = {}
            step: dict[int, int | None] = {}
            for k in sorted(free):
                best = max((other for other in self.before[k] if other in free), key=lambda other: length[other], default=None)
                length[k], step[k] = (1 if best is None else length[best] + 1), best
            end: int | None = max(sorted(free), key=lambda k: length[k])
            way: list[int] = []
            while end is not None:
                way.append(end)
                end = step[end]
            free -= set(way)
            yield tuple(reversed(way))

    def _branch(self, way: tuple[int, ...]) -> _Item:
        """A way that hangs on the nearest node above its first, and on the nearest below its last."""
        above = max((other for other in self.before[way[0]]), key=lambda other: self.level[other], default=None)
        below = min((other for other in self.after[way[-1]]), key=lambda other: self.level[other], default=None)
        first = 2 * self.level[way[0]] if above is None else 2 * self.level[above] + 1
        last = 2 * self.level[way[-1]] if below is None else 2 * self.level[below] - 1
        return _Item(first, last, tuple(end for end in (above, below) if end is not None), way)

    def _within(self, item: _Item) -> Iterator[Pair]:
        """The edges that run in the lane of a branch: those along it, and those that it hangs on."""
        yield from pairwise(item.nodes)
        for end in item.ends:
            yield (end, item.nodes[0]) if self.level[end] < self.level[item.nodes[0]] else (item.nodes[-1], end)

    def _short(self, edge: Pair) -> int:
        """The lane of an edge that needs none of its own: it turns where it leaves what several read, else where it enters a merge."""
        source, target = edge
        along = len(self.before[target]) > 1 or self.level[target] - self.level[source] > 1
        return self.lane[source] if along else self.lane[target]

    def _long(self, edge: Pair) -> _Item:
        source, target = edge
        return _Item(2 * self.level[source] + 1, 2 * self.level[target] - 1, edge, edge=edge)

    def _place_all(self, waiting: list[_Item]) -> dict[Pair, int]:
        """Give each item its lane, short ones first, but after the nodes that it hangs on. The lanes of long edges."""
        chosen: dict[Pair, int] = {}
        main, *others = waiting
        self._settle(main, 0)
        while others:
            ready = [item for item in others if all(end in self.lane for end in item.ends)] or others
            item = min(ready, key=lambda item: (item.last - item.first, item.edge is not None))
            others.remove(item)
            lane = self._free_lane(item)
            self._settle(item, lane)
            if item.edge is not None:
                chosen[item.edge] = lane
        return chosen

    def _settle(self, item: _Item, lane: int) -> None:
        self.taken.setdefault(lane, []).append((item.first, item.last))
        self.lane.update(dict.fromkeys(item.nodes, lane))

    def _free_lane(self, item: _Item) -> int:
        """The free lane nearest to the ends: for a branch on the side that is less full, for a mere edge on the right if it is not far."""
        known = [self.lane[end] for end in item.ends if end in self.lane]
        center = sum(known) / len(known) if known else 0
        lanes = range(min(self.taken) - 1, max(self.taken) + 2)
        fuller = sum((lane > center) - (lane < center) for lane in lanes if self._used(lane, item))
        leftwards = _FAR if item.edge is not None else (-0.5 if fuller > 0 else 0.5)
        free = [lane for lane in lanes if not self._used(lane, item)]
        return min(free, key=lambda lane: abs(lane - center) + (leftwards if lane < center else 0))

    def _used(self, lane: int, item: _Item) -> bool:
        return any(first <= item.last and item.first <= last for first, last in self.taken.get(lane, ()))
