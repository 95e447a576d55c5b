"""Accesses that differ in constants alone: the elements of a window. A tile reaches all of them from one address and a few distances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from netspec.kernels.affine import Affine
from netspec.kernels.scalar import Access

MOST = 4
"""Dimensions along which an operand can be shifted: as many as a record of a launch has places for."""


@dataclass(frozen=True, slots=True)
class Shifted:
    """An access as `counts` steps away from `base` along `dimensions`."""

    base: Access
    dimensions: tuple[int, ...]
    counts: tuple[int, ...]


def families(accesses: Iterable[Access]) -> dict[Access, Shifted]:
    """Those accesses that differ from others of the same tensor in constants alone, each from its family's smallest indices."""
    groups: defaultdict[object, list[Access]] = defaultdict(list)
    for access in dict.fromkeys(accesses):
        groups[access.tensor, access.view, access.outside, tuple(index.terms for index in access.indices)].append(access)
    found: dict[Access, Shifted] = {}
    for members in groups.values():
        constants = [[access.indices[k].constant for access in members] for k in range(len(members[0].indices))]
        moved = tuple(k for k, values in enumerate(constants) if len(set(values)) > 1)
        if moved and len(moved) <= MOST:
            first = [min(values) for values in constants]
            indices = tuple(Affine(index.terms, constant) for index, constant in zip(members[0].indices, first, strict=True))
            base = Access(members[0].tensor, indices, members[0].outside, members[0].view)
            for access in members:
                found[access] = Shifted(base, moved, tuple(access.indices[k].constant - first[k] for k in moved))
    return found
