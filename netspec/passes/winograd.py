"""Convolutions of 3x3 windows by Winograd's minimal filtering: 36 products for a tile of 4x4 results where the direct way takes 144.

    U[a, b, c, i]          = G w G'      of each kernel, when weights are loaded
    V[n, i, th, a, b, tw]  = B' x B      of the windows of each tile, which overlap by two
    M[n, c, th, a, b, tw]  = sum over i of V * U
    y[n, c, th*4 + r, tw*4 + s] = A' M A, then what follows in registers: bias, normalisation, residual, activation

Each is an ordinary formula, so whatever comes after this pass needs to know nothing of it. (Lavin and Gray, Fast algorithms for
convolutional neural networks, arXiv 1509.09308, 2015; Winograd, Arithmetic complexity of computations, 1980.) The transforms are written
out as additions that neighbours share. F(4x4, 3x3) uses the points 0, +-1, +-2: results stay within 1e-4 of the largest element, direct
ones within 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from netspec.graph.graph import Graph, Op
from netspec.graph.types import TensorType, Value
from netspec.kernels.affine import Affine, Axis, N, affine
from netspec.kernels.formula import Formula, Tensor, each, total
from netspec.kernels.scalar import Access, Expr, transform

KERNEL = 3
LONG_ROW = 7
"""Tiles in a row that fill the rows of a register tile."""
T = TypeVar("T")
Line = Callable[..., tuple[Expr, ...]]
"""A transform of one line of numbers."""


def _input_2(a: Expr, b: Expr, c: Expr, d: Expr) -> tuple[Expr, ...]:
    return a - c, b + c, c - b, b - d


def _weight_2(a: Expr, b: Expr, c: Expr) -> tuple[Expr, ...]:
    outer, middle = 0.5 * (a + c), 0.5 * b
    return a, outer + middle, outer - middle, c


def _output_2(a: Expr, b: Expr, c: Expr, d: Expr) -> tuple[Expr, ...]:
    return a + (b + c), (b - c) - d


def _input_4(a: Expr, b: Expr, c: Expr, d: Expr, e: Expr, f: Expr) -> tuple[Expr, ...]:
    outer, inner, half = e - 4 * c, d - 4 * b, 2 * (d - b)
    return 4 * a - 5 * c + e, outer + inner, outer - inner, (e - c) + half, (e - c) - half, 4 * b - 5 * d + f


def _weight_4(a: Expr, b: Expr, c: Expr) -> tuple[Expr, ...]:
    near, odd, far, far_odd = (a + c) * (-1 / 6), b * (1 / 6), a * (1 / 24) + c * (1 / 6), b * (1 / 12)
    return 0.25 * a, near - odd, near + odd, far + far_odd, far - far_odd, c


def _output_4(a: Expr, b: Expr, c: Expr, d: Expr, e: Expr, f: Expr) -> tuple[Expr, ...]:
    near, far, near_odd, far_odd = b + c, d + e, b - c, d - e
    return a + near + far, near_odd + 2 * far_odd, near + 4 * far, near_odd + 8 * far_odd + f


LINES: dict[int, tuple[Line, Line, Line]] = {2: (_input_2, _weight_2, _output_2), 4: (_input_4, _weight_4, _output_4)}
"""Transforms of inputs, weights and outputs, by the results of a tile's side."""


def squared(line: Line, square: Sequence[Sequence[Expr]]) -> tuple[tuple[Expr, ...], ...]:
    """A transform applied to the columns of a square, then to its rows."""
    columns = [line(*column) for column in zip(*square, strict=True)]
    return tuple(line(*row) for row in zip(*columns, strict=True))


