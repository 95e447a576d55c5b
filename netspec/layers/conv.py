"""Convolution and its transpose, along height and width of [c, h, w] or along the steps of [t, f]."""

from __future__ import annotations

from math import gcd, prod
from typing import Annotated, ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape, ShapeError, TensorType, Weight
from netspec.layers.arguments import Channels, NaturalInt, Padding, Pair, PositiveInt, Window, divisors
from netspec.layers.connection import linked, linked_gradients, links_of
from netspec.layers.correlation import Correlation, forward, transposed
from netspec.layers.inputs import in_order, kaiming, windowed
from netspec.layers.window import Slide, slides, transposed_slides
from netspec.schema import at_least, at_most

Table = tuple[str | tuple[Annotated[int, at_least(0), at_most(1)] | bool, ...], ...]
"""A row for each channel of the input, a column for each filter: `"X.X"`, `[1, 0, 1]` or `[yes, no, yes]`."""


class Convolution(Layer):
    """What a convolution and its transpose have in common."""

    linear: ClassVar[bool] = True

    c: Channels
    k: Window
    stride: Pair = 1
    pad: Padding = 0
    dilation: Pair = 1
    groups: PositiveInt = 1
    bias: bool = True

    def windows(self, shape: Shape) -> tuple[Slide, ...]:
        """The windows along each axis."""
        raise NotImplementedError

    def pads(self, *inputs: Shape) -> tuple[tuple[int, int], ...]:
        """(top, bottom), (left, right); of [t, f] (before, after)."""
        return tuple((slide.before, slide.after) for slide in self.windows(inputs[0]))

    def divided(self, channels: int) -> None:
        """Raise a ShapeError unless the groups divide the channels of input and result."""
        if channels % self.groups or self.c % self.groups:
            message = f"groups={self.groups} does not divide {channels} -> {self.c} channels"
            raise ShapeError(message, code="E0205", argument="groups", help=f"divisors of both: {divisors(gcd(channels, self.c))}")

    def parameters(self, shape: tuple[int, ...], fan_in: int) -> tuple[Weight, ...]:
        """The weights: kernels of this shape, and the bias."""
        init = kaiming(fan_in)
        weight, bias = Weight("weight", TensorType(shape), init), Weight("bias", TensorType((self.c,)), init)
        return (weight, bias) if self.bias else (weight,)


