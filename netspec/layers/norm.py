"""Normalisation: by the statistics of the batch, of each sample, or of neighbouring channels."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import ClassVar

from netspec.graph.types import ONES, ZEROS, Computation, Example, Layer, Shape, TensorType, Weight
from netspec.kernels.affine import Axis
from netspec.kernels.formula import Formula, Tensor, d, each, total
from netspec.kernels.scalar import Access, Expr, exp, log, maximum, sqrt_
from netspec.layers.arguments import PositiveFloat, PositiveInt, Share
from netspec.layers.inputs import BATCH, axes_of, channel, grouped, present
from netspec.records import record


class Bn(Layer):
    """Batch normalisation of each channel (Ioffe & Szegedy 2015): by its statistics in training, by their running averages in inference."""

    name: ClassVar[str] = "bn"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((3, 4, 5),)),
        Example({}, ((6,),)),
        Example({"eps": 1e-3, "momentum": 0.3}, ((2, 3, 3),)),
        Example({}, ((4, 3),)),
    )

    eps: PositiveFloat = 1e-5
    momentum: Share = 0.1

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """scale and shift are trained; mean and var are running averages. All [c]."""
        type = _per_channel(inputs[0])
        return (
            Weight("scale", type, ONES),
            Weight("shift", type, ZEROS),
            Weight("mean", type, ZEROS, "state"),
            Weight("var", type, ONES, "state"),
        )

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = (x - mean[c]) / sqrt(var[c] + eps) * scale[c] + shift[c]."""
        axes = axes_of(inputs[0])
        if training:
            updates = {"mean": "next_mean", "var": "next_var"}
            return Computation((*self._statistics(axes), _normalised(axes)), self._gradients(axes), updates)
        c = _channels(axes)
        x, y, scale, shift, mean, var = map(Tensor, ("x", "y", "scale", "shift", "mean", "var"))
        factor = scale[c] / sqrt_(var[c] + self.eps)
        return Computation((each(y[axes], (x[axes] - mean[c]) * factor + shift[c]),))

    def _statistics(self, axes: tuple[Axis, ...]) -> tuple[Formula, ...]:
        """Mean and variance of the samples that are really there, and the next running averages (of the unbiased variance)."""
        n, c = axes[0], _channels(axes)
        count = _count(axes)
        x, mean, var, next_mean, next_var = map(Tensor, ("x", "mean", "var", "next_mean", "next_var"))
        summed, batch_mean, squares, batch_var, inverse = map(Tensor, ("sum", "batch_mean", "squares", "batch_var", "inverse"))
        centred = x[axes] - batch_mean[c]
        unbiased = squares[c] / maximum(1, count - 1)
        return (
            total(summed[c], present(n, x[axes])),
            each(batch_mean[c], summed[c] / count),
            total(squares[c], present(n, centred * centred)),
            each(batch_var[c], squares[c] / count),
            each(inverse[c], 1 / sqrt_(batch_var[c] + self.eps)),
            each(next_mean[c], (1 - self.momentum) * mean[c] + self.momentum * batch_mean[c]),
            each(next_var[c], (1 - self.momentum) * var[c] + self.momentum * unbiased),
        )

    def _gradients(self, axes: tuple[Axis, ...]) -> tuple[Formula, ...]:
        """dx = scale * inverse * (dy - mean(dy) - z * mean(dy * z)), with z = (x - mean) * inverse; the derived form cancels."""
        n, c = axes[0], _channels(axes)
        x, dy, dx, dscale, dshift = map(Tensor, ("x", d("y"), d("x"), d("scale"), d("shift")))
        scale, batch_mean, inverse, dy_sum, dy_dot = map(Tensor, ("scale", "batch_mean", "inverse", "dy_sum", "dy_dot"))
        z = (x[axes] - batch_mean[c]) * inverse[c]
        back = dy[axes] - dy_sum[c] / _count(axes) - z * (dy_dot[c] / _count(axes))
        return (
            total(dy_sum[c], present(n, dy[axes])),
            total(dy_dot[c], present(n, dy[axes] * z)),
            each(dshift[c], dy_sum[c]),
            each(dscale[c], dy_dot[c]),
            each(dx[axes], present(n, scale[c] * inverse[c] * back)),
        )


def _normalised(axes: tuple[Axis, ...]) -> Formula:
    c = _channels(axes)
    x, y, scale, shift, batch_mean, inverse = map(Tensor, ("x", "y", "scale", "shift", "batch_mean", "inverse"))
    return each(y[axes], (x[axes] - batch_mean[c]) * (scale[c] * inverse[c]) + shift[c])


