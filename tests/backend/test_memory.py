"""The memory plan: nothing that lives at the same time overlaps, nothing is touched beyond its end, and sharing changes no bit."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.graph.graph import Graph
from netspec.kernels.affine import N
from netspec.model import load
from netspec.runtime.executable import Executable
from netspec.schedule.layout import Layout, Order
from netspec.schedule.memory import ALIGN, SLACK, Piece, place
from netspec.schedule.program import Program, resolve
from netspec.schedule.schedule import schedule
from netspec.schedule.targets import TARGETS
from tests.backend.compiled import ORDERS, THREADS, execute, optimised
from tests.backend.nets import random_net
from tests.backend.reach import outside
from tests.backend.steps import SCALARS, tensors_of, with_gradients

PIECES = st.lists(
    st.tuples(st.integers(1, 300), st.integers(0, 20), st.integers(0, 8), st.sampled_from([None, None, "a", "b"])), max_size=25
).map(
    lambda items: [
        Piece(f"piece{k}", 77 if form else size, first, first + length, form) for k, (size, first, length, form) in enumerate(items)
    ]
)


def overlap(a: Piece, b: Piece, at: Mapping[str, int]) -> bool:
    return at[a.name] < at[b.name] + b.size and at[b.name] < at[a.name] + a.size


@given(PIECES)
def test_pieces_alive_together_lie_apart(pieces: list[Piece]) -> None:
    at, size = place(pieces)
    assert set(at) == {piece.name for piece in pieces}
    assert all(at[piece.name] % ALIGN == 0 and at[piece.name] + piece.size + SLACK <= size for piece in pieces)
    for a, b in combinations(pieces, 2):
        if overlap(a, b, at):
            assert a.last < b.first or b.last < a.first, f"{a} and {b} live together"
            assert a.form == b.form, "what has a border shares with its like alone: others would write over the zeros"
            assert a.form is None or at[a.name] == at[b.name]


def test_a_piece_behind_another_in_time_takes_its_place() -> None:
    at, size = place([Piece("a", 100, 0, 1), Piece("b", 60, 1, 2), Piece("c", 90, 2, 3)])
    assert at == {"a": 0, "b": 128, "c": 0}
    assert size == 192 + SLACK


def lifetimes(program: Program) -> dict[str, tuple[int, int]]:
    """First and last launch that touches each buffer."""
    found: dict[str, tuple[int, int]] = {}
    for clock, launch in enumerate(launch for segment in program.segments for launch in segment.launches):
        for operand in launch.operands:
            if operand.buffer in program.buffers:
                found[operand.buffer] = found.get(operand.buffer, (clock, clock))[0], clock
    return found


def scheduled(seed: int, order: Order) -> Program:
    return schedule(optimised(with_gradients(random_net(seed))), TARGETS["avx512"], 32, order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(9))
def test_a_programs_buffers_do_not_meet(seed: int, order: Order) -> None:
    program = scheduled(seed, order)
    lived = lifetimes(program)
    for space in ("shared", "private"):
        own = [buffer for name, buffer in program.buffers.items() if buffer.space == space and name in lived]
        pieces = [Piece(item.name, resolve(item.size, program.batch), *lived[item.name]) for item in own]
        at = {item.name: resolve(item.offset, program.batch) for item in own}
        for a, b in combinations(pieces, 2):
            assert not overlap(a, b, at) or a.last < b.first or b.last < a.first, f"{a} and {b} live together"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(9))
def test_no_launch_leaves_its_tensors(seed: int, order: Order) -> None:
    program = scheduled(seed, order)
    for images in (1, 5, 17, 32):
        assert not list(outside(program, images))


def test_tiles_wider_than_the_room_behind_a_tensor_end_with_it() -> None:
    net = load("net A { input x[17, 12, 5]; conv(1, 3x3, pad=half) -> conv(6, 1x1) -> flatten -> dense(5) }").graph
    program = schedule(optimised(with_gradients(net)), TARGETS["avx512"], 32, "images")
    assert any(16 * launch.tile.vectors > ALIGN for launch in program.launches)
    assert not list(outside(program, 17))


CASES = pytest.mark.parametrize(("seed", "order"), [(1, "channels"), (5, "images"), (3, "images")], ids=["residual", "lanes", "apart"])
"""A net with batch norm in both layouts, and one whose images threads take apart."""


def results(exe: Executable, graph: Graph, seed: int, images: int) -> dict[str, bytes]:
    tensors = tensors_of(random_net(seed, wide=False), images)
    return {name: value.tobytes() for name, value in execute(exe, graph, tensors, images, SCALARS).items()}


@CASES
@pytest.mark.parametrize("poison", [np.nan, 1e30])
def test_what_an_arena_held_before_changes_no_bit(seed: int, order: Order, poison: float) -> None:
    graph = optimised(with_gradients(random_net(seed, wide=False)))
    program = schedule(graph, TARGETS["avx512"], 32, order)
    clean = {images: results(Executable(program, THREADS), graph, seed, images) for images in (17, 5)}
    exe = Executable(program, THREADS)
    for images in (17, 5):
        spoil(exe, poison)
        assert results(exe, graph, seed, images) == clean[images]


def spoil(exe: Executable, value: float) -> None:
    """Fill the memory that the plan may reuse; borders are written once and stay."""
    bordered = [
        (buffer.space, resolve(buffer.offset, exe.program.batch), resolve(buffer.size, exe.program.batch))
        for name, buffer in exe.program.buffers.items()
        if isinstance(layout := exe.program.layouts[name], Layout) and layout.bordered
    ]
    for space in ("shared", "private"):
        kept = np.zeros(len(exe.arenas[space]), bool)
        copies = range(THREADS) if space == "private" else (0,)
        for _, offset, size in (item for item in bordered if item[0] == space):
            for copy in copies:
                start = offset + copy * exe.private_bytes // 4
                kept[start : start + size] = True
        exe.arenas[space][~kept] = value


@CASES
def test_borders_stay_zero(seed: int, order: Order) -> None:
    """Batches of all sizes run through one program; around every tensor with a border there are zeros in the end."""
    graph = optimised(with_gradients(random_net(seed, wide=False)))
    exe = Executable(schedule(graph, TARGETS["avx512"], 32, order), THREADS)
    for images in (32, 1, 17, 5):
        results(exe, graph, seed, images)
    checked = 0
    for name, layout in exe.program.layouts.items():
        buffer = exe.program.buffers.get(name)
        if buffer is None or buffer.space not in {"shared", "private"} or not isinstance(layout, Layout) or not layout.bordered:
            continue
        start, size = resolve(buffer.offset, 32), resolve(buffer.size, 32)
        assert start % ALIGN == 0
        memory = exe.arenas[buffer.space][start : start + size].reshape(-1, layout.size)
        inside = np.zeros(layout.size, bool)
        inside[interior(layout)] = True
        assert not memory[:, ~inside].any(), name
        checked += 1
    assert checked


def interior(layout: Layout) -> np.ndarray:
    """The places, within an image or a block of them, that are no border."""
    at = np.full(1, layout.offset)
    for extent, stride in zip(layout.dims, layout.strides, strict=True):
        steps = layout.lanes if extent == N else int(extent)
        at = (at[:, None] + np.arange(steps) * (1 if extent == N else stride)).ravel()
    return at
