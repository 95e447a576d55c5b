"""Passes: Graph -> Graph. A pipeline is a tuple, run in order; `verify` runs after every pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from netspec.graph.graph import Graph, verify

Pass = Callable[[Graph], Graph]


def run(graph: Graph, pipeline: Iterable[Pass]) -> Graph:
    """Run the passes in order, checking the graph after each."""
    for step in pipeline:
        graph = verify(step(graph))
    return graph