@dataclass(frozen=True)
class Convolution:
    """y[n, c, h, w] = sum of x[n, i, h + p - top, w + q - left] * weight[c, i, p, q], with nine taps (p, q), then `epilogues`."""

    y: Access
    x: Access
    weight: Access
    top: int
    left: int
    epilogues: tuple[Formula, ...]

    @property
    def channels(self) -> int:
        """Of the input."""
        return _extent(self.weight.indices[1])

    @property
    def filters(self) -> int:
        """Channels of the result."""
        return _extent(self.weight.indices[0])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result."""
        return _extent(self.y.indices[2]), _extent(self.y.indices[3])


def _extent(index: Affine) -> int:
    assert index.single is not None
    assert isinstance(index.single.extent, int)
    return index.single.extent


def as_convolution(op: Op) -> Convolution | None:
    """The convolution that an op is, where it is one of 3x3 taps side by side, without groups, followed by pointwise formulas alone."""
    first, *rest = op.formulas
    if first.factors is None or len(op.outputs) != 1 or any(index.single is None for index in first.out.indices):
        return None
    previous = first
    for formula in rest:
        if formula.combine != "none" or previous.out.tensor not in formula.reads or formula.out.indices != first.out.indices:
            return None
        previous = formula
    for x, weight in (first.factors, first.factors[::-1]):
        found = _window(first.out, x, weight)
        if found is not None and all(access.view is None for access in (*first.accesses, previous.out)):
            return Convolution(previous.out, x, weight, *found, tuple(rest))
    return None


def _window(out: Access, x: Access, weight: Access) -> tuple[int, int] | None:
    """How far a 3x3 window begins above and left of its result; None where the three tensors are not those of a convolution."""
    if not len(out.indices) == len(x.indices) == len(weight.indices) == 4:
        return None
    n, c, *place = (index.single for index in out.indices)
    i, taps = weight.indices[1].single, [index.single for index in weight.indices[2:]]
    if weight.indices[0].single != c or x.indices[0].single != n or i is None or x.indices[1].single != i or i in (n, c):
        return None
    if n is None or not isinstance(n.extent, str):
        return None
    before: list[int] = []
    for index, pixel, tap in zip(x.indices[2:], place, taps, strict=True):
        if pixel is None or tap is None or tap.extent != KERNEL or set(index.terms) != {(pixel, 1), (tap, 1)}:
            return None
        before.append(-index.constant)
    return before[0], before[1]


Choose = Callable[[Convolution], int | None]
"""The side of a tile for a convolution; None: the direct way."""


@dataclass(frozen=True)
class Winograd:
    """Replace the convolutions for which it is thought to be faster, in programs for up to `batch` images that change no weights."""

    batch: int
    choose: Choose | None = None

    def __call__(self, graph: Graph) -> Graph:
        """The graph with transforms and products of tiles where `choose` names a tile's side."""
        weights = {weight.name for weight in graph.weights}
        ops: list[Op] = []
        for op in graph.ops:
            found = as_convolution(op)
            side = None if found is None or found.weight.tensor not in weights else self._side(found)
            ops += [op] if found is None or side is None else _Tiles(op, found, side).ops()
        return graph if tuple(ops) == graph.nodes else replace(graph, nodes=tuple(ops))

    def _side(self, convolution: Convolution) -> int | None:
        return self.choose(convolution) if self.choose else cheapest(convolution, self.batch)


FEWEST = 1e8
"""Products per image from which a convolution is worth its transforms."""
LOADED = 25
"""What a weight costs to be read once, in products."""
MOVED, MOVED_FAR, NEAR = 12, 60, 4 << 20
"""What an element of V or M costs to be written and read again, in products: where those of an image take up to NEAR bytes, and beyond."""
WORTH = 0.85
"""Tiles must be thought to cost less than this share of the direct way."""


