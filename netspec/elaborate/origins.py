"""Where weights come from: another step's (`weight=e1.weight`), numbers (`weight=sobel`), another start (`init="he"`), a shared line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import sqrt
from typing import Final

from netspec.diagnostics import Label, Span
from netspec.elaborate.arithmetic import size
from netspec.elaborate.binding import Origins
from netspec.elaborate.build import Build, Sharing, Taken
from netspec.elaborate.facts import Facts
from netspec.elaborate.place import Application
from netspec.elaborate.values import POISON, Given, Labelled, Pass, Poison, Stored, Tensor, Value, describe, is_number, show
from netspec.graph.types import Init, Shape, Weight
from netspec.kernels.affine import size_of

_NOTHING: Final[dict[str, Weight]] = {}


def stored(build: Build, facts: Facts) -> dict[str, Stored]:
    """The weights of the step that is applied next, as values of the language."""
    step = len(build.applied)
    return {weight.name: Stored(step, weight.name, weight.type.sample) for weight in facts.weights}


def origins_of(at: Application, facts: Facts, origins: Origins) -> tuple[Taken, Mapping[str, Weight]] | Poison:
    """The weights that a layer takes from steps above, and those that start as the text says."""
    build = at.place.build
    if build.sharing is not None:
        taken = _shared(at, facts, build.sharing)
        return taken if isinstance(taken, Poison) else (taken, _NOTHING)
    if not origins:
        return {}, _NOTHING
    if len(origins) > 1:
        message = f"`{at.found.name}`: `weight` says what the weight is, `init` how it starts"
        return at.place.scope.report("E0106", message, origins["init"].span, help="keep one of them")
    ((name, given),) = origins.items()
    return _weight(at, facts, given) if name == "weight" else _init(at, facts, given)


def _weight(at: Application, facts: Facts, given: Given) -> tuple[Taken, Mapping[str, Weight]] | Poison:
    own = facts.weights[0]
    if not isinstance(given.value, Stored):
        numbers = _numbers(at, "weight", own, given)
        return POISON if isinstance(numbers, Poison) else ({}, {own.name: replace(own, init=numbers, role="constant")})
    if given.value.shape == own.type.sample:
        return {own.name: at.place.build.owner(given.value)}, _NOTHING
    text = at.place.scope.text(given.span)
    donor = at.place.build.applied[given.value.step]
    fits = given.value.shape[::-1] == own.type.sample and len(own.type.sample) == 2
    help = f"`weight={text.removesuffix('.T')}{'' if given.value.turned else '.T'}`, its transpose, fits" if fits else _arithmetic(facts)
    message = f"`{text}` is {show(given.value)}, this `{at.found.name}` needs {list(own.type.sample)}"
    labels = [Label(donor.span, f"has it, for an input {list(donor.facts.inputs[0])}")]
    return at.place.scope.report("E0211", message, given.span, labels=labels, help=help)


def _arithmetic(facts: Facts) -> str:
    """What a weight's shape follows from."""
    return f"it follows from the input {list(facts.inputs[0])}, the result {list(facts.output)} and the arguments"


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────


def _init(at: Application, facts: Facts, given: Given) -> tuple[Taken, Mapping[str, Weight]] | Poison:
    own = facts.weights[0]
    word = given.value if isinstance(given.value, str) else getattr(given.value, "text", None)
    if word is None:
        start = _numbers(at, "init", own, given)
    elif word == "he":
        start = Init("normal", sqrt(2 / _fan_in(own)))  # keeps the variance of activations behind relu (He et al. 2015)
    elif word == "xavier" and _fan_in(own) == size_of(own.type.sample[1:]):
        start = _xavier(own.type.sample)
    elif word == "xavier":
        message = f"`init={word}` counts what each filter reads and feeds: with a table they differ"
        return at.place.scope.report("E0106", message, given.span, help='`init="he"` goes by the mean of what they read')
    else:
        message = f'`init` of `{at.found.name}` must be `"he"`, `"xavier"`, a number or a list, got {show(given.value)}'
        return at.place.scope.report("E0106", message, given.span)
    return POISON if isinstance(start, Poison) else ({}, {own.name: replace(own, init=start)})


