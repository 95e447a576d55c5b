"""A window that slides over a picture: where it reads, how often it fits, what padding it gets. Shared by convolution and pooling."""

from __future__ import annotations

from netspec.graph.types import ShapeError
from netspec.kernels.affine import Affine, Axis
from netspec.layers.arguments import Padding, Pair, Side, Window, pair
from netspec.records import record


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
    layer: str, size: tuple[int, int], k: Window, *, stride: Pair, pad: Padding, dilation: Pair = 1, ceil: bool = False
) -> tuple[Slide, Slide]:
    """The windows along height and width; a ShapeError where one does not fit even once."""
    sides = (pad, pad) if isinstance(pad, int | str) else pad
    height, width = (
        Slide(extent, kernel, step, spread, *_padding(side, extent, kernel, step, spread), ceil)
        for extent, kernel, step, spread, side in zip(size, pair(k), pair(stride), pair(dilation), sides, strict=True)
    )
    for name, slide in (("height", height), ("width", width)):
        if slide.size + slide.before + slide.after < slide.span:
            raise _too_large(layer, name, slide, (height, width))
    return height, width


def _padding(side: Side, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Before and after. `half`: the same on both sides. `same`: what ceil(size/stride) results need, the odd pixel after (SAME_UPPER)."""
    reach = dilation * (kernel - 1)
    match side:
        case "half":
            return reach // 2, reach // 2
        case "same":
            needed = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
            return needed // 2, needed - needed // 2
        case int():
            return side, side
        case _:
            return side


def _too_large(layer: str, name: str, slide: Slide, both: tuple[Slide, Slide]) -> ShapeError:
    pads = f"2*{slide.before}" if slide.before == slide.after else f"{slide.before} + {slide.after}"
    fitting = "x".join(str(min(item.kernel, (item.size + item.before + item.after - 1) // item.dilation + 1)) for item in both)
    return ShapeError(
        f"window of `{layer}` is larger than its input",
        argument="k",
        label=f"needs {name} >= {slide.span - slide.before - slide.after}, input is {slide.size}",
        notes=(f"floor(({slide.size} + {pads} - {slide.span}) / {slide.stride}) + 1 = {slide.count}",),
        help=f"use a {fitting} window, `pad=half`, or drop one pooling step before it",
    )
