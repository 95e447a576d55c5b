"""Trouble has a name: a step that was not finite is replayed in the reference, to say which layer it began in and for which samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netspec.compiler import TARGET, traced_graph
from netspec.diagnostics import UserError
from netspec.graph.graph import Graph
from netspec.runtime import reference
from netspec.training import TrainPlan

Floats = NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)
NAMED = 5
"""Samples that are listed by number."""


def explain(
    net: Graph, plan: TrainPlan, weights: Mapping[str, Floats], batch: tuple[Floats, Floats], rows: NDArray[np.int64], place: str
) -> UserError:
    """The error for a step at `place` (`epoch 3, step 140`) whose loss or gradient was not finite, on samples `rows` of the data."""
    x, y = batch
    told = f"{place}: the loss or its gradient is not finite; no weight was changed"
    bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
    if len(bad):
        return UserError(f"{told}: the input of {_samples(rows, bad)} is not finite", "look at the data, and at `prepare`")
    graph = traced_graph(net, plan.loss[0])
    tensors = {net.inputs[0].name: x.astype(np.float64), TARGET: y.reshape(len(y), *_target_shape(graph)).astype(np.float64)}
    values = reference.run(graph, tensors | {name: value.astype(np.float64) for name, value in weights.items()}, batch=len(x))
    for op in graph.ops:
        for value in op.outputs:
            found = values[value.name]
            wrong = ~np.isfinite(found) | (np.abs(found) > LARGEST)
            if not wrong.any():
                continue
            who = f" for {_samples(rows, np.flatnonzero(wrong.reshape(len(x), -1).any(axis=1)))}" if "N" in value.type.shape else ""
            what = "gradient" if value.name.startswith("d:") else "value"
            return UserError(f"{told}: it begins with the {what} of `{op.origin}`{who}", _mend(plan))
    return UserError(f"{told}: float32 overflows where float64 does not", _mend(plan))


def _target_shape(graph: Graph) -> tuple[int, ...]:
    return graph.types[TARGET].type.sample


def _samples(rows: NDArray[np.int64], which: NDArray[np.int64]) -> str:
    numbers = ", ".join(f"{rows[i]:,}" for i in which[:NAMED])
    return f"sample{'s' if len(which) > 1 else ''} {numbers}{f' and {len(which) - NAMED} more' if len(which) > NAMED else ''}"


def _mend(plan: TrainPlan) -> str:
    rate = plan.optimizer.lr if plan.optimizer else None
    return f"lower the learning rate (lr={rate:g}), or warm up longer" if rate else "lower the learning rate"
