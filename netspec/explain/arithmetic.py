"""The numbers of a layer as the sums and products that they come from, read off its formulas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import prod

from netspec.elaborate.facts import Facts
from netspec.elaborate.reach import Look, Reach, Size
from netspec.graph.types import Shape
from netspec.kernels.formula import Formula

MOST_LINES = 6
"""Formulas of a layer that are shown: a connection table has one for each kind of link."""
_AXES = {3: ("height", "width"), 2: ("steps",)}
"""What the axes are called along which a window slides, by the rank of the result."""


def _axes(shape: Shape) -> tuple[tuple[str, int], ...]:
    """The names of these axes, and where they stand in a shape."""
    names = _AXES.get(len(shape), ())
    return tuple((name, k + (len(shape) == 3)) for k, name in enumerate(names))


def sizes(facts: Facts) -> Iterator[tuple[str, str]]:
    """How the extents of the result follow from those of the input: `floor((28 + 2 + 2 - 5) / 1) + 1 = 28`.

    Only of layers that look through a window, and where this sum, or that with `ceil`, is what the layer's shape rule gave.
    """
    look = facts.looks[0]
    if len(facts.inputs) != 1 or look is None or all(window == 1 and stride == 1 for stride, window in look):
        return
    pads = facts.layer.pads(*facts.inputs) or ((0, 0),) * len(look)
    for (name, place), (stride, window), (before, after) in zip(_axes(facts.output), look, pads, strict=False):
        size, found = facts.inputs[0][place], facts.output[place]
        room = size + before + after - int(window)
        sums = f"({size}{f' + {before} + {after}' if before or after else ''} - {window}) / {stride}"
        if isinstance(stride, Fraction):
            continue
        if room // stride + 1 == found:
            yield name, f"floor({sums}) + 1 = {found}"
        elif -(-room // stride) + 1 == found:
            yield name, f"ceil({sums}) + 1 = {found}"


def counts(facts: Facts) -> Iterator[tuple[str, list[str]]]:
    """Parameters and multiplications as products, and the same from every element to every other."""
    trained = [weight for weight in facts.weights if weight.role == "trainable"]
    if trained:
        lines = [f"{weight.name}: {product(weight.type.sample)}" for weight in trained]
        if len(trained) > 1:
            lines.append(f"{' + '.join(f'{prod(weight.type.sample):,}' for weight in trained)} = {facts.params:,}")
        yield "parameters", lines
    contractions = [formula for formula in facts.inference.formulas if formula.multiplications()]
    if contractions:
        yield "multiplications", list(_contractions(contractions, facts.macs))
        if facts.weights:
            yield "fully connected", list(_dense(facts, max(prod(weight.type.sample) for weight in facts.weights)))


def product(extents: Sequence[int]) -> str:
    """`6 x 1 x 5 x 5 = 150`."""
    return f"{' x '.join(f'{extent:,}' for extent in extents)}{f' = {prod(extents):,}' if len(extents) > 1 else ''}"


def _contractions(formulas: Sequence[Formula], macs: int) -> Iterator[str]:
    """The products of each formula, those that are alike once, and of several the sum."""
    alike = Counter(map(_multiplications, formulas))
    shown = list(alike.items())[:MOST_LINES]
    yield from (f"{times} times {text}" if times > 1 else text for text, times in shown)
    if len(alike) > len(shown):
        yield f".. and {len(alike) - len(shown)} formulas more"
    if len(formulas) > 1:
        yield f"in all {macs:,}"


def _multiplications(formula: Formula) -> str:
    """How many elements, and how many products each of them sums: at each place of the sum one, or several beside each other."""
    kept = [axis.extent for axis in formula.kept if isinstance(axis.extent, int)]
    reduced = [axis.extent for axis in formula.reduced if isinstance(axis.extent, int)]
    beside = formula.multiplications() // prod(kept + reduced)
    reduced += [beside] if beside > 1 else []
    return f"{_factors(kept)} elements, each a sum of {_factors(reduced)} products: {formula.multiplications():,}"


def _factors(extents: Sequence[int]) -> str:
    return " x ".join(f"{extent:,}" for extent in extents) or "1"


def _dense(facts: Facts, weights: int) -> Iterator[str]:
    """The same shapes with a weight from each element of the input to each of the result."""
    read, made = prod(facts.inputs[0]), prod(facts.output)
    whole = read * made
    if whole == weights:
        yield "it is: each element of the result reads every element of the input by a weight of its own"
        return
    yield f"each of {read:,} elements with each of {made:,}: {whole:,} weights, {_times(whole, weights)} as many,"
    yield f"and as many multiplications, {_times(whole, facts.macs)} as many as here"


def _times(more: int, fewer: int) -> str:
    ratio = more / fewer
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.2g} times"


def fields(reads: Sequence[Reach | None], looks: Sequence[Look | None], reach: Reach | None) -> Iterator[str]:
    """The recurrence of the receptive field, an axis a line: field + (window - 1) * jump, and jump * stride.

    Of several inputs the widest counts.
    """
    if reach is None:
        if any(before is not None for before in reads):
            yield "the whole input: what follows has no place in the picture any more"
        return
    if all(before == reach for before in reads):
        yield f"as before: {_pixels(reach)}"
        return
    told = [found for before, look in zip(reads, looks, strict=True) if before and look for found in [_recurrences(before, look)]]
    widest = [found for found in told if all(size == field for (size, _), field in zip(found, reach.fields, strict=True))]
    if not widest:
        yield f"{_pixels(reach)}"
        return
    lines = [text for _, text in widest[0]]
    names = _AXES.get(len(lines) + 1, ("",) * len(lines))
    yield from lines[:1] if len(set(lines)) == 1 else [f"{name}: {text}" for name, text in zip(names, lines, strict=True)]


def _recurrences(before: Reach, look: Look) -> list[tuple[Size, str]]:
    return [_recurrence(before, look, k) for k in range(len(look))]


def _recurrence(before: Reach, look: Look, k: int) -> tuple[Size, str]:
    field, jump = before.fields[k], before.jumps[k]
    stride, window = look[k]
    found = field + (window - 1) * jump
    text = f"{_size(field)} + ({_size(window)} - 1) x {_size(jump)} = {_size(found)} {_unit(before)} of the input; "
    return found, f"{text}neighbours are {_size(jump)} x {_size(stride)} = {_size(jump * stride)} apart"


def _pixels(reach: Reach) -> str:
    return f"{'x'.join(map(str, dict.fromkeys(reach.pixels)))} {_unit(reach)} of the input"


def _unit(reach: Reach) -> str:
    return "pixels" if len(reach.fields) > 1 else "steps"


def _size(value: Size) -> str:
    return str(value) if isinstance(value, int) else f"{float(value):g}"