def _fan_in(own: Weight) -> int:
    """How many products are summed: the layer's own start, PyTorch's default, is uniform within 1/sqrt of it."""
    return round(own.init.scale**-2)


def _xavier(shape: Shape) -> Init:
    """Uniform within sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010), of a weight between all channels."""
    window = size_of(shape[2:])
    return Init("uniform", sqrt(6 / ((shape[0] + shape[1]) * window)))


def _numbers(at: Application, argument: str, own: Weight, given: Given) -> Init | Poison:
    """Numbers that are repeated over the leading axes of a weight."""
    name, needed = at.found.name, own.type.sample
    report = at.place.scope.report
    if isinstance(given.value, tuple):
        at.place.scope.context.budget.evaluate(size(given.value))
    elif not is_number(given.value):
        what = "another layer's weight, a number or a list of numbers" if argument == "weight" else "a number or a list of numbers"
        label = isinstance(given.value, Labelled | Pass | Tensor) and argument == "weight"
        help = f"`weight={at.place.scope.text(given.span)}.weight`" if label else None
        return report("E0106", f"`{argument}` of `{name}` is {what}, got {describe(given.value)}", given.span, help=help)
    found: list[float] = []
    shape = _flatten(given.value, found)
    if shape is None:
        message = f"`{argument}` of `{name}` is no array: its rows differ in length, or hold something else than numbers"
        return report("E0106", message, given.span)
    if shape == needed[len(needed) - len(shape) :]:
        return Init("values", values=tuple(found))
    message = f"the numbers have the shape {list(shape)}, the weight of this `{name}` is {list(needed)}"
    help = f"a list is repeated over the leading axes: one of {' or '.join(str(list(needed[k:])) for k in range(len(needed)))} fits"
    return report("E0211", message, given.span, help=help)


def _flatten(value: Value, found: list[float]) -> Shape | None:
    """Append the numbers of nested lists in order; their shape, None where rows differ."""
    if is_number(value):
        assert isinstance(value, int | Fraction)
        found.append(float(value))
        return ()
    if not isinstance(value, tuple) or not value:
        return None
    first, *others = (_flatten(item, found) for item in value)
    return None if first is None or any(other != first for other in others) else (len(value), *first)


# ── shared lines ─────────────────────────────────────────────────────────────────────────────────


def _shared(at: Application, facts: Facts, sharing: Sharing) -> Taken | Poison:
    """The weights of the step that stands at the same place of the shared line."""
    build = at.place.build
    step = next(sharing.donors, None)
    donor = None if step is None else build.applied[step]
    if donor is None or donor.facts.layer.name != facts.layer.name:
        has = "has no more weights" if donor is None else f"has the weights of a `{donor.facts.layer.name}` here"
        message = f"`share({sharing.name})`: `{at.found.name}` needs weights, the line {has}"
        help = f"what the steps of `{sharing.name}` are must not depend on the tensor"
        return at.place.scope.report("E0211", message, sharing.span, labels=[Label(at.mark, "applied again")], help=help)
    assert step is not None
    for theirs, ours in zip(donor.facts.weights, facts.weights, strict=True):
        if theirs.type != ours.type:
            return _misfit(at, facts, donor.facts, sharing, (theirs, ours))
    return {weight.name: build.owner(Stored(step, weight.name, weight.type.sample)) for weight in facts.weights}


def _misfit(at: Application, facts: Facts, before: Facts, sharing: Sharing, weights: tuple[Weight, Weight]) -> Poison:
    theirs, ours = weights
    message = (
        f"`share({sharing.name})`: `{at.found.name}` needs a {ours.name} {list(ours.type.sample)}, its own is {list(theirs.type.sample)}"
    )
    here, there = facts.inputs[0], before.inputs[0]
    note = f"its {ours.name} {list(theirs.type.sample)} is for an input {list(there)}, here the input is {list(here)}"
    label: Span = at.mark
    help = f"bring the tensor to {list(there)} before `share({sharing.name})`"
    return at.place.scope.report("E0211", message, sharing.span, labels=[Label(label, "applied again")], notes=[note], help=help)