def _channels(axes: tuple[Axis, ...]) -> Axis:
    """The axis of the channels, of those of a whole batch."""
    return next(axis for axis in axes if axis.name in {"c", "f"})


def _per_channel(shape: Shape) -> TensorType:
    return TensorType((shape[channel(shape)],))


def _count(axes: tuple[Axis, ...]) -> Expr:
    """How many elements of a channel the batch holds."""
    return BATCH * _size(axis for axis in axes[1:] if axis != _channels(axes))


def _size(axes: Iterable[Axis]) -> int:
    return prod(axis.extent for axis in axes if isinstance(axis.extent, int))


# ── by the statistics of each sample ─────────────────────────────────────────────────────────────


class SampleNorm(Layer):
    """Normalisation by the statistics of the sample itself, in training and inference alike."""

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """scale and shift, both [c]."""
        type = _per_channel(inputs[0])
        return Weight("scale", type, ONES), Weight("shift", type, ZEROS)


class Layernorm(SampleNorm):
    """Normalisation over the channels (Ba et al. 2016): of [f], of each step of [t, f], of each pixel of [c, h, w] (Liu et al. 2022).

    For statistics of a whole picture, `groupnorm(1)`.
    """

    name: ClassVar[str] = "layernorm"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((6,),)),
        Example({"eps": 1e-3}, ((4, 3),)),
        Example({}, ((5, 2, 3),)),
    )

    eps: PositiveFloat = 1e-5

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = (x - mean) / sqrt(var + eps) * scale[c] + shift[c], mean and var over the channels of a place."""
        axes = axes_of(inputs[0])
        c = _channels(axes)
        places, share = tuple(axis for axis in axes if axis != c), 1 / _size([c])
        x, y, dx, dy = (Tensor(name)[axes] for name in ("x", "y", d("x"), d("y")))
        scale, shift, dscale, dshift = (Tensor(name)[c] for name in ("scale", "shift", d("scale"), d("shift")))
        summed, mean, squares, inverse, back, dot = (Tensor(name)[places] for name in ("sum", "mean", "squares", "inverse", "back", "dot"))
        z = (x - mean) * inverse
        forward = (
            total(summed, x),
            each(mean, summed * share),
            total(squares, (x - mean) * (x - mean)),
            each(inverse, 1 / sqrt_(squares * share + self.eps)),
            each(y, z * scale + shift),
        )
        backward = (  # dx = inverse * (g - mean(g) - z * mean(g * z)), g = dy * scale: the derived form cancels
            total(back, dy * scale),
            total(dot, dy * scale * z),
            total(dshift, dy),
            total(dscale, dy * z),
            each(dx, inverse * (dy * scale - back * share - z * (dot * share))),
        )
        return Computation(forward, backward)


class Groupnorm(SampleNorm):
    """Normalisation over groups of neighbouring channels and all their places (Wu & He 2018); with one group, over the whole sample."""

    name: ClassVar[str] = "groupnorm"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"groups": 2}, ((6, 2, 3),)),
        Example({"groups": 1}, ((4, 2, 2),)),
        Example({"groups": 2}, ((8,),)),
        Example({"groups": 2, "eps": 1e-3}, ((3, 4),)),
    )

    groups: PositiveInt = 32
    eps: PositiveFloat = 1e-5

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape, whose channels the groups divide."""
        return grouped(inputs[0], self.groups)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = (x - mean) / sqrt(var + eps) * scale[c] + shift[c], mean and var over the channels of a group at all places."""
        see = self._split(inputs[0])
        x, y, dx, dy = map(see.element, ("x", "y", d("x"), d("y")))
        scale, shift, dscale, dshift = map(see.weight, ("scale", "shift", d("scale"), d("shift")))
        sums, mean, squares, inverse, dys, dots, lift, tilt = map(
            see.of_channel, ("sums", "mean", "squares", "inverse", "dys", "dots", "lift", "tilt")
        )
        summed, square, back, dot = map(see.of_group, ("sum", "square", "back", "dot"))
        gather = total if len(see.whole) > 1 + len(see.channels) else each
        share = 1 / (_size(see.whole) // _size(see.group))
        z = (x - mean) * inverse
        forward = (
            gather(sums, x),
            total(summed, sums),
            each(mean, summed * share),
            gather(squares, (x - mean) * (x - mean)),
            total(square, squares),
            each(inverse, 1 / sqrt_(square * share + self.eps)),
            each(y, z * scale + shift),
        )
        backward = (  # layernorm's, with `inverse` within the sums
            gather(dys, dy),
            gather(dots, dy * z),
            total(dshift, dys),
            total(dscale, dots),
            total(back, dys * scale * inverse),
            total(dot, dots * scale * inverse),
            each(lift, back * share),
            each(tilt, dot * share),
            each(dx, dy * scale * inverse - lift - z * tilt),
        )
        return Computation(forward, backward)

    def _split(self, shape: Shape) -> Split:
        axes = axes_of(shape)
        c = _channels(axes)
        group = (Axis("g", self.groups),) if self.groups > 1 else ()
        channels = (*group, Axis(c.name, shape[channel(shape)] // self.groups))
        return Split(tuple(part for axis in axes for part in (channels if axis == c else (axis,))), channels, group)


@record
class Split:
    """The axes of an input whose channels are split into groups: all, those of the channels, that of the groups. One group is no axis.

    What all elements read goes by channel, be it the same for a group: channels then lie side by side along the lanes.
    """

    whole: tuple[Axis, ...]
    channels: tuple[Axis, ...]
    group: tuple[Axis, ...]

    def element(self, name: str) -> Access:
        """An element of a tensor of the input's shape."""
        return self._seen(name, self.whole)

    def weight(self, name: str) -> Access:
        """An element of a weight, or of its gradient."""
        return self._seen(name, self.channels)

    def of_channel(self, name: str) -> Access:
        """A number for each channel of a sample."""
        return Tensor(name)[(self.whole[0], *self.channels)]

    def of_group(self, name: str) -> Access:
        """A number for each group of a sample."""
        return Tensor(name)[(self.whole[0], *self.group)]

    def _seen(self, name: str, axes: tuple[Axis, ...]) -> Access:
        return (Tensor(name).view(*(axis.extent for axis in axes)) if self.group else Tensor(name))[axes]


