"""Numbers to run a net on: weights as a trained net has them, pictures and labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netspec.graph.graph import Graph

Floats = NDArray[np.float32]


def likely_weights(graph: Graph, seed: int = 0) -> dict[str, Floats]:
    """Weights as a trained net has them: activations keep their size through the layers, statistics differ from 0 and 1."""
    random = np.random.default_rng(seed)
    found: dict[str, Floats] = {}
    for weight in graph.weights:
        shape = tuple(extent for extent in weight.type.shape if isinstance(extent, int))
        noise = random.standard_normal(shape)
        match weight.name.rpartition(".")[2]:
            case "weight":
                value = noise * np.sqrt(2.0 / max(1, np.prod(shape[1:])))
            case "scale" | "var":
                value = 1 + 0.2 * np.abs(noise)
            case _:
                value = 0.1 * noise
        found[weight.name] = value.astype(np.float32)
    return found


def samples(graph: Graph, batch: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """A batch of inputs, and a class for each."""
    random = np.random.default_rng(seed + 1)
    classes = graph.types[graph.outputs[0]].type.sample[0]
    x = random.standard_normal((batch, *graph.inputs[0].type.sample), np.float32)
    return x, random.integers(0, classes, batch)
