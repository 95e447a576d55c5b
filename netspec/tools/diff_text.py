"""A comparison as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from netspec.graph.types import Weight
from netspec.report import Json
from netspec.tools.columns import columns, size
from netspec.tools.diff import Comparison, Difference, Place, Side, count
from netspec.tools.folding import folded
from netspec.tools.written import call

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}
_SHOWN = 12
"""Weights that are listed of each kind."""


def to_text(found: Comparison) -> str:
    """Tables for a terminal."""
    return "\n".join(_lines(found))


def _lines(found: Comparison) -> Iterator[str]:
    a, b = found.a, found.b
    yield f"{a.net.name} ({a.source.file}) -> {b.net.name} ({b.source.file})"
    yield ""
    yield from columns(("", "A", "B", "difference"), [_counted(*line) for line in _totals(a, b)], right=(1, 2, 3))
    yield ""
    if found.same:
        yield "  the same layers, shapes and names"
    else:
        yield from columns(("", "layer", "was", "is", "output", "params", "MACs"), list(_rows(found)), right=(5, 6))
    yield ""
    yield from _weight_lines(found)


def _totals(a: Side, b: Side) -> Iterator[tuple[str, int, int]]:
    yield "layers", len(a.places), len(b.places)
    yield "params", a.net.params, b.net.params
    yield "MACs", a.net.macs, b.net.macs
    if (mine := a.net.receptive_field) and (yours := b.net.receptive_field):
        yield "receptive field", max(mine), max(yours)
    if (mine := a.net.memory) and (yours := b.net.memory):
        yield "bytes, inference", mine.infer.at(1), yours.infer.at(1)
        yield "bytes, training at batch 64", mine.train.at(64), yours.train.at(64)


def _counted(name: str, a: int, b: int) -> tuple[str, ...]:
    if f"{a}" == f"{b}" or not type(a) is type(b) is int:  # sizes that are left open have no difference
        return name, f"{a:,}", f"{b:,}", "=" if f"{a}" == f"{b}" else ""
    share = f" ({(b - a) / a:+.1%})" if a else ""
    return name, f"{a:,}", f"{b:,}", f"{b - a:+,}{share}"


def _rows(found: Comparison) -> Iterator[tuple[str, ...]]:
    """A row for each difference; of a block that was added or removed, one for all of it."""
    for change, some in groupby(found.layers, lambda item: item.change):
        run = list(some)
        places = [place for item in run if (place := item.b or item.a) is not None]
        others = {"added": found.a, "removed": found.b}.get(change)
        names = [place.path for place in others.places] if others else [place.path for place in places]
        whole = folded([place.path for place in places], names)
        for block, numbers in whole:
            if block is None:
                yield _SIGNS[change], *_cells(run[numbers[0]])
            else:
                yield _SIGNS[change], block, *_block([places[k] for k in numbers], change)


def _block(places: Sequence[Place], change: str) -> tuple[str, ...]:
    what = f"{len(places)} layers"
    params, macs = sum(place.params for place in places), sum(place.macs for place in places)
    was, now = ("", what) if change == "added" else (what, "")
    return was, now, str(list(places[-1].output)), f"{params:,}" if params else "", f"{macs:,}" if macs else ""


def _cells(item: Difference) -> tuple[str, ...]:
    a, b = item.a, item.b
    place = b or a
    assert place is not None
    path = f"{a.path} -> {b.path}" if item.change == "renamed" and a and b else place.path
    same = a is not None and b is not None and call(a.layer) == call(b.layer)
    return (
        path,
        call(a.layer) if a else "",
        call(b.layer) if b and not same else "",
        _both(str(list(a.output)) if a else None, str(list(b.output)) if b else None),
        _both(f"{a.params:,}" if a else None, f"{b.params:,}" if b else None),
        _both(f"{a.macs:,}" if a else None, f"{b.macs:,}" if b else None),
    )


def _both(a: str | None, b: str | None) -> str:
    if a is None or b is None or a == b:
        found = b if a is None else a
        return "" if found in (None, "0") else str(found)
    return f"{a} -> {b}"


def _weight_lines(found: Comparison) -> Iterator[str]:
    weights = found.weights
    total = list({weight.name: weight for place in found.b.places for weight in place.weights}.values())
    numbers = f"{count(weights.load):,} of {count(total):,} numbers"
    yield f"  of B's {len(total)} weights {len(weights.load)} load from A by name and shape: {numbers}"
    if weights.renames:
        yield f"  {len(weights.renames)} more are likely renamed:"
        yield from _some([f"{old} -> {new}" for old, new in _stems(weights.renames)])
    if weights.reshaped:
        yield f"  {len(weights.reshaped)} have another shape:"
        yield from _some([f"{old.name} {list(old.type.shape)} -> {list(new.type.shape)}" for old, new in weights.reshaped])
    for what, some, other in (
        ("only in B, to be learned", weights.missing, found.a),
        ("only in A, left over", weights.unexpected, found.b),
    ):
        if some:
            yield f"  {len(some)} {what}:"
            yield from _some(list(_listed(some, [place.path + ".weight" for place in other.places])))


def _listed(weights: Sequence[Weight], others: Sequence[str]) -> Iterator[str]:
    for block, numbers in folded([weight.name for weight in weights], others):
        some = [weights[k] for k in numbers]
        yield f"{some[0].name} {list(some[0].type.shape)}" if block is None else f"{block}.*: {len(some)} weights, {count(some):,} numbers"


def _stems(renames: Sequence[tuple[Weight, Weight]]) -> list[tuple[str, str]]:
    """Layers instead of their weights: `c2.* -> c3.*`."""
    pairs = [(old.name.rpartition(".")[0] + ".*", new.name.rpartition(".")[0] + ".*") for old, new in renames]
    return list(dict.fromkeys(pairs))


def _some(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"    {line}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"    .. {len(lines) - _SHOWN} more"


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────


def to_json(found: Comparison) -> str:
    """Everything that the table has, and what it cuts short."""
    weights = found.weights
    data: dict[str, Json] = {
        "a": _side(found.a),
        "b": _side(found.b),
        "layers": [{"change": item.change, "a": _layer(item.a), "b": _layer(item.b)} for item in found.layers],
        "weights": {
            "load": [_weight(weight) for weight in weights.load],
            "renamed": [{"a": _weight(old), "b": _weight(new)} for old, new in weights.renames],
            "reshaped": [{"a": _weight(old), "b": _weight(new)} for old, new in weights.reshaped],
            "missing": [_weight(weight) for weight in weights.missing],
            "unexpected": [_weight(weight) for weight in weights.unexpected],
        },
    }
    return json.dumps(data, indent=2, ensure_ascii=False)


def _side(side: Side) -> Json:
    net = side.net
    counts: dict[str, Json] = {"params": size(net.params), "macs": size(net.macs)}
    return {"file": side.source.file, "net": net.name, "layers": len(side.places), **counts}


def _layer(place: Place | None) -> Json:
    if place is None:
        return None
    shapes: list[Json] = [[size(dim) for dim in shape] for shape in place.inputs]
    counts: dict[str, Json] = {"params": size(place.params), "macs": size(place.macs)}
    return {"path": place.path, "layer": call(place.layer), "inputs": shapes, "output": [size(dim) for dim in place.output], **counts}


def _weight(weight: Weight) -> Json:
    return {"name": weight.name, "shape": [size(dim) for dim in weight.type.shape]}
