"""How much memory a net takes, as fixed + batch * per_sample bytes: an estimate for the report, before any plan is made.

**Inference.** Fixed: the weights, running statistics included. Per sample: layers run in order; a value lives from the layer that makes it
to the last that reads it; a layer that works element by element writes over its input where nothing else reads that any more. The peak of
what lives at one time counts.
**Training.** Fixed: weights, their gradients, and what the optimizer keeps beside each (of momentum one number, of Adam two). Per sample:
the input, every result that is not written over (batch norm keeps its input beside its result), a number for each maximum that was
taken, and of gradients the largest pair of a layer's result and input, since gradients die on the way back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod

from netspec.elaborate.build import Applied, Build
from netspec.elaborate.facts import FLOAT
from netspec.elaborate.values import Tensor
from netspec.graph.sizes import largest
from netspec.records import record


@record
class Need:
    """Bytes: `fixed`, and `per_sample` for each image of a batch."""

    fixed: int
    per_sample: int

    def at(self, batch: int) -> int:
        """The bytes at a batch size."""
        return self.fixed + batch * self.per_sample


@record
class Memory:
    """What inference and training need."""

    infer: Need
    train: Need


def memory(deployed: Build, trained: Build, slots: int) -> Memory:
    """The memory of a net as deployed and as it is trained; `slots` are the numbers that the optimizer keeps for each weight."""
    results = [value.number for value in deployed.outputs.values() if isinstance(value, Tensor)]
    infer = Need(_stored(deployed), _peak(deployed.applied, _inputs(deployed), results))
    weights = FLOAT * sum(item.params for item in trained.applied)
    saved = sum(_inputs(trained)) + sum(item.facts.saved for item in trained.applied)
    gradients = largest(0, *{item.facts.bytes + largest(*(FLOAT * prod(shape) for shape in item.facts.inputs)) for item in trained.applied})
    return Memory(infer, Need(_stored(trained) + weights * (1 + slots), saved + gradients))


def _stored(build: Build) -> int:
    return FLOAT * sum(item.stored for item in build.applied)


def _inputs(build: Build) -> list[int]:
    return [FLOAT * prod(shape) for _, shape in build.inputs]


def _peak(applied: Sequence[Applied], inputs: Sequence[int], results: Sequence[int]) -> int:
    """The most bytes that live at one time."""
    reads = Counter(number for item in applied for number in item.inputs)
    reads.update(results)
    sizes = [*inputs, *(item.facts.bytes for item in applied)]
    live = peak = sum(inputs)
    for number, item in enumerate(applied, len(inputs)):
        first = item.inputs[0]
        last_reader = reads[first] == item.inputs.count(first)
        live += 0 if item.facts.overwrites and last_reader else sizes[number]
        peak = largest(peak, live)
        for read in item.inputs:
            reads[read] -= 1
        taken = first if item.facts.overwrites and last_reader else None
        live -= sum(sizes[read] for read in set(item.inputs) if reads[read] == 0 and read != taken)
        if taken is not None:
            sizes[number] = sizes[taken]  # the buffer changes hands
        if reads[number] == 0:
            live -= sizes[number]  # a value that nobody reads
    return peak
