"""Windows that leave something out, or pad unevenly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.diagnostics import Diagnostic
from netspec.graph.graph import Node
from netspec.graph.types import Shape
from netspec.lints.net import Net, place, warning
from netspec.records import record

WINDOWS: Final = frozenset({"conv", "maxpool", "avgpool", "lppool", "gausspool", "subsample"})
POOLS: Final = frozenset({"maxpool", "avgpool"})
FEW: Final = 20
"""Up to the 20th part of an axis may be left over: one row of 224 at a stride of 2 is no loss, one of 7 is."""


@record
class _Axis:
    """One axis of a layer with a window: its length, the pixels that windows step over, and the padding before."""

    name: str
    size: int
    count: int
    window: int
    stride: int
    dilation: int
    before: int

    @property
    def end(self) -> int:
        """How many of its pixels lie before the end of the last window."""
        return (self.count - 1) * self.stride + self.dilation * (self.window - 1) + 1 - self.before

    @property
    def samples(self) -> bool:
        """Whether windows leave gaps between them, as a 1x1 with a stride does: then nobody means to read everything."""
        return self.dilation * (self.window - 1) + 1 < self.stride

    @property
    def lost(self) -> str:
        """What lies behind it: `row`, `2 columns`."""
        left = self.size - self.end
        return self.name if left == 1 else f"{left} {self.name}s"

    def arithmetic(self) -> str:
        """Where the last window ends, with numbers."""
        span = str(self.window) if self.dilation == 1 else f"({self.dilation}*({self.window} - 1) + 1)"
        pads = f" - {self.before}" if self.before else ""
        return f"{self.count} windows end at {self.name} ({self.count} - 1)*{self.stride} + {span}{pads} = {self.end} of {self.size}"


def unread_rows(net: Net) -> Iterator[Diagnostic]:
    """Rows and columns behind the last window."""
    for node in net.kinds(WINDOWS):
        axes = [axis for axis in _axes(node, net.input(node)) if not axis.samples and (axis.size - axis.end) * FEW > axis.size]
        if axes:
            name = node.layer.name
            message = f"`{name}` never reads the last {' and '.join(axis.lost for axis in axes)} of {list(net.input(node))}"
            help = "`ceil=yes` adds a window for them" if name in POOLS else "pad the input, or give it a size that fits"
            notes = tuple(axis.arithmetic() for axis in axes)
            yield warning("W0301", message, place(node), notes=notes, help=help)


def _axes(node: Node, shape: Shape) -> Iterator[_Axis]:
    layer = node.layer
    windows, strides = getattr(layer, "k", 1), getattr(layer, "stride", None)
    if strides == 1 or (pads := layer.pads(shape)) is None:  # with a stride of 1 nothing is left over
        return
    rank = len(pads)
    looks = zip(*(_each(value, rank) for value in (windows, strides or windows, getattr(layer, "dilation", 1))), pads, strict=True)
    names, where = (("row", "column"), slice(-2, None)) if rank == 2 else (("step",), slice(0, 1))
    axes = zip(names, shape[where], node.output.type.sample[where], looks, strict=True)
    for name, size, count, (window, stride, dilation, (before, _)) in axes:
        if all(type(number) is int for number in (size, count, before)):  # and not a size that is left open
            yield _Axis(name, size, count, window, stride, dilation, before)


def _each(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    """A size for each axis."""
    return (value,) * rank if isinstance(value, int) else value


def uneven_padding(net: Net) -> Iterator[Diagnostic]:
    """`pad=same` that comes out different on both sides."""
    for node in net.with_argument("pad"):
        pad = getattr(node.layer, "pad", None)
        if pad != "same" and not (isinstance(pad, tuple) and "same" in pad):
            continue
        shape = net.input(node)
        pads = [pair for pair in node.layer.pads(shape) or () if all(type(side) is int for side in pair)]
        uneven = [pair for pair in pads if pair[0] != pair[1]]
        if uneven:
            before, after = uneven[0]
            message = f"`pad=same` is uneven here: {before} before, {after} after"
            note = f"{list(shape)} lacks {before + after} for {list(node.output.type.sample)}, and the odd one is put at the end"
            help = "`pad=half` pads both sides alike, as PyTorch and Caffe do; `same` is right for weights from TensorFlow"
            yield warning("W0303", message, place(node), notes=(note,), help=help)
