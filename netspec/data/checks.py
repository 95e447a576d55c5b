"""Whether the data fits the net, said before the first step."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from netspec.data.dataset import Dataset, Kind, Samples, Targets
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


def check_targets(data: Dataset, field: str, loss: str, kind: Kind, wanted: Shape, classes: int) -> None:
    """A field against what the loss compares: samples of a shape, or one of so many classes. Raises UserError naming the first offender."""
    for split, part in _parts(data):
        targets = part.targets[field]
        found = targets.shape[1:]
        if kind == "classes":
            _check_classes(data, split, part.rows, targets, loss, classes)
        elif wanted not in (found, (1, *found)):
            raise UserError(
                f"`{loss}` compares an output {list(wanted)} with targets {list(found)} of {data.source}", "the two shapes must be equal"
            )


def _check_classes(data: Dataset, split: str, rows: NDArray[np.int64], targets: Targets, loss: str, classes: int) -> None:
    if targets.dtype != np.int64 or targets.ndim != 1:
        found = f"{targets.dtype} of shape {['samples', *targets.shape[1:]]}"
        raise UserError(
            f"`{loss}` needs one class number per sample, {data.source} has {found}", "write the labels as whole numbers, one per sample"
        )
    labels = targets[rows]
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if not len(wrong):
        return
    first = wrong[0]
    where = f"the first is {split} sample {rows[first]:,}, class {labels[first]}"
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
    for (_, before), (split, after) in pairwise(_parts(data)):
        for name, shape in before.shapes.items():
            if after.shapes[name] != shape:
                raise UserError(f"{data.source}: training samples are {list(shape)}, {split} samples {list(after.shapes[name])}")


def _parts(data: Dataset) -> list[tuple[str, Samples]]:
    found = (("training", data.train), ("validation", data.val), ("test", data.test))
    return [(name, part) for name, part in found if part is not None]
