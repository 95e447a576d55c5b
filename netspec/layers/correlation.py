"""What a convolution computes, as formulas: shared by `conv`, by `convt`, which is its transpose, and by connection tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import TypeVar

from netspec.graph.types import Shape, ShapeError
from netspec.kernels.affine import Affine, Axis, N, affine, axes
from netspec.kernels.formula import Formula, Tensor, d, each, total
from netspec.kernels.gradient import gradient
from netspec.kernels.scalar import Expr, Outside
from netspec.layers.inputs import in_order
from netspec.layers.window import Slide, axes_along

T = TypeVar("T")
Link = tuple[int, int]
"""A filter, and a channel that it reads."""
MOST_LINKS = 1024
"""Each link is a product of its own in the code."""


class Correlation:
    """y[n, c, h, w] = sum over i, a, b of x[n, i, h*stride + a*dilation - pad, ..] * weight[c, i, a, b].

    Groups are a dimension of their own: joined in one index (g*4 + c) the channels would lose their range, and the gradient with it.
    """

    def __init__(self, found: tuple[Slide, ...], channels: int, filters: int, groups: int = 1) -> None:
        self.found = found
        self.n, self.i, self.c = axes(n=N, i=channels // groups, c=filters // groups)
        self.group = axes(g=groups) if groups > 1 else ()
        self.places, self.taps = axes_along(found)

    def formula(self, x: str, y: str) -> Formula:
        """All of it, for tensors of these names."""
        sizes = tuple(Axis("size", slide.size) for slide in self.found)
        read = self._viewed(Tensor(x, self._outside), self._place(self.i, sizes))
        weight = self._viewed(Tensor("weight"), (*self.group, self.c, self.i, *self.taps))
        place = self._place(self.c, self.places)
        source = (self.n, *in_order([affine(axis) for axis in (*self.group, self.i)], self._reached))
        return total(self._viewed(Tensor(y), place)[place], read[source] * weight[*self.group, self.c, self.i, *self.taps])

    def biased(self, channel: Axis, sizes: Sequence[int]) -> Formula:
        """y = sum + bias[c], over maps of this size. The sum has the groups among its dimensions."""
        place = self._place(channel, tuple(Axis(axis.name, size) for axis, size in zip(self.places, sizes, strict=True)))
        bias = self._viewed(Tensor("bias"), (*self.group, channel))[*self.group, channel]
        return each(self._viewed(Tensor("y"), place)[place], Tensor("sum")[place] + bias)

    def link(self, number: int, link: Link, y: str) -> Formula:
        """What one channel adds to one filter's result, with the kernel of this number."""
        c, i = map(affine, link)
        out = Tensor(y)[self.n, *in_order([c], [affine(place) for place in self.places])]
        x = Tensor("x", self._outside)[self.n, *in_order([i], self._reached)]
        return total(out, x * Tensor("weight")[number, *self.taps])

    @property
    def _outside(self) -> Outside:
        return "never" if all(slide.inside for slide in self.found) else "zero"

    @property
    def _reached(self) -> list[Affine]:
        return [slide.index(place, tap) for slide, place, tap in zip(self.found, self.places, self.taps, strict=True)]

    def _place(self, channel: Axis, places: Sequence[Axis]) -> tuple[Axis, ...]:
        return (self.n, *in_order((*self.group, channel), places))

    def _viewed(self, tensor: Tensor, dims: Sequence[Axis]) -> Tensor:
        return tensor.view(*(axis.extent for axis in dims)) if self.group else tensor


def forward(found: Correlation, *, bias: bool) -> tuple[Formula, ...]:
    """The convolution, and what is added to it."""
    formula = found.formula("x", "y")
    if not bias:
        return (formula,)
    return _into_sum(formula), found.biased(found.c, [slide.count for slide in found.found])


