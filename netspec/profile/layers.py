"""Which layer a launch belongs to, in which direction it goes, and what is fused into a layer."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.graph.graph import Graph, Node
from netspec.passes.apply_optimizer import FINE, NORM, NORMS
from netspec.passes.attach_loss import NODE
from netspec.schedule.program import Launch, Program
from netspec.schedule.staging import INSIDE, OUTSIDE

COPIES, LOSS, OPTIMIZER = "input and output copies", "loss", "optimizer"
"""What is no layer."""


class Owners:
    """The owner of each launch of a program: the layer that it was made from, or one of the names above."""

    def __init__(self, net: Graph, program: Program) -> None:
        self._nodes = {node.name: node for node in net.layers}
        self._of_weight = {weight: node.name for node in net.layers for weight in node.weights}
        self.launches = [launch for segment in program.segments for launch in segment.launches]
        self.backward = _backward(self.launches)

    def owner(self, launch: Launch) -> str:
        """The name to tell its time under."""
        if launch.name.endswith((INSIDE, OUTSIDE)):
            return COPIES
        if launch.name in (NORMS, NORM, FINE) or launch.name.endswith("/next"):
            return OPTIMIZER
        return LOSS if launch.origin == NODE else self._of_weight.get(launch.origin, launch.origin)

    def kinds(self) -> dict[str, str]:
        """What each owner's forward launches compute: the kind of its layer, and those of the layers fused into it."""
        found: dict[str, dict[str, str]] = {}
        for launch, backward in zip(self.launches, self.backward, strict=True):
            owner = self.owner(launch)
            if owner in self._nodes:
                steps = found.setdefault(owner, {owner: self._nodes[owner].layer.name})
                steps.update((node.name, node.layer.name) for node in self._fused(launch, owner) if not backward)
        return {owner: "+".join(steps.values()) for owner, steps in found.items()}

    def free(self) -> tuple[str, ...]:
        """Layers that take no launch, and are fused into none: another view of the same numbers, or nothing at all."""
        seen = {self.owner(launch) for launch in self.launches}
        seen |= {node.name for launch in self.launches for node in self._fused(launch, self.owner(launch))}
        return tuple(name for name in self._nodes if name not in seen)

    def _fused(self, launch: Launch, owner: str) -> list[Node]:
        """The layers behind its own whose result a launch writes, in order."""
        for name in (launch.name, launch.name.removesuffix(OUTSIDE)):
            if name in self._nodes and owner in self._nodes:
                return self._path(owner, self._nodes[name])
        return []

    def _path(self, owner: str, last: Node) -> list[Node]:
        """From the layer behind the owner to the last one, by the shortest way."""
        ways: list[list[Node]] = [[last]]
        seen = {last.name}
        while ways:
            way = ways.pop(0)
            if way[-1].name == owner:
                return way[-2::-1]
            for name in way[-1].inputs:
                if name in self._nodes and name not in seen:
                    seen.add(name)
                    ways.append([*way, self._nodes[name]])
        return []


def _backward(launches: list[Launch]) -> list[bool]:
    """Whether each launch is of the backward pass: it writes a gradient, depends on one, or is a copy that such a launch alone reads."""
    tainted: set[str] = set()
    found: list[bool] = []
    for launch in launches:
        names = set(_buffers(launch))
        backward = launch.name.startswith("d:") or any(name.startswith("d:") or name in tainted for name in names)
        tainted |= {launch.name} if backward else set()
        found.append(backward)
    for number, launch in enumerate(launches):
        if launch.name.rpartition("/")[2].isdecimal():
            readers = [k for k, other in enumerate(launches) if k != number and launch.name in _buffers(other)]
            found[number] = bool(readers) and all(found[k] for k in readers)
    return found


def _buffers(launch: Launch) -> Iterator[str]:
    return (operand.buffer for operand in launch.operands if operand.buffer is not None)
