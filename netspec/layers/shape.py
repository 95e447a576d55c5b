"""Layers that look at their input otherwise, or take a part of it: no element changes."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape, ShapeError
from netspec.kernels.affine import Affine, Axis, N, affine, common_refinement
from netspec.kernels.formula import Formula, Tensor, d, each
from netspec.layers.arguments import Letter, Margin, NaturalInt, Pair, PositiveInt
from netspec.layers.inputs import DIMENSIONS, axes_of, channel, dimension_of, grouped, in_order, show, windowed
from netspec.layers.window import SLIDING, pads_per_axis, per_axis


class Flatten(Layer):
    """All elements of a sample as one vector, the last dimension running fastest: of [t, f] step after step."""

    name: ClassVar[str] = "flatten"
    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((3, 4, 5),)), Example({}, ((4, 3),)), Example({}, ((6,),)))

    def infer(self, *inputs: Shape) -> Shape:
        """[f]."""
        return (prod(inputs[0]),)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y, read as [n, c, h, w], is x."""
        axes = axes_of(inputs[0])
        y = Tensor("y") if len(inputs[0]) == 1 else Tensor("y").view(N, *inputs[0])
        return Computation((each(y[axes], Tensor("x")[axes]),))


class Reshape(Layer):
    """The same elements in the same order, the last dimension running fastest, in another shape: [1, t, f] makes a picture of [t, f]."""

    name: ClassVar[str] = "reshape"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"shape": (1, 4, 3)}, ((4, 3),)),
        Example({"shape": (2, 3, 4)}, ((24,),)),
        Example({"shape": (6, 2)}, ((3, 4),)),
        Example({"shape": (12,)}, ((2, 3, 2),)),
        Example({"shape": (3, 4)}, ((4, 3),)),
    )

    shape: tuple[PositiveInt, ...]

    def conflict(self) -> str | None:
        """More dimensions than there are."""
        return None if 1 <= len(self.shape) <= 3 else f"`shape` is [c, h, w], [t, f] or [f], not {show(self.shape)}"

    def infer(self, *inputs: Shape) -> Shape:
        """The shape, of as many elements."""
        if prod(self.shape) == prod(inputs[0]):
            return self.shape
        notes = tuple(f"{show(shape)} has {'*'.join(map(str, shape))} = {prod(shape)} elements" for shape in (inputs[0], self.shape))
        last, rest = divmod(prod(inputs[0]), prod(self.shape[:-1]))
        help = f"`reshape({show((*self.shape[:-1], last))})` has as many" if not rest and last else None
        raise ShapeError(f"`reshape` cannot make {show(self.shape)} of {show(inputs[0])}", argument="shape", notes=notes, help=help)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y is x, both seen in the dimensions that they share; [4, 3] and [3, 4] share none, and a vector stands between them."""
        source, target = (N, *inputs[0]), (N, *self.shape)
        if (shared := common_refinement(source, target)) is None:
            flat = Tensor("flat")
            return Computation((_copy(flat.view(*source), Tensor("x"), source), _copy(Tensor("y"), flat.view(*target), target)))
        x, y = (Tensor(name) if shape == shared else Tensor(name).view(*shared) for name, shape in (("x", source), ("y", target)))
        return Computation((_copy(y, x, shared),))


class Pad(Layer):
    """Zeros around a picture, or before and after the steps of [t, f]."""

    name: ClassVar[str] = "pad"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"size": 2}, ((2, 3, 4),)),
        Example({"size": ((0, 1), (2, 0))}, ((1, 3, 2),)),
        Example({"size": (1, 2)}, ((4, 3),)),
    )

    size: Margin

    def infer(self, *inputs: Shape) -> Shape:
        """The sizes with their pads."""
        channels, sizes = windowed(self.name, inputs[0])
        return in_order((channels,), [size + before + after for size, (before, after) in zip(sizes, self.pads(*inputs), strict=True)])

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = x[n, c, h - top, w - left], zero beyond it."""
        before = in_order((0,), [start for start, _ in self.pads(*inputs)])
        n, *axes = axes_of(self.infer(*inputs))
        read = [axis - start for axis, start in zip(axes, before, strict=True)]
        return Computation((each(Tensor("y")[n, *axes], Tensor("x", "zero")[n, *read]),))

    def pads(self, *inputs: Shape) -> tuple[tuple[int, int], ...]:
        """(top, bottom), (left, right); of [t, f] (before, after)."""
        found: list[tuple[int, int]] = []
        for side in pads_per_axis(self.name, "size", self.size, windowed(self.name, inputs[0])[1]):
            assert not isinstance(side, str)
            found.append((side, side) if isinstance(side, int) else side)
        return tuple(found)


