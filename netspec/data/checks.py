"""Whether the data fits the net, said before the first step."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np

from netspec.data.dataset import Dataset, Samples
from netspec.diagnostics import UserError

Shape = tuple[int, ...]


def check_input(data: Dataset, name: str, wanted: Shape, given: Shape) -> None:
    """The net's input `name` of shape `wanted` against the prepared samples' shape. Raises UserError."""
    if wanted == given:
        return
    mend = "change the net's input, or prepare the data"
    if len(wanted) == len(given) == 3 and wanted[0] == given[0]:
        grown = {(w - g) for w, g in zip(wanted[1:], given[1:], strict=True)}
        if len(grown) == 1 and (more := grown.pop()) > 0 and more % 2 == 0:
            mend = f"add `pad({more // 2})` to `prepare`"
    elif len(wanted) == 1 and wanted[0] == int(np.prod(given)):
        mend = f"declare `input {name}[{', '.join(map(str, given))}]` and start the net with `flatten`"
    raise UserError(f"the net's input `{name}` is {list(wanted)}, the samples of {data.source} are {list(given)} once prepared", mend)


def check_targets(data: Dataset, loss: str, kind: Literal["classes", "values"], output: Shape) -> None:
    """The targets against what the loss compares, an output of shape `output`. Raises UserError naming the first offender."""
    for split, part in _parts(data):
        if part.targets is None:
            raise UserError(
                f"{data.source} has no target for `{loss}`", 'name the array: `y="labels"`, or a target of the net: `mse(out, image)`'
            )
        if kind == "classes":
            _check_classes(data, split, part, loss, output)
        elif part.targets.shape[1:] != output and not (part.targets.ndim == 1 and output == (1,)):
            found = list(part.targets.shape[1:])
            raise UserError(
                f"`{loss}` compares an output {list(output)} with targets {found} of {data.source}", "the two shapes must be equal"
            )


def _check_classes(data: Dataset, split: str, part: Samples, loss: str, output: Shape) -> None:
    targets, classes = part.targets, output[-1]
    assert targets is not None
    if targets.dtype != np.int64 or targets.ndim != 1:
        found = f"{targets.dtype} of shape {['samples', *targets.shape[1:]]}"
        raise UserError(
            f"`{loss}` needs one class number per sample, {data.source} has {found}", "write the labels as whole numbers, one per sample"
        )
    labels = targets[part.rows]
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if not len(wrong):
        return
    first = wrong[0]
    where = f"the first is {split} sample {part.rows[first]:,}, class {labels[first]}"
    if labels.min() < 0:
        raise UserError(f"{data.source}: {len(wrong):,} labels below 0: {where}", "class numbers start at 0")
    count = int(labels.max()) + 1
    mend = (
        "class numbers start at 0"
        if labels.min() == 1 and count == classes + 1
        else f"`--set classes={count}`, if the net has that parameter"
    )
    raise UserError(f"`{loss}` has {classes} logits, the data {count} classes: {len(wrong):,} labels beyond, {where}", mend)


def check_sizes(data: Dataset, val: int | float | None) -> None:
    """That every split that is asked for holds something. Raises UserError."""
    if not len(data.train):
        left = f", since `val={val}` of {len(data.val)} takes all" if data.val is not None else ""
        raise UserError(f"{data.source} has no training samples{left}")
    if data.val is not None and not len(data.val):
        raise UserError(f"{data.source}: `val={val}` sets no sample aside", "ask for more")
    shapes = [(split, part.shape) for split, part in _parts(data)]
    for (_, before), (split, after) in pairwise(shapes):
        if before != after:
            raise UserError(f"{data.source}: training samples are {list(before)}, {split} samples {list(after)}")


def _parts(data: Dataset) -> list[tuple[str, Samples]]:
    found = (("training", data.train), ("validation", data.val), ("test", data.test))
    return [(name, part) for name, part in found if part is not None]
