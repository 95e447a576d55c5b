"""Windows that leave something out, or pad unevenly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.lints.net import Finding, Net, Step, warning
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


def unread_rows(net: Net) -> Iterator[Finding]:
    """Rows and columns behind the last window."""
    for step in net.steps:
        axes = [axis for axis in _axes(step) if not axis.samples and (axis.size - axis.end) * FEW > axis.size]
        if axes:
            name = step.layer.name
            message = f"`{name}` never reads the last {' and '.join(axis.lost for axis in axes)} of {list(step.input)}"
            help = "`ceil=yes` adds a window for them" if name in POOLS else "pad the input, or give it a size that fits"
            notes = tuple(axis.arithmetic() for axis in axes)
            yield warning("W0301", message, step.span, notes=notes, help=help)


def _axes(step: Step) -> Iterator[_Axis]:
    layer = step.layer
    if layer.name not in WINDOWS or (pads := layer.pads(step.input)) is None:
        return
    rank = len(pads)
    windows, dilations = _each(getattr(layer, "k", 1), rank), _each(getattr(layer, "dilation", 1), rank)
    strides = _each(getattr(layer, "stride", None) or windows, rank)
    names, where = (("row", "column"), slice(-2, None)) if rank == 2 else (("step",), slice(0, 1))
    for name, size, count, *look, (before, _) in zip(
        names, step.input[where], step.output[where], windows, strides, dilations, pads, strict=True
    ):
        window, stride, dilation = look
        yield _Axis(name, size, count, window, stride, dilation, before)


def _each(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    """A size for each axis."""
    return (value,) * rank if isinstance(value, int) else value


def uneven_padding(net: Net) -> Iterator[Finding]:
    """`pad=same` that comes out different on both sides."""
    for step in net.steps:
        pad = getattr(step.layer, "pad", None)
        if pad != "same" and not (isinstance(pad, tuple) and "same" in pad):
            continue
        uneven = [pair for pair in step.layer.pads(step.input) or () if pair[0] != pair[1]]
        if uneven:
            before, after = uneven[0]
            message = f"`pad=same` is uneven here: {before} before, {after} after"
            note = f"{list(step.input)} lacks {before + after} for {list(step.output)}, and the odd one is put at the end"
            help = "`pad=half` pads both sides alike, as PyTorch and Caffe do; `same` is right for weights from TensorFlow"
            yield warning("W0303", message, step.span, notes=(note,), help=help)