class Crop(Layer):
    """The middle of a picture, (h, w) or a square, or of steps (Ronneberger et al. 2015). Where it is odd, one more goes at the end."""

    name: ClassVar[str] = "crop"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"size": (2, 3)}, ((2, 5, 6),)),
        Example({"size": 3}, ((1, 3, 4),)),
        Example({"size": 2}, ((5, 3),)),
    )

    size: Pair

    def infer(self, *inputs: Shape) -> Shape:
        """The sizes that are asked for."""
        channels, sizes = windowed(self.name, inputs[0])
        wanted = per_axis(self.name, "size", self.size, sizes)
        for name, size, want in zip(SLIDING[len(sizes)], sizes, wanted, strict=True):
            if want > size:
                help = f"at most {'x'.join(map(str, sizes))}; `pad` makes it larger"
                raise ShapeError(f"`crop` cannot keep {name} {want} of {size}", argument="size", label=f"{name} is {size}", help=help)
        return in_order((channels,), wanted)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = x[n, c, h + top, w + left]."""
        output = self.infer(*inputs)
        n, *axes = axes_of(output)
        read = [axis + (size - kept) // 2 for axis, size, kept in zip(axes, inputs[0], output, strict=True)]
        return Computation((each(Tensor("y")[n, *axes], Tensor("x")[n, *read]),))


class Slice(Layer):
    """A part of a dimension, of the channels unless `axis` names another: `slice(0..31)` is its first 32 elements, `slice(0)` the first."""

    name: ClassVar[str] = "slice"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"part": (1, 3)}, ((5, 2, 3),)),
        Example({"part": 2, "axis": "w"}, ((2, 3, 4),)),
        Example({"part": (0, 2)}, ((3, 4),)),
        Example({"part": (3, 4), "axis": "t"}, ((5, 2),)),
        Example({"part": (2, 4)}, ((6,),)),
    )

    part: NaturalInt | tuple[NaturalInt, NaturalInt]
    axis: Letter | None = None

    def conflict(self) -> str | None:
        """A part that ends before it begins."""
        first, last = self._ends
        return f"`part` ends before it begins: {first}..{last}" if last < first else None

    @property
    def _ends(self) -> tuple[int, int]:
        return (self.part, self.part) if isinstance(self.part, int) else self.part

    def infer(self, *inputs: Shape) -> Shape:
        """As many elements along the dimension as the part has."""
        dimension, (first, last) = dimension_of(inputs[0], self.axis, "E0204"), self._ends
        size = inputs[0][dimension]
        if last >= size:
            name = DIMENSIONS[len(inputs[0])][dimension]
            help = f"{name} are counted from 0: the last is {size - 1}" if name.endswith("s") else f"the last index is {size - 1}"
            raise ShapeError(f"`slice` takes {first}..{last} of {size} {name}", argument="part", help=help)
        return (*inputs[0][:dimension], last - first + 1, *inputs[0][dimension + 1 :])

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, c, h, w] = x[n, c + first, h, w]."""
        place = 1 + dimension_of(inputs[0], self.axis, "E0204")
        axes = axes_of(self.infer(*inputs))
        read = [axis + self._ends[0] if k == place else axis for k, axis in enumerate(axes)]
        return Computation((each(Tensor("y")[axes], Tensor("x")[tuple(read)]),))


class Shuffle(Layer):
    """The channels of g groups dealt out, the first of each, the second of each, .. (Zhang et al. 2017, ShuffleNet)."""

    name: ClassVar[str] = "shuffle"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"groups": 2}, ((6, 2, 3),)),
        Example({"groups": 3}, ((2, 6),)),
        Example({"groups": 2}, ((8,),)),
    )

    groups: PositiveInt

    def infer(self, *inputs: Shape) -> Shape:
        """The input's shape."""
        return grouped(inputs[0], self.groups)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y[n, k*groups + g, h, w] = x[n, g*size + k, h, w], and the gradient the other way round.

        It is stated: solving an index of two axes for one of them would lose the other's range.
        """
        axes, place = axes_of(inputs[0]), 1 + channel(inputs[0])
        size = inputs[0][place - 1] // self.groups
        g, k = Axis("g", self.groups), Axis("k", size)

        def at(index: Affine) -> tuple[Affine, ...]:
            return tuple(index if i == place else affine(axis) for i, axis in enumerate(axes))

        dealt, grouped = at(k * self.groups + g), at(g * size + k)
        back = each(Tensor(d("x"))[grouped], Tensor(d("y"))[dealt])
        return Computation((each(Tensor("y")[dealt], Tensor("x")[grouped]),), (back,))


def _copy(target: Tensor, source: Tensor, dims: tuple[int | str, ...]) -> Formula:
    axes = tuple(Axis("n" if k == 0 else f"i{k}", extent) for k, extent in enumerate(dims))
    return each(target[axes], source[axes])
