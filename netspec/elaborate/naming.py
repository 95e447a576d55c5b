"""The names of steps and weights: from the outside in, an unlabelled step by its kind and a counter, so that appending renames nothing."""

from __future__ import annotations


class Path:
    """A name that is settled late: whether a block on a labelled line is the label itself depends on what is in it."""

    __slots__ = ("_text", "parent", "segment")

    def __init__(self, parent: Path | None, segment: str | None) -> None:
        self.parent, self.segment = parent, segment
        self._text: str | None = None

    def __str__(self) -> str:
        """`stage.1.bottleneck.0`; a segment of None adds nothing. To be asked only when the net is complete."""
        if self._text is None:
            outer = str(self.parent) if self.parent is not None else ""
            self._text = outer if self.segment is None else f"{outer}.{self.segment}" if outer else self.segment
        return self._text


class Names:
    """Where steps get their names: a body, a pass of a labelled loop, or a labelled line.

    On a labelled line the first step that has weights is the label itself (`free` until then). `counted`: inside an unlabelled loop, where
    labels get a number too.
    """

    __slots__ = ("counted", "counters", "free", "passes", "prefix")

    def __init__(self, prefix: Path | None, counters: dict[str, int] | None = None, *, free: bool = False, counted: bool = False) -> None:
        self.prefix, self.free, self.counted = prefix, free, counted
        self.counters = {} if counters is None else counters
        self.passes = 0

    def step(self, kind: str, weighted: bool) -> Path:
        """The name of a layer."""
        if self.free and weighted and self.prefix is not None:
            self.free = False
            return self.prefix
        return Path(self.prefix, self._next(kind))

    def block(self, kind: str) -> tuple[Path, Names]:
        """The name of a call of a block, and the names in its body. `close` settles it."""
        if self.free:
            # it may turn out to be the label itself: its steps and the rest of the line then share one name and one count
            path = Path(self.prefix, None)
            return path, Names(path, self.counters)
        path = Path(self.prefix, self._next(kind))
        return path, Names(path)

    def part(self, kind: str) -> Names:
        """The names in something without weights of its own, which is never the label itself."""
        return Names(Path(self.prefix, self._next(kind)))

    def close(self, path: Path, kind: str, weighted: bool) -> None:
        """After the body of a block: it is the label itself if it has weights and is the first that has."""
        if self.free and path.segment is None:
            if weighted:
                self.free = False
            else:
                path.segment = self._next(kind)

    def line(self, label: str) -> Names:
        """The names on a labelled line of this body."""
        segment = self._next(label) if self.counted else label
        return Names(Path(self.prefix, segment), free=True)

    def next_pass(self) -> Names:
        """The names in the next pass of the loop on this labelled line."""
        self.passes += 1
        return Names(Path(self.prefix, str(self.passes - 1)))

    def unlabelled_loop(self) -> Names:
        """The names in the passes of an unlabelled loop in this body: they count on."""
        return self if self.counted else Names(self.prefix, self.counters, counted=True)

    def _next(self, kind: str) -> str:
        count = self.counters.get(kind, 0)
        self.counters[kind] = count + 1
        return f"{kind}.{count}"