def cheapest(convolution: Convolution, batch: int) -> int | None:
    """The tile's side that is thought to be fastest. Numbers of products per pair of channels; what a machine does in the time of a product
    was measured on two, and rounded against tiles.
    """
    (height, width), channels, filters = convolution.size, convolution.channels, convolution.filters
    if KERNEL * KERNEL * height * width * channels * filters < FEWEST:
        return None
    best, least = None, WORTH * KERNEL * KERNEL * (batch * height * width + LOADED)
    for side in LINES:
        tiles, points = -(-height // side) * -(-width // side), (side + KERNEL - 1) ** 2
        moved = MOVED if 4 * tiles * points * (channels + filters) <= NEAR else MOVED_FAR
        cost = points * (batch * tiles * (1 + moved * (1 / channels + 1 / filters)) + LOADED)
        if cost < least:
            best, least = side, cost
    return best


class _Tiles:
    """The formulas of one convolution by tiles of side x side results."""

    def __init__(self, op: Op, convolution: Convolution, side: int) -> None:
        self.op, self.convolution, self.side = op, convolution, side
        self.window = side + KERNEL - 1
        self.down, self.across = (-(-size // side) for size in convolution.size)
        self.n, self.c = (index.axes[0] for index in convolution.y.indices[:2])
        self.i = convolution.weight.indices[1].axes[0]
        self.th, self.tw = Axis("th", self.down), Axis("tw", self.across)
        self.of_input, self.of_weight, self.of_output = LINES[side]
        self.u, self.v, self.m = (Tensor(f"{op.name}/{name}") for name in ("kernels", "windows", "products"))

    def ops(self) -> list[Op]:
        """Transforms, products, and the transform back, in order."""
        found, points = self.convolution, (self.window, self.window)
        a, b = Axis("a", self.window), Axis("b", self.window)
        n, c, i, th, tw = self.n, self.c, self.i, self.th, self.tw
        products = total(self.m[self._at(n, c, th, a, b, tw)], self.v[self._at(n, i, th, a, b, tw)] * self.u[a, b, c, i])
        return [
            self._op(self.u, tuple(self._kernels()), (*points, found.filters, found.channels)),
            self._op(self.v, tuple(self._windows()), self._at(N, found.channels, self.down, *points, self.across)),
            self._op(self.m, (products,), self._at(N, found.filters, self.down, *points, self.across)),
            Op(self.op.name, tuple(self._results()), self.op.outputs, self.op.origin),
        ]

    def _at(self, n: T, c: T, th: T, a: T, b: T, tw: T) -> tuple[T, ...]:
        """In V and M rows of tiles lie point by point; where they are too short to fill a register tile, all tiles of an image do."""
        return (n, c, th, a, b, tw) if self.across >= LONG_ROW else (n, c, a, b, th, tw)

    def _op(self, tensor: Tensor, formulas: tuple[Formula, ...], shape: tuple[int | str, ...]) -> Op:
        return Op(tensor.name, formulas, (Value(tensor.name, TensorType(shape)),), self.op.origin)

    def _kernels(self) -> Iterator[Formula]:
        weight, taps = self.convolution.weight, range(KERNEL)
        read = [[replace(weight, indices=(*weight.indices[:2], affine(p), affine(q))) for q in taps] for p in taps]
        for a, row in enumerate(squared(self.of_weight, read)):
            for b, value in enumerate(row):
                yield each(self.u[a, b, self.c, self.i], value)

    def _windows(self) -> Iterator[Formula]:
        found, side = self.convolution, range(self.window)
        x, (down, across) = found.x, (self.th * self.side - found.top, self.tw * self.side - found.left)
        edge = found.x if found.x.outside == "zero" or self._even() else replace(found.x, outside="zero")
        read = [[replace(edge, indices=(*x.indices[:2], down + p, across + q)) for q in side] for p in side]
        for a, row in enumerate(squared(self.of_input, read)):
            for b, value in enumerate(row):
                yield each(self.v[self._at(self.n, self.i, self.th, a, b, self.tw)], value)

    def _even(self) -> bool:
        return all(size % self.side == 0 for size in self.convolution.size)

    def _results(self) -> Iterator[Formula]:
        """Every result of all whole tiles, then of those that hang over the edges."""
        side = range(self.window)
        for th, rows in self._parts(self.th, self.convolution.size[0]):
            for tw, columns in self._parts(self.tw, self.convolution.size[1]):
                read = [[self.m[self._at(self.n, self.c, th, a, b, tw)] for b in side] for a in side]
                values = squared(self.of_output, read)
                for r in range(rows):
                    for s in range(columns):
                        yield self._result(values[r][s], th * self.side + r, tw * self.side + s)

    def _parts(self, axis: Axis, size: int) -> Iterator[tuple[Affine, int]]:
        """The tiles along one side, and how many results each has: the whole ones, then the last one, where there is less of it."""
        whole, rest = divmod(size, self.side)
        if whole:
            yield affine(replace(axis, extent=whole)), self.side
        if rest:
            yield affine(whole), rest

    def _result(self, value: Expr, h: Affine, w: Affine) -> Formula:
        """One result of every tile, with all that follows it."""
        found = self.convolution
        places = {found.y.indices[2].axes[0]: h, found.y.indices[3].axes[0]: w}
        inner = self.op.formulas[0].out.tensor
        for epilogue in found.epilogues:
            value = transform(epilogue.substitute(places).body, _with(inner, value))
            inner = epilogue.out.tensor
        return each(replace(found.y, indices=(*found.y.indices[:2], h, w)), value)


def _with(tensor: str, value: Expr) -> Callable[[Expr], Expr]:
    return lambda leaf: value if isinstance(leaf, Access) and leaf.tensor == tensor else leaf
