"""What a convolution computes, as formulas: shared by `conv`, by `convt`, which is its transpose, and by connection tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netspec.graph.types import Shape
from netspec.kernels.affine import Affine, Axis, N, affine, axes
from netspec.kernels.formula import Formula, Tensor, d, each, total
from netspec.kernels.gradient import gradient
from netspec.kernels.scalar import Outside
from netspec.layers.inputs import in_order
from netspec.layers.window import Slide, axes_along


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
        source = (self.n, *in_order([affine(axis) for axis in (*self.group, self.i)], self._reached))
        return total(self._viewed(Tensor(y), self.place)[self.place], read[source] * weight[*self.group, self.c, self.i, *self.taps])

    def biased(self, channel: Axis, sizes: Sequence[int]) -> Formula:
        """y = sum + bias[c], over maps of this size. The sum has the groups among its dimensions."""
        place = self._place(channel, tuple(Axis(axis.name, size) for axis, size in zip(self.places, sizes, strict=True)))
        bias = self._viewed(Tensor("bias"), (*self.group, channel))[*self.group, channel]
        return each(self._viewed(Tensor("y"), place)[place], Tensor("sum")[place] + bias)

    def part(self, c: Affine | int, channels: Affine | int, kernels: Affine | int, y: str, weight: str = "weight") -> Formula:
        """What some channels add to some filters' results, with kernels from a list."""
        out = Tensor(y)[self.n, *in_order([affine(c)], [affine(place) for place in self.places])]
        x = Tensor("x", self._outside)[self.n, *in_order([affine(channels)], self._reached)]
        return total(out, x * Tensor(weight)[kernels, *self.taps])

    @property
    def place(self) -> tuple[Axis, ...]:
        """The axes of the result."""
        return self._place(self.c, self.places)

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


def _into_sum(formula: Formula) -> Formula:
    """The same, written to the tensor to which a bias is added."""
    return replace(formula, out=replace(formula.out, tensor="sum", view=None))
