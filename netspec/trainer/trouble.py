"""Trouble has a name: a step that was not finite is replayed in the reference, to say which layer it began in and for which samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netspec.compiler import traced_graph
from netspec.diagnostics import UserError
from netspec.graph.graph import Graph
from netspec.runtime import reference
from netspec.training import TrainPlan

Floats = NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)
NAMED = 5
"""Samples that are listed by number."""


def explain(
    net: Graph, plan: TrainPlan, weights: Mapping[str, Floats], batch: Mapping[str, Floats], rows: NDArray[np.int64], place: str
) -> UserError:
    """The error for a step at `place` (`epoch 3, step 140`) whose loss or gradient was not finite, on samples `rows` of the data.

    `batch`: all inputs of the training graph.
    """
    told = f"{place}: the loss or its gradient is not finite; no weight was changed"
    count = len(rows)
    for name, array in batch.items():
        bad = np.flatnonzero(~np.isfinite(array.reshape(count, -1)).all(axis=1))
        if len(bad):
            what = "input" if len(net.inputs) == 1 and name == net.inputs[0].name else f"`{name.rpartition('/')[2]}`"
            return UserError(f"{told}: the {what} of {_samples(rows, bad)} is not finite", "look at the data, and at `prepare`")
    graph = traced_graph(net, plan)
    tensors = {name: array.astype(np.float64) for name, array in (*batch.items(), *weights.items())}
    values = reference.run(graph, tensors, batch=count)
    for op in graph.ops:
        for value in op.outputs:
            found = values[value.name]
            wrong = ~np.isfinite(found) | (np.abs(found) > LARGEST)
            if not wrong.any():
                continue
            who = f" for {_samples(rows, np.flatnonzero(wrong.reshape(count, -1).any(axis=1)))}" if "N" in value.type.shape else ""
            what = "gradient" if value.name.startswith("d:") else "value"
            return UserError(f"{told}: it begins with the {what} of `{op.origin}`{who}", _mend(plan))
    return UserError(f"{told}: float32 overflows where float64 does not", _mend(plan))


def _samples(rows: NDArray[np.int64], which: NDArray[np.int64]) -> str:
    numbers = ", ".join(f"{rows[i]:,}" for i in which[:NAMED])
    return f"sample{'s' if len(which) > 1 else ''} {numbers}{f' and {len(which) - NAMED} more' if len(which) > NAMED else ''}"


def _mend(plan: TrainPlan) -> str:
    rate = plan.optimizer.lr if plan.optimizer else None
    return f"lower the learning rate (lr={rate:g}), or warm up longer" if rate else "lower the learning rate"
