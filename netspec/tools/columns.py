"""Tables of text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

Cells = Sequence[str]


def size(value: object) -> int | str:
    """A number as JSON has it; as text, `64*H*W`, what depends on sizes that are left open."""
    return value if isinstance(value, int) else str(value)


def columns(heads: Cells, rows: Sequence[Cells], right: Collection[int] = ()) -> Iterator[str]:
    """Aligned lines under a rule, numbers to the right; columns without any content are left out."""
    kept = [k for k in range(len(heads)) if any(row[k] for row in rows)]
    widths = {k: max(len(row[k]) for row in (heads, *rows)) for k in kept}

    def line(cells: Cells) -> str:
        parts = [cells[k].rjust(widths[k]) if k in right else cells[k].ljust(widths[k]) for k in kept]
        return f"  {'  '.join(parts)}".rstrip()

    yield line(heads)
    yield "  " + "─" * (sum(widths.values()) + 2 * (len(kept) - 1))
    yield from map(line, rows)


def markdown(heads: Cells, rows: Sequence[Cells], right: Collection[int] = ()) -> Iterator[str]:
    """The same as a table of Markdown."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---:' if k in right else '---' for k in range(len(heads)))}|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
