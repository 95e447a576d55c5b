"""A profile for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netspec.profile.results import GIGA, Profile, Row, Side, tile_of

LEFT = {"layer", "kind", "bound", "mode", "tile"}
"""Columns that begin alike; the others, numbers, end alike."""
ONE_LAUNCH = {"mode", "tile"}
"""Columns that tell of a layer's longest launch."""
Cell = Callable[[Row, Profile], str]


def table(found: Profile, by_time: bool = True) -> str:
    """Layers, then what is no layer, then the sum of all and what the machine can do."""
    layers, others = found.ordered(by_time)
    columns = INFER if found.mode == "infer" else TRAIN
    heads = tuple(head for head, _ in columns)
    upper, lower = ([tuple(cell(row, found) for _, cell in columns) for row in rows] for rows in (layers, others))
    total = _total(found)
    lower.append(tuple("" if head in ONE_LAUNCH else cell(total, found) for head, cell in columns))
    widths = [max(len(row[k]) for row in (heads, *upper, *lower)) for k in range(len(heads))]
    rule = "  " + "─" * (sum(widths) + 2 * (len(widths) - 1))
    body = [*(_line(row, heads, widths) for row in upper), rule, *(_line(row, heads, widths) for row in lower)]
    return "\n".join([_title(found), "", _line(heads, heads, widths), rule, *body, "", *_notes(found)])


def _line(row: Sequence[str], heads: Sequence[str], widths: Sequence[int]) -> str:
    cells = [f"{cell:<{width}}" if head in LEFT else f"{cell:>{width}}" for cell, head, width in zip(row, heads, widths, strict=True)]
    return f"  {'  '.join(cells)}".rstrip()


def _total(found: Profile) -> Row:
    rows = (*found.layers, *found.others)
    forward, backward = (
        [part for side in sides if side for part in side.parts]
        for sides in zip(*((row.forward, row.backward) for row in rows), strict=True)
    )
    machine = found.machine
    return Row(
        "sum of the parts", "", Side(tuple(forward), machine) if forward else None, Side(tuple(backward), machine) if backward else None
    )


def _title(found: Profile) -> str:
    kind = {"infer": "inference", "train": "training step", "gradients": "loss and gradients"}[found.mode]
    threads = f"{found.threads} thread{'s' if found.threads > 1 else ''}"
    return f"{found.net}, {kind}, batch {found.batch}, {found.target}, {threads}, {found.layout} along the lanes, {found.rounds} rounds"


def _notes(found: Profile) -> list[str]:
    machine = found.machine
    lines = [
        f"  a whole step takes {1e3 * found.step:.{_digits(found)}f} ms, {found.step / found.total:.2f} of the sum of its parts",
        f"  the machine does {machine.peak / GIGA:.0f} GFLOP/s of multiply-adds; it moves {machine.memory / GIGA:.1f} GB/s from and to "
        f"memory, {machine.cache / GIGA:.0f} GB/s from and to the threads' caches",
    ]
    if any(row.both.share > 1 for row in (*found.layers, *found.others)):
        lines.append("  shares above 100%: something else took the cores whenever the peak was measured")
    if found.loading:
        lines.append(f"  once, when weights are loaded: {1e3 * found.loading:.{_digits(found)}f} ms")
    if found.free:
        lines.append(f"  no work of their own: {', '.join(found.free)}")
    return lines


# ── columns ──────────────────────────────────────────────────────────────────────────────────────


def _ms(side: Side | None, found: Profile) -> str:
    return "" if side is None else f"{1e3 * side.seconds:.{_digits(found)}f}"


def _digits(found: Profile) -> int:
    """Decimals of milliseconds."""
    return 3 if found.total >= 1e-3 else 5


def _rate(side: Side | None) -> str:
    return "" if side is None or not side.operations else f"{side.rate / GIGA:.1f}"


def _share(side: Side | None) -> str:
    return "" if side is None or not side.operations else f"{side.share:.0%}"


Columns = tuple[tuple[str, Cell], ...]
HEAD: Columns = (("layer", lambda row, _: row.name), ("kind", lambda row, _: row.kind))
OF_TIME: Columns = (("of time", lambda row, found: f"{row.both.seconds / found.total:.0%}"),)
COMMON: Columns = (
    ("MB", lambda row, _: f"{row.both.moved / 1e6:.2f}"),
    ("FLOP/B", lambda row, _: f"{row.both.intensity:.1f}" if row.both.operations else ""),
    ("bound", lambda row, _: row.both.bound),
    ("of roof", lambda row, _: f"{row.both.roof:.0%}"),
    ("mode", lambda row, _: row.both.longest.mode.replace("_", " ")),
    ("tile", lambda row, _: tile_of(row.both.longest.launch)),
)
FORWARD: Columns = (("GFLOP/s", lambda row, _: _rate(row.forward)), ("of peak", lambda row, _: _share(row.forward)))
BACKWARD: Columns = (("backward", lambda row, _: _rate(row.backward)), ("of peak", lambda row, _: _share(row.backward)))
TIMES: Columns = (("forward ms", lambda row, found: _ms(row.forward, found)), ("backward ms", lambda row, found: _ms(row.backward, found)))
INFER: Columns = (*HEAD, ("ms", lambda row, found: _ms(row.forward, found)), *OF_TIME, *FORWARD, *COMMON)
TRAIN: Columns = (*HEAD, *TIMES, *OF_TIME, *FORWARD, *BACKWARD, *COMMON)
