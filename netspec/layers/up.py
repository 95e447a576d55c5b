"""Enlarging."""

from __future__ import annotations

from typing import ClassVar, Literal

from netspec.graph.types import Computation, Example, Layer, Shape
from netspec.kernels.affine import Affine, Axis, affine
from netspec.kernels.formula import Formula, Tensor, d, each, total
from netspec.kernels.scalar import Expr, call, expression, maximum, select
from netspec.layers.arguments import Pair
from netspec.layers.inputs import axes_of, in_order, windowed
from netspec.layers.window import per_axis


class Up(Layer):
    """`factor` times as many rows and columns, or steps: each element repeated (nearest), or between neighbours (linear), as PyTorch does
    without align_corners.
    """

    name: ClassVar[str] = "up"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"factor": 2}, ((2, 3, 4),)),
        Example({"factor": (1, 3)}, ((2, 2, 3),)),
        Example({"factor": 2}, ((4, 3),)),
        Example({"factor": (2, 3), "mode": "linear"}, ((2, 3, 4),)),
        Example({"factor": 4, "mode": "linear"}, ((3, 2),)),
    )

    factor: Pair
    mode: Literal["nearest", "linear"] = "nearest"

    def infer(self, *inputs: Shape) -> Shape:
        """The sizes times the factor."""
        channels, sizes = windowed(self.name, inputs[0])
        return in_order((channels,), [size * factor for size, factor in zip(sizes, self._factors(sizes), strict=True)])

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """Nearest: y[n, c, h*factor + a, w*factor + b] = x[n, c, h, w]. Linear: along one axis after the other."""
        _, sizes = windowed(self.name, inputs[0])
        factors = self._factors(sizes)
        if self.mode == "linear":
            return _linear(inputs[0], factors)
        n, *axes = axes_of(inputs[0])
        taps = in_order((None,), [Axis(letter, factor) for letter, factor in zip("ab", factors, strict=False)])
        scale = in_order((1,), factors)
        place = [axis * step + tap if tap else affine(axis) for axis, step, tap in zip(axes, scale, taps, strict=True)]
        return Computation((each(Tensor("y")[n, *place], Tensor("x")[n, *axes]),))

    def _factors(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        return per_axis(self.name, "factor", self.factor, sizes)


def _linear(shape: Shape, factors: tuple[int, ...]) -> Computation:
    """Along one axis after the other: where the next tensor's elements lie between two of the one before, they are weighted by nearness."""
    scale = (1, *in_order((1,), factors))
    wanted = [place for place, factor in enumerate(scale) if factor > 1]
    values = ["x", *(f"part{place}" for place in wanted[:-1]), "y"]
    slopes = [d("x"), *(f"part{place}_slope" for place in wanted[:-1]), d("y")]
    axes = axes_of(shape)
    if not wanted:
        return Computation((each(Tensor("y")[axes], Tensor("x")[axes]),))
    formulas: list[Formula] = []
    gradients: list[Formula] = []
    for k, place in enumerate(wanted):
        stage = _Stage(axes, place, scale[place])
        formulas.append(stage.value(values[k], values[k + 1]))
        gradients.insert(0, stage.gradient(slopes[k], slopes[k + 1]))
        axes = tuple(Axis(axis.name, _length(axis) * scale[place]) if i == place else axis for i, axis in enumerate(axes))
    return Computation(tuple(formulas), tuple(gradients))


class _Stage:
    """Enlarging along one axis: element h*factor + r lies (r + 1/2)/factor - 1/2 away from h, towards h - 1 or h + 1. Ends are repeated."""

    def __init__(self, axes: tuple[Axis, ...], place: int, factor: int) -> None:
        self.axes, self.place, self.factor = axes, place, factor
        self.h, self.r = axes[place], Axis("r", factor)
        away = expression(self.r) * (1 / factor) + (0.5 / factor - 0.5)
        self.back, self.ahead = maximum(0.0, -away), maximum(0.0, away)
        ends = select(call("eq", self.h, 0), self.back, 0.0) + select(call("eq", self.h, _length(self.h) - 1), self.ahead, 0.0)
        self.here: Expr = 1 - self.back - self.ahead + ends

    def value(self, x: str, y: str) -> Formula:
        """y[h*factor + r] = x[h - 1] * back + x[h] * here + x[h + 1] * ahead."""
        source = Tensor(x, "zero")
        parts = [source[self._at(self.h + step)] * weight for step, weight in ((-1, self.back), (0, self.here), (1, self.ahead))]
        return each(Tensor(y)[self._at(self.h * self.factor + self.r)], parts[0] + parts[1] + parts[2])

    def gradient(self, dx: str, dy: str) -> Formula:
        """The sum over r of what h gave to itself and to its neighbours. It is stated: the derived one is three sums."""
        source = Tensor(dy, "zero")
        parts = [
            source[self._at((self.h + step) * self.factor + self.r)] * weight
            for step, weight in ((1, self.back), (0, self.here), (-1, self.ahead))
        ]
        return total(Tensor(dx)[self.axes], parts[0] + parts[1] + parts[2])

    def _at(self, index: Affine) -> tuple[Affine, ...]:
        return tuple(index if k == self.place else affine(axis) for k, axis in enumerate(self.axes))


def _length(axis: Axis) -> int:
    assert isinstance(axis.extent, int)
    return axis.extent
