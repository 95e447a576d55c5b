"""Convolution."""

from __future__ import annotations

from math import gcd
from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape, ShapeError, TensorType, Weight
from netspec.kernels.affine import N, axes
from netspec.kernels.formula import Tensor, each, total
from netspec.layers.arguments import Channels, Padding, Pair, PositiveInt, Window, pair
from netspec.layers.inputs import kaiming, picture
from netspec.layers.window import Slide, slides


class Conv(Layer):
    """Cross-correlation of [i, h, w] with c kernels (LeCun et al. 1998); with `groups`, of each group of channels by itself."""

    name: ClassVar[str] = "conv"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"c": 4, "k": 3}, ((3, 6, 5),)),
        Example({"c": 3, "k": (1, 1), "bias": False}, ((5, 4, 4),)),
        Example({"c": 2, "k": (3, 2), "stride": 2, "pad": 1}, ((3, 7, 8),)),
        Example({"c": 4, "k": 3, "stride": (2, 1), "pad": "half", "dilation": 2, "groups": 2}, ((6, 9, 7),)),
        Example({"c": 6, "k": 3, "pad": "same", "stride": 2, "groups": 3, "bias": False}, ((3, 6, 6),)),
        Example({"c": 2, "k": 3, "pad": ((0, 1), (2, 0))}, ((1, 4, 5),)),
        Example({"c": 3, "k": 5}, ((2, 5, 5),)),
    )

    c: Channels
    k: Window
    stride: Pair = 1
    pad: Padding = 0
    dilation: Pair = 1
    groups: PositiveInt = 1
    bias: bool = True

    def infer(self, *inputs: Shape) -> Shape:
        """[c, h, w] of the result."""
        channels = picture(self.name, inputs[0])[0]
        if channels % self.groups or self.c % self.groups:
            common = gcd(channels, self.c)
            both = ", ".join(str(item) for item in range(1, min(common, 1024) + 1) if common % item == 0)
            message = f"groups={self.groups} does not divide {channels} -> {self.c} channels"
            raise ShapeError(message, code="E0205", argument="groups", help=f"divisors of both: {both}")
        height, width = self._slides(inputs[0])
        return self.c, height.count, width.count

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """weight [c, i/groups, kh, kw] and bias [c]."""
        shape = (self.c, inputs[0][0] // self.groups, *pair(self.k))
        init = kaiming(shape[1] * shape[2] * shape[3])
        weight, bias = Weight("weight", TensorType(shape), init), Weight("bias", TensorType((self.c,)), init)
        return (weight, bias) if self.bias else (weight,)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = sum over i, a, b of x[n, i, h*stride + a*dilation - pad, ..] * weight[c, i, a, b], plus bias[c]."""
        (channels, *size), height, width = inputs[0], *self._slides(inputs[0])
        n, i, c, h, w = axes(n=N, i=channels // self.groups, c=self.c // self.groups, h=height.count, w=width.count)
        a, b = axes(a=height.kernel, b=width.kernel)
        x = Tensor("x", "never" if height.inside and width.inside else "zero")
        weight, bias, summed, y = map(Tensor, ("weight", "bias", "sum", "y"))
        group = axes(g=self.groups) if self.groups > 1 else ()
        if group:  # A dimension of its own: joined in one index (g*4 + c) the channels would lose their range, and the gradient with it.
            x, y = x.view(N, self.groups, i.extent, *size), y.view(N, self.groups, c.extent, h.extent, w.extent)
            weight, bias = weight.view(self.groups, c.extent, i.extent, a.extent, b.extent), bias.view(self.groups, c.extent)
        place = (n, *group, c, h, w)
        product = x[n, *group, i, height.index(h, a), width.index(w, b)] * weight[*group, c, i, a, b]
        if not self.bias:
            return Computation((total(y[place], product),))
        return Computation((total(summed[place], product), each(y[place], summed[place] + bias[*group, c])))

    def pads(self, *inputs: Shape) -> tuple[tuple[int, int], ...]:
        """(top, bottom), (left, right)."""
        return tuple((slide.before, slide.after) for slide in self._slides(inputs[0]))

    def _slides(self, shape: Shape) -> tuple[Slide, Slide]:
        return slides(self.name, (shape[1], shape[2]), self.k, stride=self.stride, pad=self.pad, dilation=self.dilation)