class Conv(Convolution):
    """Cross-correlation of [i, h, w] with c kernels (LeCun et al. 1998); with `groups`, of each group of channels by itself. Of [t, f] it
    runs along the steps, and gives c features of each (Waibel et al. 1989).

    A `connect` table says which channels each filter reads, as C3 of LeNet-5 does: a row for each channel, a column for each filter. Links
    that are not there have no weights and are not computed.
    """

    name: ClassVar[str] = "conv"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"c": 4, "k": 3}, ((3, 6, 5),)),
        Example({"c": 3, "k": (1, 1), "bias": False}, ((5, 4, 4),)),
        Example({"c": 2, "k": (3, 2), "stride": 2, "pad": 1}, ((3, 7, 8),)),
        Example({"c": 4, "k": 3, "stride": (2, 1), "pad": "half", "dilation": 2, "groups": 2}, ((6, 9, 7),)),
        Example({"c": 6, "k": 3, "pad": "same", "stride": 2, "groups": 3, "bias": False}, ((3, 6, 6),)),
        Example({"c": 2, "k": 3, "pad": ((0, 1), (2, 0))}, ((1, 4, 5),)),
        Example({"c": 3, "k": 5}, ((2, 5, 5),)),
        Example({"c": 4, "k": 3, "stride": 2, "pad": (0, 1)}, ((8, 3),)),
        Example({"c": 6, "k": 2, "dilation": 2, "groups": 2, "bias": False}, ((7, 4),)),
        Example({"c": 3, "k": 3, "connect": ("X.X", ".XX")}, ((2, 5, 6),)),
        Example({"c": 2, "k": (3, 2), "stride": 2, "pad": 1, "bias": False, "connect": ((1, 0), (1, 1), (0, 0))}, ((3, 6, 5),)),
    )

    connect: Table | None = None

    def conflict(self) -> str | None:
        """Groups and a table."""
        return "`groups` and `connect` both say which channels a filter reads" if self.connect and self.groups > 1 else None

    def infer(self, *inputs: Shape) -> Shape:
        """[c, h, w] of the result, or [t, c]: floor((in + pads - dilation*(k - 1) - 1) / stride) + 1."""
        channels, _ = windowed(self.name, inputs[0])
        self.divided(channels)
        self._links(channels)
        return in_order((self.c,), [slide.count for slide in self.windows(inputs[0])])

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """weight [c, i/groups, kh, kw], of [t, f] [c, f/groups, k], and bias [c]. Of a table weight [links, kh, kw], filter by filter."""
        channels, _ = windowed(self.name, inputs[0])
        kernel = tuple(slide.kernel for slide in self.windows(inputs[0]))
        if links := self._links(channels):
            return self.parameters((len(links), *kernel), max(1, round(len(links) / self.c)) * prod(kernel))  # the mean of the filters'
        return self.parameters((self.c, channels // self.groups, *kernel), channels // self.groups * prod(kernel))

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = sum over i, a, b of x[n, i, h*stride + a*dilation - pad, ..] * weight[c, i, a, b], plus bias[c]."""
        channels, _ = windowed(self.name, inputs[0])
        found = Correlation(self.windows(inputs[0]), channels, self.c, self.groups)
        if links := self._links(channels):
            gradients = linked_gradients(found, links, inputs[0], bias=self.bias) if training else None
            return Computation(linked(found, links, bias=self.bias), gradients)
        return Computation(forward(found, bias=self.bias))

    def windows(self, shape: Shape) -> tuple[Slide, ...]:
        """The windows over the input."""
        _, sizes = windowed(self.name, shape)
        return slides(self.name, sizes, self.k, stride=self.stride, pad=self.pad, dilation=self.dilation)

    def _links(self, channels: int) -> tuple[tuple[int, int], ...]:
        return () if self.connect is None else links_of(self.connect, channels, self.c)


class Convt(Convolution):
    """Transposed convolution (Zeiler et al. 2010): what a convolution's gradient does with that of its result, c maps from [i, h, w].

    Each element of the input is laid down as a window, `stride` apart; `pad` is taken off the edges, `extra` rows and columns, fewer than
    the stride, stand at the end. `pad=same` gives in * stride.
    """

    name: ClassVar[str] = "convt"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"c": 3, "k": 2, "stride": 2}, ((4, 3, 5),)),
        Example({"c": 2, "k": 4, "stride": 2, "pad": 1, "bias": False}, ((3, 4, 3),)),
        Example({"c": 4, "k": (3, 1), "stride": (2, 3), "pad": (1, 0), "extra": (1, 2), "groups": 2}, ((6, 4, 3),)),
        Example({"c": 2, "k": 3, "dilation": 2, "pad": ((1, 0), (2, 1))}, ((2, 3, 4),)),
        Example({"c": 3, "k": 4, "stride": 2, "pad": "same"}, ((5, 2),)),
    )

    extra: NaturalInt | tuple[NaturalInt, NaturalInt] = 0

    def conflict(self) -> str | None:
        """A size that is given and one that follows."""
        return "`pad=same` says the size of the result, so there is no `extra`" if self.pad == "same" and self.extra else None

    def infer(self, *inputs: Shape) -> Shape:
        """[c, h, w] of the result, or [t, c]: (in - 1)*stride - pads + dilation*(k - 1) + extra + 1."""
        self.divided(windowed(self.name, inputs[0])[0])
        return in_order((self.c,), [slide.size for slide in self.windows(inputs[0])])

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """weight [i, c/groups, kh, kw], as PyTorch's ConvTranspose2d, of [t, f] [f, c/groups, k], and bias [c]."""
        channels, _ = windowed(self.name, inputs[0])
        shape = (channels, self.c // self.groups, *(slide.kernel for slide in self.windows(inputs[0])))
        return self.parameters(shape, prod(shape[1:]))

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """The gradient of the convolution that reads dy and gives dx, plus bias[c]. A stride makes it a formula for each residue."""
        channels, _ = windowed(self.name, inputs[0])
        found = Correlation(self.windows(inputs[0]), self.c, channels, self.groups)
        return Computation(*transposed(found, self.infer(*inputs), bias=self.bias))

    def windows(self, shape: Shape) -> tuple[Slide, ...]:
        """The windows over the result that stand where the input's elements are."""
        _, sizes = windowed(self.name, shape)
        return transposed_slides(self.name, sizes, self.k, stride=self.stride, pad=self.pad, dilation=self.dilation, extra=self.extra)
