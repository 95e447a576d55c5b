"""What a chain of formulas takes, counted: operations, and bytes that have to move. Layout, tile and target do not matter to either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from netspec.kernels.affine import Affine, Extent, size_of
from netspec.kernels.scalar import Access, Call, Expr
from netspec.schedule.layout import Layout
from netspec.schedule.nest import FLOAT, Chain


def operations(chain: Chain, batch: int) -> int:
    """Arithmetic of a chain for so many images: each primitive counts as one, and one more per number that is summed or compared.

    A multiply-add is two. Products with a border of zeros count too; a subexpression that occurs twice is computed once.
    """
    total = 0
    for formula, *beside in ((chain.formula, *chain.others), *((epilogue,) for epilogue in chain.epilogues)):
        steps = len({call for item in (formula, *beside) for call in _calls(item.body)}) + (formula.combine != "none")
        total += steps * size_of(tuple(axis.extent for axis in formula.axes), batch)
    return total


def moved(chain: Chain, layouts: Mapping[str, Layout], copies: Mapping[str, int], batch: int) -> int:
    """Bytes that a chain reads and writes for so many images where each element moves once. `copies`: how often a tensor is there."""
    if chain.others:
        return _moved_together(chain, layouts, batch)
    inner = {chain.formula.out.tensor, *(item.out.tensor for item in chain.epilogues)}
    most: dict[str, int] = {}
    for formula in (chain.formula, *chain.epilogues):
        for access in formula.accesses:
            if access.tensor not in inner:
                most[access.tensor] = max(most.get(access.tensor, 0), _elements(access, layouts[access.tensor], batch))
    most[chain.out.tensor] = _elements(chain.out, layouts[chain.out.tensor], batch)
    return FLOAT * sum(copies.get(name, 1) * count for name, count in most.items())


def _moved_together(chain: Chain, layouts: Mapping[str, Layout], batch: int) -> int:
    """Of formulas side by side, which reach different elements: together at most all of a tensor."""
    reached: dict[str, int] = {}
    for access in dict.fromkeys(access for formula in chain.formulas for access in formula.accesses):
        layout = layouts[access.tensor]
        whole = size_of(layout.shape or layout.dims, batch)
        reached[access.tensor] = min(whole, reached.get(access.tensor, 0) + _elements(access, layout, batch))
    return FLOAT * sum(reached.values())


def _calls(body: Expr) -> Iterator[Call]:
    if isinstance(body, Call):
        yield body
        for item in body.arguments:
            yield from _calls(item)


def _elements(access: Access, layout: Layout, batch: int) -> int:
    """How many different elements an access reaches, without what lies beyond the tensor."""
    dims = access.view or layout.shape or layout.dims
    return prod(_reached(index, extent, batch) for index, extent in zip(access.indices, dims, strict=True))


def _reached(index: Affine, extent: Extent, batch: int) -> int:
    reach = index.range()
    if reach is None or isinstance(extent, str):
        return batch
    span = min(reach[1], extent - 1) - max(reach[0], 0) + 1
    return min(span, size_of(tuple(axis.extent for axis in index.axes)))
