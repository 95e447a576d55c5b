"""Frozen weights are constants: nothing is differentiated by them, and what only that would need is not computed."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

from netspec.graph.graph import Graph


@dataclass(frozen=True)
class Freeze:
    """Make constants of weights."""

    names: frozenset[str]

    def __call__(self, graph: Graph) -> Graph:
        """The graph with the same weights, some of them constant."""
        if not self.names:
            return graph
        weights = tuple(replace(item, role="constant") if item.name in self.names else item for item in graph.weights)
        return replace(graph, weights=weights)


def still(graph: Graph, frozen: Set[str]) -> frozenset[str]:
    """The nodes with running statistics all of whose trainable weights are frozen: they compute as deployed, and keep the statistics."""
    roles = {weight.name: weight.role for weight in graph.weights}
    found: set[str] = set()
    for node in graph.layers:
        trained = {name for name in node.weights if roles[name] == "trainable"}
        if trained and trained <= frozen and any(roles[name] == "state" for name in node.weights):
            found.add(node.name)
    return frozenset(found)