class Lrn(Layer):
    """Local response normalisation: x over a power of the squares of the n channels around it (Krizhevsky et al. 2012).

    As PyTorch and Caffe have it, `alpha` is divided by `n` and `k` is 1. The paper's numbers are `lrn(5, alpha=5e-4, k=2)` so.
    """

    name: ClassVar[str] = "lrn"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((7, 2, 3),)),
        Example({"n": 4, "alpha": 0.5, "beta": 0.6, "k": 2.0}, ((5, 2, 2),)),
        Example({"n": 3, "alpha": 1.0}, ((3, 4),)),
    )

    n: PositiveInt = 5
    alpha: PositiveFloat = 1e-4
    beta: PositiveFloat = 0.75
    k: PositiveFloat = 1.0

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return inputs[0]

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[c] = x[c] / base[c]^beta, base[c] = k + alpha/n * sum over a < n of x[c + a - n//2]^2.

        dx[c] = dy[c] / base[c]^beta - 2*alpha*beta/n * x[c] * (sum of dy * y / base over the channels whose windows hold c).
        """
        axes = axes_of(inputs[0])
        before, after = self.n // 2, (self.n - 1) // 2
        x, y, square, summed, share, spread, dx, dy = (
            Tensor(name)[axes] for name in ("x", "y", "square", "sum", "share", "spread", d("x"), d("y"))
        )
        base = self.k + self.alpha / self.n * summed
        factor = 2 * self.alpha * self.beta / self.n
        return Computation(
            (each(square, x * x), total(summed, _around("square", axes, self.n, before)), each(y, x * _power(base, self.beta))),
            (
                each(share, dy * y / base),
                total(spread, _around("share", axes, self.n, after)),
                each(dx, dy * _power(base, self.beta) - factor * x * spread),
            ),
        )


def _around(name: str, axes: tuple[Axis, ...], count: int, before: int) -> Access:
    """A tensor at so many neighbouring channels, of which `before` come before the own one; zero beyond the first and the last."""
    c, a = _channels(axes), Axis("a", count)
    return Tensor(name, "zero")[tuple(c + a - before if axis == c else axis for axis in axes)]


def _power(base: Expr, beta: float) -> Expr:
    """base^-beta. The usual 3/4 is two square roots and a quotient, at most 2 units in the last place off; others go by the logarithm."""
    return sqrt_(sqrt_(base)) / base if beta == 0.75 else exp(-beta * log(base))
