"""From a chain of formulas to loops with strides: the common form that every kernel is made of.

A chain is a formula and the pointwise formulas that follow in registers. Its axes become dimensions of a nest, each with the distance that
every operand moves per step; neighbours in memory are merged. What a contraction, a pooling or an activation is, shows in the strides
alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from netspec.kernels.affine import Affine, Axis
from netspec.kernels.formula import Formula
from netspec.kernels.scalar import Access, AxisIndex, Call, Constant, Expr, Random, RuntimeScalar, accesses, transform
from netspec.schedule.layout import Layout
from netspec.schedule.program import At, Count, Kind, Place, Reduced, ReducedAt, Size, Slot, slot_of
from netspec.schedule.shifts import Shifted, families

FLOAT = 4
"""Bytes of an element."""
PLAIN = (0.0, 1.0, -1.0, 0.5, 2.0)
"""Numbers that a kernel may know. All others (a count of pixels, a rate) are operands, so that layers which differ in them share a
kernel.
"""


@dataclass(frozen=True, slots=True)
class Chain:
    """`formula`, then `epilogues`, each of which reads the one before it element by element. `others`: pointwise formulas beside it, over
    the same axes, that are evaluated with it.
    """

    formula: Formula
    epilogues: tuple[Formula, ...] = ()
    others: tuple[Formula, ...] = ()

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """All of them."""
        return self.formula, *self.epilogues, *self.others

    @property
    def out(self) -> Access:
        """What is stored in the end."""
        return self.epilogues[-1].out if self.epilogues else self.formula.out


@dataclass(frozen=True, slots=True)
class Dim:
    """A dimension of a nest: `strides` per operand, in bytes (of an index: in units). A `chunk` counts the parts of a sum."""

    name: str
    extent: Size
    kept: bool
    strides: tuple[int, ...]
    chunk: bool = False

    @property
    def inside(self) -> bool:
        """Whether it is summed within a tile."""
        return not self.kept and not self.chunk


@dataclass(frozen=True, slots=True)
class Source:
    """An operand before its place in the tile is decided. `size`: of its tensor, in floats, without the batch; `near`: bytes per step to
    those of its neighbours that are read or written, too.
    """

    what: str
    buffer: str | None = None
    offset: Size = 0
    block: int = 0
    part: int = 0
    stream: int = 0
    external: bool = False
    size: int = 0
    near: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Clip:
    """A reduced dimension that must stay where 0 <= position + step*dilation < size; `operand` holds the position."""

    dim: str
    operand: int
    dilation: int
    size: int


@dataclass(slots=True)
class Nest:
    """Operands, dimensions and expressions of a chain. Results come first among the operands."""

    sources: list[Source]
    dims: list[Dim]
    body: Expr | None
    results: list[tuple[Place, Expr]]
    position: int | None
    combine: str
    clips: list[Clip] = field(default_factory=list)

    def ends_with_batch(self, dim: Dim) -> bool:
        """Whether a dimension of images in lanes moves through memory of the user's, where nothing lies beyond the last image."""
        return dim.name.endswith(".lane") and any(item.external and step for item, step in zip(self.sources, dim.strides, strict=True))

    def may_overrun(self, dim: Dim | None) -> bool:
        """Whether whole vectors along a dimension may run beyond its end: results are written there from their first to their last element,
        in memory of our own, which has room behind every tensor; what is read lies side by side there, too.
        """
        if dim is None or not dim.kept or any(other.kept and other is not dim for other in self.dims):
            return False
        moving = [(source, step) for source, step in zip(self.sources, dim.strides, strict=True) if source.what == "memory" and step]
        beside = all(step == FLOAT and not source.external for source, step in moving)
        if any(isinstance(place, At) for place, _ in self.results):
            return False
        written = [self.sources[slot_of(place)] for place, _ in self.results]
        return beside and (isinstance(dim.extent, Count) or all(item.offset == 0 and item.size == dim.extent for item in written))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a nest is built in: layouts, the lanes of images; where so many images are `taken` at a time (0: all), which buffers are
    `private` to those.
    """

    layouts: Mapping[str, Layout]
    lanes: int
    images_in_lanes: bool
    taken: int = 0
    private: frozenset[str] = frozenset()
    external: frozenset[str] = frozenset()
    scalars: tuple[str, ...] = ()
    parted: frozenset[str] = frozenset()
    part_stride: int = 0
    constants: dict[float, int] = field(default_factory=dict[float, int])


def factors_of(nest: Nest) -> tuple[int, int] | None:
    """The operands whose products are summed, when the nest is a contraction."""
    match nest.combine, nest.body:
        case "sum", Call("mul", (Slot(a), Slot(b))) if a != b:
            return a, b
        case _:
            return None


def build(chain: Chain, around: Surroundings) -> Nest:
    """The nest of a chain, neighbouring dimensions merged."""
    builder = _Builder(chain, around)
    nest = builder.nest()
    fixed = {clip.dim for clip in nest.clips} | {dim.name for dim in nest.dims if nest.ends_with_batch(dim)}
    nest.dims = merge([dim for dim in nest.dims if dim.extent != 1], fixed)
    return nest


class _Builder:
    """Collects operands in order of appearance, equal ones once."""

    def __init__(self, chain: Chain, around: Surroundings) -> None:
        self.chain, self.around = chain, around
        self.sources: list[Source] = []
        self.indices: list[tuple[str, Affine | Access | None]] = []
        self.known: dict[Expr, int] = {}
        self.stored: dict[Access, int] = {}
        several = bool(chain.others)
        self.stores = [chain.out, *([chain.formula.argument] if chain.formula.argument else []), *(item.out for item in chain.others)]
        self.near_stores = families(self.stores) if several else {}
        self.near = families(read for item in chain.formulas for read in accesses(item.body)) if several else {}

    def nest(self) -> Nest:
        formula = self.chain.formula
        places = [self._store(access) for access in self.stores]
        body = self._slots(formula.body)
        value: Expr = body if formula.combine == "none" else Reduced()
        before = formula.out
        for epilogue in self.chain.epilogues:
            value = self._slots(epilogue.body, {before.tensor: value})
            before = epilogue.out
        if before.tensor in self.around.parted:  # parts add up over their blocks
            value = Slot(0) + value
        position = self._position(formula) if formula.argument else None
        values = [value, *([ReducedAt()] if formula.argument else []), *(self._slots(item.body) for item in self.chain.others)]
        results = list(zip(places, values, strict=True))
        clips = self._clips(formula)
        dims = [dim for axis in formula.axes for dim in self._dims(axis, axis in formula.kept)]
        return Nest(self.sources, dims, None if formula.combine == "none" else body, results, position, formula.combine, clips)

    def _slots(self, body: Expr, inner: Mapping[str, Expr] | None = None) -> Expr:
        def change(leaf: Expr) -> Expr:
            match leaf:
                case Access() if inner and leaf.tensor in inner:
                    return inner[leaf.tensor]
                case Constant(value) if value in PLAIN:
                    return leaf
                case Access() if leaf in self.near:
                    return self._near(self.near[leaf], self.known)
                case Access() | AxisIndex() | Random() | RuntimeScalar() | Constant():
                    return Slot(self.known[leaf] if leaf in self.known else self._add(leaf))
                case _:
                    return leaf

        return transform(body, change)

    def _store(self, access: Access) -> Place:
        """Results come first; the same tensor read in place is an operand of its own."""
        if access in self.near_stores:
            return self._near(self.near_stores[access], self.stored)
        number = self._add(access)
        del self.known[access]
        return number

    def _near(self, shifted: Shifted, known: dict[Access, int] | dict[Expr, int]) -> At:
        """An element that is reached from its family's base."""
        base = shifted.base
        if base not in known:
            number = self._add(base)
            strides = self.around.layouts[base.tensor].view(base.view)
            near = tuple(FLOAT * strides[k] for k in shifted.dimensions)
            self.sources[number] = replace(self.sources[number], near=near)
            self.known.pop(base, None)
            known[base] = number
        return At(known[base], shifted.counts)

    def _add(self, leaf: Expr) -> int:
        around, number = self.around, len(self.sources)
        match leaf:
            case Access():
                layout = around.layouts[leaf.tensor]
                strides = layout.view(leaf.view)
                offset = layout.offset + sum(index.constant * step for index, step in zip(leaf.indices, strides, strict=True))
                own = leaf.tensor in around.private
                block = 0 if own or not (around.taken and layout.batched) else strides[0] * (1 if layout.lanes > 1 else around.taken)
                part = around.part_stride if leaf.tensor in around.parted else 0
                external = leaf.tensor in around.external
                places = (offset * FLOAT, block * FLOAT, part * FLOAT)
                self.sources.append(Source("memory", leaf.tensor, *places, external=external, size=layout.size))
            case AxisIndex(index) | Random(_, index):
                stream = leaf.stream if isinstance(leaf, Random) else 0
                self.sources.append(
                    Source("random" if isinstance(leaf, Random) else "index", None, index.constant, self._block_index(index), stream=stream)
                )
            case Constant(value):
                place = around.constants.setdefault(value, len(around.constants))
                self.sources.append(Source("memory", "scalars", (len(around.scalars) + place) * FLOAT))
            case RuntimeScalar(name):
                self.sources.append(Source("memory", "scalars", around.scalars.index(name) * FLOAT))
            case _:
                raise AssertionError(leaf)
        self.indices.append(("memory" if isinstance(leaf, Access) else "index", _place(leaf)))
        self.known[leaf] = number
        return number

    def _block_index(self, index: Affine) -> int:
        """How far an index moves when the next images are taken."""
        return sum(factor * self.around.taken for axis, factor in index.terms if isinstance(axis.extent, str))

    def _position(self, formula: Formula) -> int:
        """The operand that counts the taps of a maximum, row-major."""
        index = Affine()
        for axis in formula.reduced:
            assert isinstance(axis.extent, int)
            index = index * axis.extent + axis
        return self._add(AxisIndex(index))

    def _clips(self, formula: Formula) -> list[Clip]:
        """The reduced axes that lead out of a tensor whose outside is minus infinity."""
        clips: list[Clip] = []
        leaves = [leaf for leaf in self.known if isinstance(leaf, Access) and leaf.outside == "-inf"]
        for leaf in leaves:
            for index, size in zip(leaf.indices, self.around.layouts[leaf.tensor].dims, strict=True):
                reach = index.range()
                if reach is None or isinstance(size, str) or (reach[0] >= 0 and reach[1] < size):
                    continue
                taps = [(axis, factor) for axis, factor in index.terms if axis in formula.reduced]
                assert len(taps) == 1, f"{leaf}: {index} leaves its tensor along no single reduced axis"
                tap, dilation = taps[0]
                start = Affine(tuple(term for term in index.terms if term[0] != tap), index.constant)
                clips.append(Clip(tap.name, self._add(AxisIndex(start)), dilation, size))
        return clips

    def _dims(self, axis: Axis, kept: bool) -> list[Dim]:
        """One dimension per axis; two where it runs through blocks: of channels, or of the images in lanes."""
        size = self._block_size(axis)
        moves = [self._moves(place, axis, size) for place in self.indices]
        inner = tuple(step for _, step in moves)
        outer = tuple(step for step, _ in moves)
        if isinstance(axis.extent, int):
            if size == 1:
                return [Dim(axis.name, axis.extent, kept, inner)]
            return [Dim(f"{axis.name}.block", axis.extent // size, kept, outer), Dim(f"{axis.name}.in", size, kept, inner)]
        if size == 1:
            return [Dim(axis.name, self.around.taken or Count(), kept, inner)]
        lanes = Dim(f"{axis.name}.lane", size, kept, inner)
        return [lanes] if self.around.taken else [Dim(f"{axis.name}.block", Count(unit=size), kept, outer), lanes]

    def _block_size(self, axis: Axis) -> int:
        """How many steps of an axis make a block; 1 where it is not blocked."""
        if isinstance(axis.extent, str):
            return self.around.lanes if self.around.images_in_lanes else 1
        accesses = [place for _, place in self.indices if isinstance(place, Access)]
        blocks = [self.around.layouts[access.tensor].block_along(access, axis) for access in accesses]
        sizes = {block.size for block in blocks if block is not None} or {1}
        assert len(sizes) == 1, f"{axis} runs through blocks of {sizes}"
        return sizes.pop()

    def _moves(self, place: tuple[str, Affine | Access | None], axis: Axis, size: int) -> tuple[int, int]:
        """How far an operand moves per block of `size` steps of an axis, and per step."""
        match place[1]:
            case Affine() as index:
                step = index.coefficient(axis)
                return step * size, step
            case Access() as access:
                layout = self.around.layouts[access.tensor]
                step = FLOAT * sum(i.coefficient(axis) * s for i, s in zip(access.indices, layout.view(access.view), strict=True))
                if isinstance(axis.extent, str) and layout.lanes > 1:
                    return step, FLOAT if step else 0
                if block := layout.block_along(access, axis):
                    return FLOAT * block.stride, step
                return step * size, step
            case None:
                return 0, 0


def _place(leaf: Expr) -> Affine | Access | None:
    match leaf:
        case Access():
            return leaf
        case AxisIndex(index) | Random(_, index):
            return index
        case _:
            return None


def merge(dims: Sequence[Dim], fixed: set[str]) -> list[Dim]:
    """Merge pairs of which the outer one moves every operand as far as the whole inner one does."""
    result = list(dims)
    again = True
    while again:
        again = False
        for outer in result:
            inner = next((item for item in result if item is not outer and _mergeable(outer, item, fixed)), None)
            if inner is not None:
                assert isinstance(inner.extent, int)
                whole = outer.extent
                extent = whole * inner.extent if isinstance(whole, int) else replace(whole, times=whole.times * inner.extent)
                merged = Dim(f"{outer.name}{inner.name}".replace(".", ""), extent, outer.kept, inner.strides)
                result = [merged if item is outer else item for item in result if item is not inner]
                again = True
                break
    return result


def _mergeable(outer: Dim, inner: Dim, fixed: set[str]) -> bool:
    if outer.kept != inner.kept or not isinstance(inner.extent, int) or fixed & {outer.name, inner.name}:
        return False
    return all(a == b * inner.extent for a, b in zip(outer.strides, inner.strides, strict=True))


def kind_of(source: Source, lane: int, unit: int, rows: int, vectors: int) -> Kind:
    """How the tile reaches an operand, from how far lanes, rows and vectors move it."""
    what = "memory" if source.what == "memory" else "index" if source.what == "index" else "random"
    along = "same" if lane == 0 else "vector" if lane == unit else "strided"
    return Kind(what, along, rows != 0, vectors != 0, source.stream)
