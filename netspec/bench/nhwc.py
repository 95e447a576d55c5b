"""Channels last, as TensorFlow and JAX have it on a CPU: weights in their order, and what becomes of `flatten`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netspec.bench.steps import Site
from netspec.bench.weights import Floats
from netspec.graph.graph import Graph, Node
from netspec.graph.types import Shape

POINTWISE = frozenset({"relu", "relu6", "leaky_relu", "elu", "sigmoid", "tanh", "gelu", "silu", "hardswish"})


@dataclass(frozen=True)
class Order:
    """Which `flatten` may leave the channels last (by name), because every `dense` behind it (by name, with the map's shape) has its weight
    permuted instead, once.
    """

    straight: frozenset[str]
    permuted: Mapping[str, Shape]

    def weights(self, graph: Graph, given: Mapping[str, Floats]) -> dict[str, Floats]:
        """Weights by name: of convolutions [kh, kw, i/groups, c], of dense layers [f, units]."""
        found = dict(given)
        for node in graph.layers:
            for name in node.weights:
                if name.rpartition(".")[2] == "weight":
                    found[name] = np.ascontiguousarray(self._turned(node, given[name]))
        return found

    def _turned(self, node: Node, weight: Floats) -> Floats:
        if weight.ndim == 4:
            return weight.transpose(2, 3, 1, 0)
        if (shape := self.permuted.get(node.name)) is not None:
            weight = weight.reshape(-1, *shape).transpose(0, 2, 3, 1).reshape(len(weight), -1)
        return weight.T


def order(graph: Graph) -> Order:
    """Look behind every `flatten` of a map: where only dense layers read it, through functions of each element, it may stay straight."""
    straight: set[str] = set()
    permuted: dict[str, Shape] = {}
    for node in graph.layers:
        shape = graph.types[node.inputs[0]].type.sample
        if node.layer.name == "flatten" and len(shape) == 3:
            readers = _dense_readers(graph, node.output.name)
            if readers is not None:
                straight.add(node.name)
                permuted.update(dict.fromkeys(readers, shape))
    return Order(frozenset(straight), permuted)


def _dense_readers(graph: Graph, value: str) -> list[str] | None:
    """The dense layers that read a value, None if anyone else does."""
    if value in graph.outputs:
        return None
    found: list[str] = []
    for node in graph.layers:
        if value not in node.inputs:
            continue
        if node.layer.name == "dense":
            found.append(node.name)
        elif node.layer.name in POINTWISE and (behind := _dense_readers(graph, node.output.name)) is not None:
            found += behind
        else:
            return None
    return found


def channels_last(x: Floats) -> Floats:
    """[N, c, h, w] as [N, h, w, c]; vectors as they are."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def channels_first(y: Floats) -> Floats:
    """The way back."""
    return y.transpose(0, 3, 1, 2) if y.ndim == 4 else y


def axis(site: Site) -> int:
    """The axis of a concatenation in [N, h, w, c] or [N, f]."""
    return (3, 1, 2)[site.dimension] if len(site.output) == 3 else 1
