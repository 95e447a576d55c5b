"""A window that slides over a picture or along steps: where it reads, how often it fits, what padding it gets. Shared by convolution and
pooling.
"""

from __future__ import annotations

from netspec.graph.types import ShapeError
from netspec.kernels.affine import Affine, Axis
from netspec.layers.arguments import Padding, Pair, Side, Window
from netspec.records import record

SLIDING = {1: ("steps",), 2: ("height", "width")}
"""What users call the axes along which windows run."""
LONGEST = 32
"""The stride of a transposed convolution, which is a formula for each residue of its result."""


@record
class Slide:
    """A window along one axis of length `size`: `before` and `after` pixels of padding, and with `ceil` a last window that may overhang."""

    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    ceil: bool = False

    @property
    def span(self) -> int:
        """The pixels from the window's first tap to its last."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def count(self) -> int:
        """How many positions the window takes; as PyTorch, none that starts in the padding after."""
        room = self.size + self.before + self.after - self.span
        if not self.ceil:
            return room // self.stride + 1
        count = -(-room // self.stride) + 1
        return count - 1 if (count - 1) * self.stride >= self.size + self.before else count

    @property
    def overhangs(self) -> bool:
        """Whether the last window goes beyond even the padding."""
        return (self.count - 1) * self.stride + self.span > self.size + self.before + self.after

    @property
    def inside(self) -> bool:
        """Whether nothing beyond the picture is ever read."""
        return self.before == 0 and (self.count - 1) * self.stride + self.span <= self.size

    def index(self, position: Axis, tap: Axis) -> Affine:
        """Where a tap of the window at a position reads."""
        return position * self.stride + tap * self.dilation - self.before


def slides(
    layer: str, sizes: tuple[int, ...], k: Window, *, stride: Pair, pad: Padding, dilation: Pair = 1, ceil: bool = False
) -> tuple[Slide, ...]:
    """The windows along height and width, or along the steps of [t, f]; a ShapeError where one does not fit even once."""
    kernels, strides, dilations = (
        per_axis(layer, name, value, sizes) for name, value in (("k", k), ("stride", stride), ("dilation", dilation))
    )
    sides = pads_per_axis(layer, "pad", pad, sizes)
    found = tuple(
        Slide(size, kernel, step, spread, *_padding(side, size, kernel, step, spread), ceil)
        for size, kernel, step, spread, side in zip(sizes, kernels, strides, dilations, sides, strict=True)
    )
    for name, slide in zip(SLIDING[len(sizes)], found, strict=True):
        if slide.size + slide.before + slide.after < slide.span:
            raise _too_large(layer, name, slide, found)
    return found


def transposed_slides(
    layer: str, sizes: tuple[int, ...], k: Window, *, stride: Pair, pad: Padding, dilation: Pair, extra: int | tuple[int, int]
) -> tuple[Slide, ...]:
    """The windows that stand `stride` apart, one for each of `sizes` positions; a Slide's size is that of what they cover."""
    kernels, strides, dilations, extras = (
        per_axis(layer, name, value, sizes) for name, value in (("k", k), ("stride", stride), ("dilation", dilation), ("extra", extra))
    )
    found: list[Slide] = []
    for name, *item in zip(
        SLIDING[len(sizes)], sizes, kernels, strides, dilations, extras, pads_per_axis(layer, "pad", pad, sizes), strict=True
    ):
        found.append(_transposed(layer, name, *item))
    return tuple(found)


def _transposed(layer: str, name: str, count: int, kernel: int, stride: int, dilation: int, extra: int, side: Side) -> Slide:
    if extra >= stride:
        help = f"`stride={extra + 1}`, or `extra={stride - 1}`" if stride > 1 else "leave it out, or give a stride"
        raise ShapeError(f"`extra` of `{layer}` is {extra}, needs to be less than the stride {stride}", argument="extra", help=help)
    if stride > LONGEST:
        raise ShapeError(f"`stride` of `{layer}` is {stride}, at most {LONGEST}", argument="stride", help="`up`, or several of them")
    before, after = _padding(side, count * stride, kernel, stride, dilation)
    span = dilation * (kernel - 1) + 1
    size = count * stride if side == "same" else (count - 1) * stride - before - after + span + extra
    if size < 1:
        note = f"({count} - 1)*{stride} - {before} - {after} + {dilation}*({kernel} - 1) + {extra} + 1 = {size}"
        label, message = f"{name} would be {size}", f"padding of `{layer}` takes all of its result"
        most = ((count - 1) * stride + span + extra - 1) // 2
        raise ShapeError(message, argument="pad", label=label, notes=(note,), help=f"at most `pad={most}`")
    return Slide(size, kernel, stride, dilation, before, after)


def axes_along(found: tuple[Slide, ...]) -> tuple[tuple[Axis, ...], tuple[Axis, ...]]:
    """The positions of windows (h and w, or t), and their taps (a and b)."""
    places = tuple(Axis(letter, slide.count) for letter, slide in zip("hw" if len(found) == 2 else "t", found, strict=True))
    return places, tuple(Axis(letter, slide.kernel) for letter, slide in zip("ab", found, strict=False))


def per_axis(layer: str, argument: str, value: int | tuple[int, int], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """An argument for each axis of a window: the short form means all of them; along steps only one number makes sense."""
    if not isinstance(value, tuple):
        return (value,) * len(sizes)
    if len(sizes) == 1:
        shown = "x".join(map(str, value)) if argument == "k" else str(value)
        message = f"`{layer}` along the steps of [t, f] takes one number, got {argument}={shown}"
        raise ShapeError(message, argument=argument, help=f"`{argument}={value[0]}`; `reshape([1, t, f])` makes a picture of the steps")
    return value


def pads_per_axis(layer: str, argument: str, pad: Padding, sizes: tuple[int, ...]) -> tuple[Side, ...]:
    """The padding of each axis; along steps a pair is (before, after)."""
    match pad, len(sizes):
        case ((int() as before, int() as after), 1):
            return ((before, after),)
        case (tuple(), 1):
            message = f"`{layer}` pads the steps of [t, f] at two ends, got {argument}={pad}"
            raise ShapeError(message, argument=argument, help=f"`{argument}=(before, after)`")
        case (tuple(), _):
            return pad
        case (_, count):
            return (pad,) * count


def _padding(side: Side, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Before and after. `half`: the same on both sides. `same`: what ceil(size/stride) results need, the odd pixel after (SAME_UPPER)."""
    reach = dilation * (kernel - 1)
    match side:
        case "half":
            return reach // 2, reach // 2
        case "same":
            needed = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
            return needed // 2, needed - needed // 2
        case tuple():
            return side
        case _:
            return side, side


def _too_large(layer: str, name: str, slide: Slide, found: tuple[Slide, ...]) -> ShapeError:
    pads = f"2*{slide.before}" if slide.before == slide.after else f"{slide.before} + {slide.after}"
    fitting = "x".join(str(min(item.kernel, (item.size + item.before + item.after - 1) // item.dilation + 1)) for item in found)
    window = f"{'an' if fitting.startswith(('8', '11', '18')) else 'a'} {fitting} window" if len(found) > 1 else f"a window of {fitting}"
    return ShapeError(
        f"window of `{layer}` is larger than its input",
        argument="k",
        label=f"needs {name} >= {slide.span - slide.before - slide.after}, input is {slide.size}",
        notes=(f"floor(({slide.size} + {pads} - {slide.span}) / {slide.stride}) + 1 = {slide.count}",),
        help=f"use {window}, `pad=half`, or drop one pooling step before it",
    )
