"""Pooling: the maximum or the mean of a window, or of a whole map."""

from __future__ import annotations

from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape, ShapeError
from netspec.kernels.affine import Axis, N, axes
from netspec.kernels.formula import Tensor, each, largest, total
from netspec.kernels.scalar import Expr, expression, maximum, minimum
from netspec.layers.arguments import Padding, Pair, Window, pair
from netspec.layers.inputs import picture
from netspec.layers.window import Slide, slides


class Pool(Layer):
    """What the two windows have in common. The stride defaults to the window."""

    k: Window
    stride: Pair | None = None
    pad: Padding = 0
    ceil: bool = False

    def infer(self, *inputs: Shape) -> Shape:
        """[c, h, w] with the channels of the input."""
        height, width = self._slides(inputs[0])
        return inputs[0][0], height.count, width.count

    def pads(self, *inputs: Shape) -> tuple[tuple[int, int], ...]:
        """(top, bottom), (left, right)."""
        return tuple((slide.before, slide.after) for slide in self._slides(inputs[0]))

    def _slides(self, shape: Shape) -> tuple[Slide, Slide]:
        _, height, width = picture(self.name, shape)
        k = pair(self.k)
        both = slides(self.name, (height, width), k, stride=self.stride or k, pad=self.pad, ceil=self.ceil)
        if any(max(slide.before, slide.after) > slide.kernel // 2 for slide in both):
            pads = ", ".join(f"{slide.before} and {slide.after}" for slide in both)
            notes = (f"padding {pads} around a window of {k[0]}x{k[1]}: some windows would hold nothing else",)
            help = f"at most `pad=({k[0] // 2}, {k[1] // 2})`, or `pad=half`"
            raise ShapeError(f"padding of `{self.name}` is more than half its window", argument="pad", notes=notes, help=help)
        return both

    def _axes(self, shape: Shape) -> tuple[Axis, ...]:
        """n, c, h, w of the result and a, b of the window."""
        height, width = self._slides(shape)
        return axes(n=N, c=shape[0], h=height.count, w=width.count, a=height.kernel, b=width.kernel)


class Maxpool(Pool):
    """The largest element of a window; where several are, the first gets the gradient. Padding is minus infinity."""

    name: ClassVar[str] = "maxpool"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"k": 2}, ((3, 6, 4),)),
        Example({"k": 3, "stride": 2, "pad": 1}, ((2, 7, 6),)),
        Example({"k": (3, 2), "stride": (2, 1), "ceil": True}, ((2, 6, 5),)),
        Example({"k": 2, "stride": 2, "pad": "same"}, ((1, 5, 5),)),
    )

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = maximum over a, b of x[n, c, h*stride + a - pad, ..]."""
        height, width = self._slides(inputs[0])
        n, c, h, w, a, b = self._axes(inputs[0])
        x = Tensor("x", "never" if height.inside and width.inside else "-inf")
        argument = Tensor("argument")[n, c, h, w] if training else None
        return Computation((largest(Tensor("y")[n, c, h, w], x[n, c, height.index(h, a), width.index(w, b)], argument),))


class Avgpool(Pool):
    """The mean of a window. Padding counts as zeros (PyTorch's default), with `count_pad=no` not at all; what overhangs it never counts."""

    name: ClassVar[str] = "avgpool"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"k": 2}, ((3, 6, 4),)),
        Example({"k": 3, "stride": 2, "pad": 1}, ((2, 7, 6),)),
        Example({"k": 3, "stride": 2, "pad": 1, "count_pad": False}, ((2, 7, 6),)),
        Example({"k": 3, "stride": 2, "ceil": True}, ((2, 6, 4),)),
    )

    count_pad: bool = True

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = sum over a, b of x[n, c, h*stride + a - pad, ..] / how many elements count."""
        height, width = self._slides(inputs[0])
        n, c, h, w, a, b = self._axes(inputs[0])
        x, y, summed = Tensor("x", "never" if height.inside and width.inside else "zero"), Tensor("y"), Tensor("sum")
        elements = self._counted(height, h) * self._counted(width, w)
        return Computation(
            (
                total(summed[n, c, h, w], x[n, c, height.index(h, a), width.index(w, b)]),
                each(y[n, c, h, w], summed[n, c, h, w] * (1 / elements)),
            )
        )

    def _counted(self, slide: Slide, position: Axis) -> Expr:
        """How many elements along one axis the window at a position divides by."""
        if slide.inside or (self.count_pad and not slide.overhangs):
            return expression(slide.kernel)
        before, after = (slide.before, slide.after) if self.count_pad else (0, 0)
        start = expression(position * slide.stride - slide.before)
        return minimum(start + slide.kernel, slide.size + after) - maximum(start, -before)


class Gap(Layer):
    """Global average pooling (Lin et al. 2013): [c, h, w] becomes [c]."""

    name: ClassVar[str] = "gap"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((4, 3, 5),)),)

    def infer(self, *inputs: Shape) -> Shape:
        """[c]."""
        return picture(self.name, inputs[0])[:1]

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c] = mean over h, w of x[n, c, h, w]."""
        channels, height, width = picture(self.name, inputs[0])
        n, c, h, w = axes(n=N, c=channels, h=height, w=width)
        x, y, summed = Tensor("x"), Tensor("y"), Tensor("sum")
        return Computation((total(summed[n, c], x[n, c, h, w]), each(y[n, c], summed[n, c] * (1 / (height * width)))))
