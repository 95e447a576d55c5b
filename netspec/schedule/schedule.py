"""Graph x Target -> Program: layouts, chains, loops, memory, in this order.

Where a net is small and each image is independent until sums over the batch are formed, threads take blocks of images through the whole net
(`apart`): activations then stay in a thread's cache. Sums over the batch are formed in parts, one for each group of blocks, and added up in
order behind; how many parts there are depends on the batch alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from netspec.graph.graph import Graph
from netspec.kernels.affine import Axis, Extent, N, affine, size_of
from netspec.kernels.formula import Formula, each, total
from netspec.kernels.scalar import SCALARS, Access, Expr, transform
from netspec.schedule import counts
from netspec.schedule.chunks import in_chunks
from netspec.schedule.layout import Layout, Order, arrange, assign, contraction_order, in_blocks
from netspec.schedule.memory import SLACK, Piece, aligned, lifetimes, place
from netspec.schedule.nest import FLOAT, Chain, Surroundings, build
from netspec.schedule.program import WORTH_SHARING, Buffer, Count, Launch, Mode, Program, Segment, Size, Space
from netspec.schedule.staging import stage
from netspec.schedule.steps import Step, joined, steps_of, sums_batch, uses_scalars
from netspec.schedule.targets import Target
from netspec.schedule.tiling import choose, tile_nest

PARTS = 8
"""Sums over the batch are formed in at most so many parts."""
SMALL = 5e7
"""Of graphs of fewer multiplications per image, every layout is tried."""
CALL = 300
"""Cycles to start a launch."""


def schedule(graph: Graph, target: Target, batch: int, order: Order | None = None) -> Program:
    """A program that runs up to `batch` images. `order` overrides the choice of layout: of a small graph, the one thought to take fewer
    cycles.
    """
    small = sum(formula.multiplications() for op in graph.ops for formula in op.formulas) < SMALL
    orders: tuple[Order, ...] = (order,) if order else ("channels", "images") if small else ("channels",)
    return min((_Scheduler(graph, target, batch, item).program() for item in orders), key=cycles)


def cycles(program: Program) -> float:
    """The cycles that a program is thought to take with two threads."""
    total = 0.0
    for segment in program.segments:
        if segment.mode == "apart":
            blocks = -(-program.batch // program.target.lanes)
            total += -(-blocks // 2) * sum(CALL + launch.work for launch in segment.launches)
        else:
            times = program.batch if segment.mode == "by_image" else 1
            total += times * sum(
                CALL + (WORTH_SHARING / 2 + launch.work / 2 if launch.shared else launch.work) for launch in segment.launches
            )
    return total


def images_alone(moved: Sequence[tuple[int, int] | None], batch: int, cache: int) -> int:
    """How many of the first steps take one image after the other: what they hand on then stays in the cache, but weights are read again.

    `moved`: bytes of each step per image and for all images, None where it must see all images.
    """
    if batch == 1:
        return 0
    best, least = 0, 0
    saved = weights = 0
    for number, step in enumerate(moved, 1):
        if step is None:
            break
        image, shared = step
        weights += shared
        saved -= image * batch if image * batch > cache else 0
        again = weights * (batch - 1) if weights > cache else 0
        if saved + again < least:
            best, least = number, saved + again
    return best


class _Scheduler:
    def __init__(self, graph: Graph, target: Target, batch: int, order: Order) -> None:
        self.source, self.target, self.batch, self.order = graph, target, batch, order
        self.graph, self.external = stage(graph, order)
        self.layouts = assign(self.graph, order, target.lanes, self.external)
        self.steps = joined(steps_of(self.graph))
        self.alias = self._aliases()
        self.scalars = tuple(SCALARS)
        self.constants: dict[float, int] = {}
        self.parted: dict[str, int] = {}
        self.part_stride = 0
        self.parts = min(PARTS, -(-batch // target.lanes))
        self.apart = order == "images" and self._independent()
        self._only_in: dict[str, Mode] = {}

    # ── which steps run where ────────────────────────────────────────────────────────────────────

    def _batched(self, name: str) -> bool:
        return self.layouts[name].batched

    def _independent(self) -> bool:
        """Whether nothing of an image depends on a sum over the batch."""
        after: set[str] = set()
        for step in self.steps:
            tainted = bool(after & set(step.reads))
            if tainted and self._batched(step.writes[0]):
                return False
            if tainted or sums_batch(step):
                after |= set(step.writes)
        return True

    def _aliases(self) -> dict[str, str]:
        """The next value of a weight is written over it."""
        return {value: weight for weight, value in self.graph.updates}

    def program(self) -> Program:
        """The whole."""
        before: list[Step] = []
        middle: list[Step] = []
        after: list[Step] = []
        constant = {weight.name for weight in self.graph.weights} if not self.graph.updates else set[str]()
        load: list[Step] = []
        for step in self.steps:
            if self._is_constant(step, constant):
                load.append(step)
                constant |= set(step.writes)
            elif not self.apart:
                after += self._by_image(step)
            elif self._batched(step.writes[0]):
                middle.append(step)
            elif sums_batch(step):
                partial, combine = self._in_parts(step)
                middle.append(partial)
                after.append(combine)
            elif any(name in self._written(after) or name in self._written(middle) for name in step.reads):
                after.append(step)
            else:
                before.append(step)
        load, before, middle, after = (self._relaid(steps) for steps in (load, before, middle, after))
        for steps in (before, middle, after):  # copies of weights that do not change
            moved = [step for step in steps if self._is_constant(step, constant)]
            load += moved
            steps[:] = [step for step in steps if step not in moved]
        single = images_alone([self._bytes(step) for step in after], self.batch, self.target.l2) if self.order == "channels" else 0
        segments: list[tuple[Mode, list[Step]]] = [
            ("together", before), ("apart", middle), ("by_image", after[:single]), ("together", after[single:])
        ]  # fmt: skip
        pieces: list[tuple[Mode, list[Step]]] = [(mode, steps) for mode, steps in segments if steps]
        buffers, spaces = self._memory(load, pieces)
        made = tuple(self._segment(mode, steps, buffers) for mode, steps in pieces)
        return Program(
            self.source.name, self.target, self.batch, self.order, buffers, made, dict(self.layouts), self.scalars, spaces,
            self.part_stride, (self._segment("together", load, buffers),) if load else (), tuple(self.constants),
        )  # fmt: skip

    def _bytes(self, step: Step) -> tuple[int, int] | None:
        """Bytes that a step moves per image and for all of them; None where it cannot take one image after the other."""
        if sums_batch(step) or not all(self._batched(name) for name in step.writes):
            return None
        sizes = [(self.layouts[name].batched, FLOAT * self.layouts[name].size) for name in (*step.writes, *step.reads)]
        return sum(size for batched, size in sizes if batched), sum(size for batched, size in sizes if not batched)

    def _is_constant(self, step: Step, constant: set[str]) -> bool:
        """Whether a step depends on weights alone, in a program that changes none."""
        return bool(step.reads) and set(step.reads) <= constant and not any(uses_scalars(formula.body) for formula in step.chain.formulas)

    def _segment(self, mode: Mode, steps: list[Step], buffers: Mapping[str, Buffer]) -> Segment:
        parts = (self.parts if self.parted else 0) if mode == "apart" else 1
        inside = frozenset(name for step in steps for name in (*step.writes, *step.reads) if self._only_in.get(name) == mode)
        around = self._surroundings(mode, inside)
        return Segment(mode, tuple(self._launch(step, around) for step in steps), parts)

    def _written(self, steps: list[Step]) -> set[str]:
        return {name for step in steps for name in step.writes}

    def _by_image(self, step: Step) -> list[Step]:
        """A sum over batch and pixels as one over the pixels of each image, and one over the images: many tasks, and small rounding
        errors.
        """
        formula, name = step.chain.formula, f"{step.chain.formula.out.tensor}/images"
        n = next((axis for axis in formula.reduced if isinstance(axis.extent, str)), None)
        if n is None or formula.combine != "sum" or formula.factors is not None or len(formula.reduced) == 1:
            return [step]
        dims = (N, *(formula.out.view or self.layouts[formula.out.tensor].dims))
        self.layouts[name] = arrange(dims, range(1, len(dims)), ((0, 0),) * len(dims), self.target.lanes if self.order == "images" else 1)
        image = Access(name, (affine(n), *formula.out.indices))
        partial, whole = Chain(total(image, formula.body)), Chain(total(formula.out, image), step.chain.epilogues)
        return [Step(name, partial, step.origin), Step(step.name, whole, step.origin)]

    def _in_parts(self, step: Step) -> tuple[Step, Step]:
        """The sum over the batch as a sum into a part, and the sum of the parts, which the epilogues follow."""
        formula, name = step.chain.formula, step.chain.formula.out.tensor
        part, parts = f"{name}/part", f"{name}/parts"
        layout = self.layouts[name]
        self.layouts[part] = layout
        self.parted[part] = layout.size
        p = Axis("p", self.parts)
        dims = layout.dims if formula.out.view is None else formula.out.view
        self.layouts[parts] = Layout((self.parts, *dims), (0, *layout.view(formula.out.view)), layout.offset, layout.size)
        combined = total(formula.out, Access(parts, (affine(p), *formula.out.indices)))
        partial = replace(formula, out=replace(formula.out, tensor=part))
        return Step(part, Chain(partial), step.origin), Step(step.name, Chain(combined, step.chain.epilogues), step.origin)

    # ── other layouts of the same tensor ─────────────────────────────────────────────────────────

    def _relaid(self, steps: list[Step]) -> list[Step]:
        """Where a contraction would gather an operand along the lanes, a copy that lies right is made first, if that is cheaper."""
        result: list[Step] = []
        copies: dict[tuple[str, Layout], str] = {}
        for step in steps:
            copy = self._better_copy(step)
            if copy is None:
                result.append(step)
                continue
            access, layout = copy
            if (access.tensor, layout) not in copies:
                name = f"{access.tensor}/{1 + sum(tensor == access.tensor for tensor, _ in copies)}"
                copies[access.tensor, layout] = name
                self.layouts[name] = layout
                axes = tuple(Axis("n" if extent == N else f"i{k}", extent) for k, extent in enumerate(layout.dims))
                indices = tuple(affine(axis) for axis in axes)
                view = None if self.graph.shape(access.tensor) == layout.dims else layout.dims
                moved = each(Access(name, indices), Access(access.tensor, indices, view=view))
                result.append(Step(name, Chain(moved), step.origin))
            formula = _reading(step.chain.formula, access.tensor, copies[access.tensor, layout])
            result.append(Step(step.name, replace(step.chain, formula=formula), step.origin))
        return result

    def _better_copy(self, step: Step) -> tuple[Access, Layout] | None:
        factors = step.chain.formula.factors
        if factors is None:
            return None
        own = frozenset(name for name, layout in self.layouts.items() if layout.batched and name not in self.external)
        around = self._surroundings("apart" if self.apart else "together", own)
        best = choose(build(step.chain, around), self.target, self.batch).cost * 0.95
        found = None
        for access, other in (factors, factors[::-1]):
            for layout in self._other_layouts(step.chain.formula, access, other):
                trial = {**self.layouts, f"{access.tensor}/?": layout}
                formula = _reading(step.chain.formula, access.tensor, f"{access.tensor}/?")
                nest = build(replace(step.chain, formula=formula), replace(around, layouts=trial))
                copied = size_of(layout.dims, self.target.lanes if self.apart else self.batch)
                cost = choose(nest, self.target, self.batch).cost + 2.0 * copied
                if cost < best:
                    best, found = cost, (access, layout)
        return found

    def _other_layouts(self, formula: Formula, access: Access, other: Access) -> Iterator[Layout]:
        """Layouts with one of the result's dimensions innermost, where the tensor is read as it is: in its own dimensions, nothing beyond
        them.
        """
        layout = self.layouts[access.tensor]
        dims = access.view or self.graph.types[access.tensor].type.shape if access.tensor in self.graph.types else layout.dims
        inside = all(self._inside(index.range(), extent) for index, extent in zip(access.indices, dims, strict=True))
        if len(dims) != len(layout.dims) or not inside:
            return
        order = [k for k in contraction_order(formula, access, other, self.layouts) if not isinstance(dims[k], str)]
        for last in order:
            axes = access.indices[last].axes
            if axes and axes[0] in formula.kept and dims[last] != 1:
                moved = [k for k in order if k != last] + [last]
                found = arrange(layout.dims, moved, ((0, 0),) * len(dims))
                whole = self.order == "channels" and not layout.batched and access.indices[last].single is not None
                yield in_blocks(found, last, self.target.lanes) if whole else found

    @staticmethod
    def _inside(reach: tuple[int, int] | None, extent: Extent) -> bool:
        return reach is None or isinstance(extent, str) or (reach[0] >= 0 and reach[1] < extent)

    # ── memory ───────────────────────────────────────────────────────────────────────────────────

    def _surroundings(self, mode: Mode, inside: frozenset[str]) -> Surroundings:
        taken = {"together": 0, "by_image": 1, "apart": self.target.lanes}[mode]
        return Surroundings(
            self.layouts, self.target.lanes, self.order == "images", taken, inside, self.external, self.scalars,
            frozenset(self.parted), self.part_stride, self.constants,
        )  # fmt: skip

    def _size(self, name: str, mode: Mode) -> Size:
        """Floats of a tensor that is used in one mode only, or, with `together`, in any."""
        layout = self.layouts[name]
        if not layout.batched or mode == "by_image":
            return layout.size
        if layout.lanes > 1:
            return layout.size if mode == "apart" else Count(layout.size, unit=layout.lanes)
        return layout.size * self.target.lanes if mode == "apart" else Count(layout.size)

    def _memory(self, load: list[Step], segments: list[tuple[Mode, list[Step]]]) -> tuple[dict[str, Buffer], dict[Space, int]]:
        """Weights and results persist; of the rest, what lives at the same time lies apart."""
        inside = (*self.graph.weights, *self.graph.inputs)
        kept = [name for name in (*(item.name for item in inside), *self.graph.outputs) if name not in self.external]
        kept += [name for step in load for name in step.writes]
        lives = lifetimes(segments)
        outlast = {*kept, *self.external}
        self._only_in = {name: life.mode for name, life in lives.items() if life.mode != "together" and name not in outlast}
        buffers: dict[str, Buffer] = {}
        groups: dict[Space, list[Piece]] = {"persistent": [], "shared": [], "private": []}
        for name in dict.fromkeys((*kept, *lives)):
            if name in self.alias or name in self.parted or name.endswith("/parts"):
                continue
            mode: Mode = self._only_in.get(name, "together")
            size = self._size(name, mode)
            space: Space = "shared" if mode == "together" else "private"
            space = "external" if name in self.external else "persistent" if name in kept else space
            buffers[name] = Buffer(name, space, size)
            if space in groups:
                amount = size if isinstance(size, int) else size.resolve(self.batch)
                layout = self.layouts[name]
                form = (layout.dims, layout.strides, layout.border) if layout.bordered else None
                always = space == "persistent"
                groups[space].append(Piece(name, amount, 0 if always else lives[name].first, 1 if always else lives[name].last, form))
        spaces: dict[Space, int] = {}
        for space, pieces in groups.items():
            offsets, spaces[space] = place(pieces)
            for name, offset in offsets.items():
                buffers[name] = replace(buffers[name], offset=offset)
        self._place_parts(buffers, spaces)
        for value, weight in self.alias.items():
            buffers[value] = replace(buffers[weight], name=value)
        return buffers, spaces

    def _place_parts(self, buffers: dict[str, Buffer], spaces: dict[Space, int]) -> None:
        """All sums of a part lie together, so that whoever starts the part can clear them at once."""
        offset = 0
        for name, size in self.parted.items():
            for tensor in (name, f"{name}s"):
                buffers[tensor] = Buffer(tensor, "parts", size, offset)
            offset += aligned(size)
        stride = self.part_stride = offset
        for name in self.parted:
            layout = self.layouts[f"{name}s"]
            self.layouts[f"{name}s"] = replace(layout, strides=(stride, *layout.strides[1:]))
        spaces["parts"] = stride * self.parts + SLACK if self.parted else 0

    def _launch(self, step: Step, around: Surroundings) -> Launch:
        nest = in_chunks(build(step.chain, around), self.target, self.batch)
        made = tile_nest(step.name, step.origin, nest, self.target, self.batch)
        copies = dict.fromkeys(self.parted, self.parts)
        moved = counts.moved(step.chain, self.layouts, copies, self.batch)
        return replace(made, operations=counts.operations(step.chain, self.batch), moved=moved)


def _reading(formula: Formula, old: str, new: str) -> Formula:
    """The formula with one of its factors read from another tensor, in that tensor's own dimensions."""
    renamed = formula.rename(lambda name: new if name == old else name)
    out = replace(renamed.out, tensor=formula.out.tensor)

    def own(leaf: Expr) -> Expr:
        return replace(leaf, view=None) if isinstance(leaf, Access) and leaf.tensor == new else leaf

    return replace(renamed, out=out, body=transform(renamed.body, own))
