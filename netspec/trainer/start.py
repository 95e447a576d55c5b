"""Weights that a run starts from: read from a file by name, every one accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netspec.diagnostics import Diagnostic, SpecError, UserError
from netspec.model import Model
from netspec.sources import project_folder
from netspec.trainer.checkpoint import read
from netspec.training import TrainPlan
from netspec.training.patterns import matching
from netspec.training.start import Load

Arrays = Mapping[str, NDArray[Any]]
NAMED = 3
"""Weights that a message names, of each kind."""


def starting_weights(model: Model, plan: TrainPlan) -> dict[str, NDArray[np.float32]]:
    """The weights that a plan loads, by the net's names; none where it loads none. Raises SpecError where they do not go into the net."""
    if (load := plan.weights) is None:
        return {}
    try:
        saved, _ = read(_contained(Path(model.source.file).parent, load.path))
        shapes = {weight.name: tuple(int(extent) for extent in weight.type.shape) for weight in model.weights}
        return _fitting(load, saved, shapes)
    except UserError as error:
        span = dict(plan.spans).get("weights", plan.span)
        if span is None:
            raise
        raise SpecError([Diagnostic("E0401", error.message, span, help=error.help)], [model.source]) from error


def _contained(folder: Path, path: str) -> Path:
    """The file, which is in the folder of the spec's project."""
    try:
        base = folder.resolve()
        found, root = (base / path).resolve(), project_folder(base)
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, links in a circle
        raise UserError(f"`{path[:60]}` is no path that can be read: {error}") from error
    if not found.is_relative_to(root):
        raise UserError(f"`{path}` lies outside of the project's folder", f"only files in {root} are loaded")
    return found


def _fitting(load: Load, saved: Arrays, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """The saved arrays under the net's names. Raises UserError unless each has its weight, and each weight its array."""
    before = f"{load.into}." if load.into else ""
    excepted = [name for name in shapes if load.except_ and matching(name, load.except_)]
    wanted = {name: shape for name, shape in shapes.items() if name.startswith(before) and name not in excepted}
    # names with a slash are what an optimizer keeps beside the weights
    given = {before + name: value for name, value in saved.items() if "/" not in name}
    given = {name: value for name, value in given.items() if not (load.except_ and matching(name, load.except_))}
    missing, unexpected = [name for name in wanted if name not in given], [name for name in given if name not in wanted]
    if missing or unexpected:
        parts = [f"{len(names)} {word} ({_some(names)})" for names, word in ((missing, "missing"), (unexpected, "unexpected")) if names]
        help = _rename(missing, unexpected, wanted, given) or "leave out what is not wanted: `except=[..]`"
        raise UserError(f"weights: {', '.join(parts)}", help)
    for name, shape in wanted.items():
        found = given[name]
        if found.shape != shape or found.dtype.kind != "f":
            kind = f" of {found.dtype}" if found.dtype.kind != "f" else ""
            line = name.rpartition(".")[0]
            raise UserError(
                f"`{name}` is {list(found.shape)}{kind} in the file, the net has {list(shape)}", f'leave it out: `except="{line}"`'
            )
    return {name: np.asarray(given[name], np.float32) for name in wanted}


def _some(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:NAMED]) + (", .." if len(names) > NAMED else "")


def _rename(missing: list[str], unexpected: list[str], wanted: Mapping[str, tuple[int, ...]], given: Arrays) -> str | None:
    """The most frequent pair of beginnings under which the rest of a name and the shape are the same."""
    pairs = Counter(
        pair
        for theirs in unexpected
        for ours in missing
        if given[theirs].shape == wanted[ours]
        for pair in _beginnings(theirs.split("."), ours.split("."))
    )
    if not pairs:
        return None
    (theirs, ours), _ = pairs.most_common(1)[0]
    return f"looks like a rename: `{theirs}.*` in the file, `{ours}.*` in the net"


def _beginnings(theirs: list[str], ours: list[str]) -> Iterator[tuple[str, str]]:
    """What stands before the longest common end of two names, where both have some and some is common."""
    common = 0
    while common < min(len(theirs), len(ours)) - 1 and theirs[-1 - common] == ours[-1 - common]:
        common += 1
    if common:
        yield ".".join(theirs[: len(theirs) - common]), ".".join(ours[: len(ours) - common])
