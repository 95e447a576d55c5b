"""Pooling: the maximum or the mean of a window, or of a whole map. Windows run along height and width, or along the steps of [t, f]."""

from __future__ import annotations

from functools import reduce
from math import prod
from operator import mul
from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape, ShapeError
from netspec.kernels.affine import Axis, N, affine, axes
from netspec.kernels.formula import Tensor, each, largest, total
from netspec.kernels.scalar import Access, Expr, Outside, expression, maximum, minimum
from netspec.layers.arguments import Padding, Pair, Window
from netspec.layers.inputs import axes_of, in_order, windowed
from netspec.layers.window import Slide, axes_along, slides


class Pool(Layer):
    """What the two windows have in common. The stride defaults to the window."""

    k: Window
    stride: Pair | None = None
    pad: Padding = 0
    ceil: bool = False

    def infer(self, *inputs: Shape) -> Shape:
        """The channels of the input, and how often the window fits."""
        channels, _ = windowed(self.name, inputs[0])
        return in_order((channels,), [slide.count for slide in self._slides(inputs[0])])

    def pads(self, *inputs: Shape) -> tuple[tuple[int, int], ...]:
        """(top, bottom), (left, right); of [t, f] (before, after)."""
        return tuple((slide.before, slide.after) for slide in self._slides(inputs[0]))

    def _slides(self, shape: Shape) -> tuple[Slide, ...]:
        _, sizes = windowed(self.name, shape)
        found = slides(self.name, sizes, self.k, stride=self.stride or self.k, pad=self.pad, ceil=self.ceil)
        if any(max(slide.before, slide.after) > slide.kernel // 2 for slide in found):
            pads, window = ", ".join(f"{slide.before} and {slide.after}" for slide in found), "x".join(str(slide.kernel) for slide in found)
            most = ", ".join(str(slide.kernel // 2) for slide in found)
            notes = (f"padding {pads} around a window of {window}: some windows would hold nothing else",)
            help = f"at most `pad={f'({most})' if len(found) > 1 else most}`, or `pad=half`"
            raise ShapeError(f"padding of `{self.name}` is more than half its window", argument="pad", notes=notes, help=help)
        return found

    def _accesses(self, shape: Shape, outside: Outside) -> tuple[tuple[Axis, ...], tuple[Axis, ...], Access]:
        """The axes of the result, those of them along which the window runs, and what it reads there."""
        found, (channels, _) = self._slides(shape), windowed(self.name, shape)
        n, c = axes(n=N, c=channels)
        places, taps = axes_along(found)
        x = Tensor("x", "never" if all(slide.inside for slide in found) else outside)
        read = [slide.index(place, tap) for slide, place, tap in zip(found, places, taps, strict=True)]
        return (n, *in_order((c,), places)), places, x[n, *in_order((affine(c),), read)]


class Maxpool(Pool):
    """The largest element of a window; where several are, the first gets the gradient. Padding is minus infinity."""

    name: ClassVar[str] = "maxpool"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"k": 2}, ((3, 6, 4),)),
        Example({"k": 3, "stride": 2, "pad": 1}, ((2, 7, 6),)),
        Example({"k": (3, 2), "stride": (2, 1), "ceil": True}, ((2, 6, 5),)),
        Example({"k": 2, "stride": 2, "pad": "same"}, ((1, 5, 5),)),
        Example({"k": 3, "stride": 2, "pad": (0, 1)}, ((6, 5),)),
    )

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = maximum over a, b of x[n, c, h*stride + a - pad, ..]."""
        kept, _, x = self._accesses(inputs[0], "-inf")
        return Computation((largest(Tensor("y")[kept], x, Tensor("argument")[kept] if training else None),))


class Avgpool(Pool):
    """The mean of a window. Padding counts as zeros (PyTorch's default), with `count_pad=no` not at all; what overhangs it never counts."""

    name: ClassVar[str] = "avgpool"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"k": 2}, ((3, 6, 4),)),
        Example({"k": 3, "stride": 2, "pad": 1}, ((2, 7, 6),)),
        Example({"k": 3, "stride": 2, "pad": 1, "count_pad": False}, ((2, 7, 6),)),
        Example({"k": 3, "stride": 2, "ceil": True}, ((2, 6, 4),)),
        Example({"k": 3, "stride": 2, "pad": "half"}, ((7, 5),)),
    )

    count_pad: bool = True

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = sum over a, b of x[n, c, h*stride + a - pad, ..] / how many elements count."""
        kept, places, x = self._accesses(inputs[0], "zero")
        y, summed = Tensor("y")[kept], Tensor("sum")[kept]
        counted = [self._counted(slide, place) for slide, place in zip(self._slides(inputs[0]), places, strict=True)]
        return Computation((total(summed, x), each(y, summed * (1 / reduce(mul, counted)))))

    def _counted(self, slide: Slide, position: Axis) -> Expr:
        """How many elements along one axis the window at a position divides by."""
        if slide.inside or (self.count_pad and not slide.overhangs):
            return expression(slide.kernel)
        before, after = (slide.before, slide.after) if self.count_pad else (0, 0)
        start = expression(position * slide.stride - slide.before)
        return minimum(start + slide.kernel, slide.size + after) - maximum(start, -before)


class Gap(Layer):
    """Global average pooling (Lin et al. 2013): the mean of each channel, [c] of [c, h, w]; over time, [f] of [t, f]."""

    name: ClassVar[str] = "gap"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((4, 3, 5),)), Example({}, ((5, 3),)))

    def infer(self, *inputs: Shape) -> Shape:
        """[c]."""
        return windowed(self.name, inputs[0])[:1]

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c] = mean over h, w of x[n, c, h, w]."""
        n, c, whole = _whole(inputs[0])
        y, summed, size = Tensor("y")[n, c], Tensor("sum")[n, c], prod(windowed(self.name, inputs[0])[1])
        return Computation((total(summed, Tensor("x")[whole]), each(y, summed * (1 / size))))


class Gmp(Layer):
    """Global max pooling (Oquab et al. 2015): the largest element of each channel; where several are, the first gets the gradient."""

    name: ClassVar[str] = "gmp"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((4, 3, 5),)), Example({}, ((5, 3),)))

    def infer(self, *inputs: Shape) -> Shape:
        """[c], or [f] of [t, f]."""
        return windowed(self.name, inputs[0])[:1]

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c] = maximum over h, w of x[n, c, h, w]."""
        n, c, whole = _whole(inputs[0])
        return Computation((largest(Tensor("y")[n, c], Tensor("x")[whole], Tensor("argument")[n, c] if training else None),))


def _whole(shape: Shape) -> tuple[Axis, Axis, tuple[Axis, ...]]:
    """Batch, channels, and all axes of an input."""
    whole = axes_of(shape)
    return whole[0], whole[1 if len(shape) == 3 else 2], whole