def transposed(found: Correlation, shape: Shape, *, bias: bool) -> tuple[tuple[Formula, ...], tuple[Formula, ...]]:
    """Formulas and gradients of what `found` does backwards: it reads dy, of this shape, and gives dx; so y is its gradient by that."""
    back = found.formula(d("y"), d("x"))

    def exchanged(formula: Formula) -> Formula:
        return formula.rename(lambda name: "x" if name == d(d("x")) else name)

    parts = [exchanged(part) for part in gradient(back, d("y"), (N, *shape), "y")[0].formulas]
    kernels = gradient(back, "weight", (found.c.extent, found.i.extent, *(axis.extent for axis in found.taps)), d("weight"))
    gradients = (back, *map(exchanged, kernels[0].formulas))
    if not bias:
        return tuple(parts), gradients
    biased = found.biased(found.i, [slide.size for slide in found.found])
    by_bias = gradient(biased, "bias", (found.i.extent,), d("bias"))[0].formulas
    return (*map(_into_sum, parts), biased), (*gradients, *by_bias)


def linked(found: Correlation, links: tuple[Link, ...], *, bias: bool) -> tuple[Formula, ...]:
    """A convolution with these links alone, those of the first filter first, each with a kernel of its own: filter by filter the sum over
    its links.
    """
    sums = tuple(map(_together, _grouped(links, [found.link(number, link, "y") for number, link in enumerate(links)], 0)))
    return (*map(_into_sum, sums), found.biased(found.c, [slide.count for slide in found.found])) if bias else sums


def linked_gradients(found: Correlation, links: tuple[Link, ...], shape: Shape, *, bias: bool) -> tuple[Formula, ...]:
    """Its gradients: of a channel of the input, which has this shape, the sum over the links that read it; of each kernel by itself."""
    parts = [found.link(number, link, "y") for number, link in enumerate(links)]
    by_x = [gradient(part, "x", (N, *shape), d("x"))[0].formulas for part in parts]
    formulas = [_together(same) for channel in _grouped(links, by_x, 1) for same in zip(*channel, strict=True)]
    kernels = (len(links), *(axis.extent for axis in found.taps))
    formulas += [formula for part in parts for formula in gradient(part, "weight", kernels, d("weight"))[0].formulas]
    if bias:
        biased = found.biased(found.c, [slide.count for slide in found.found])
        formulas += gradient(biased, "bias", (found.c.extent,), d("bias"))[0].formulas
    return tuple(formulas)


def _grouped(links: Sequence[Link], items: Sequence[T], end: int) -> Iterable[list[T]]:
    """What belongs to the links of each filter (end 0), or of each channel (end 1)."""
    groups: defaultdict[int, list[T]] = defaultdict(list)
    for link, item in zip(links, items, strict=True):
        groups[link[end]].append(item)
    return [groups[key] for key in sorted(groups)]


def _into_sum(formula: Formula) -> Formula:
    """The same, written to the tensor to which a bias is added."""
    return replace(formula, out=replace(formula.out, tensor="sum", view=None))


def _together(parts: Sequence[Formula]) -> Formula:
    """The sum of formulas that write the same elements."""
    bodies: list[Expr] = [part.body for part in parts]
    return replace(parts[0], body=reduce(add, bodies))


def links_of(table: Sequence[str | Sequence[int]], channels: int, filters: int) -> tuple[Link, ...]:
    """The links of a table with a row for each channel and a column for each filter, those of the first filter first.

    Raises ShapeError (E0206).
    """
    if len(table) != channels:
        raise _bad(
            f"connection table has {_counted(len(table), 'row')}, needs {channels}",
            f"a row for each of the {channels} channels of the input",
        )
    for number, row in enumerate(table, 1):
        shown = f'row {number} is "{row}"' if isinstance(row, str) else f"row {number} is {[int(item) for item in row]}"
        if len(row) != filters:
            raise _bad(f"connection table row {number} has {_counted(len(row), 'column')}, needs {filters}", shown)
        if strange := next((item for item in row if isinstance(item, str) and item not in "X."), None):
            raise _bad(f"connection table row {number} holds `{strange}`", f"{shown}: `X` is a link, `.` is none")
    links = [(c, i) for c in range(filters) for i, row in enumerate(table) if row[c] in ("X", 1)]
    if len(links) > MOST_LINKS:
        raise _bad(f"connection table has {len(links):,} links, at most {MOST_LINKS:,}", "`groups` cut large layers into parts")
    if missing := sorted(set(range(filters)) - {c for c, _ in links}):
        raise _bad(f"connection table column {missing[0] + 1} has no link", "a filter that reads nothing is its bias alone: leave it out")
    return tuple(links)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _bad(message: str, help: str) -> ShapeError:
    return ShapeError(message, code="E0206", argument="connect", help=help)
