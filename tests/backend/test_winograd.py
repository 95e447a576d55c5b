"""Convolutions by Winograd's tiles: exact in float64, within their bound in float32, chosen where they pay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netspec.compiler import inference_graph
from netspec.graph.graph import Graph
from netspec.kernels.scalar import Constant
from netspec.model import load
from netspec.passes import run
from netspec.passes.winograd import LINES, Winograd, as_convolution, cheapest, squared
from netspec.runtime import reference
from netspec.schedule.layout import Order
from netspec.schedule.program import At
from tests.backend.compiled import Tensors, compiled, execute, single
from tests.backend.nets import Builder
from tests.backend.steps import tensors_of
from tests.tolerances import error

BOUND = 1e-4
"""Of the largest element, in float32; what the direct way keeps is in tests.tolerances."""
IMAGES = (17, 1, 5)


def numbers(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[list[Constant]]:
    return [[Constant(float(value)) for value in row] for row in values]


def folded(rows: tuple[tuple[Any, ...], ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Transforms of numbers are numbers: expressions of constants fold."""
    return np.array([[item.value for item in row] for row in rows])


@pytest.mark.parametrize("side", LINES)
def test_transforms_are_exact(side: int) -> None:
    random, window = np.random.default_rng(side), side + 2
    x, weight = random.standard_normal((window, window)), random.standard_normal((3, 3))
    of_input, of_weight, of_output = LINES[side]
    products = folded(squared(of_input, numbers(x))) * folded(squared(of_weight, numbers(weight)))
    direct = [[(x[h : h + 3, w : w + 3] * weight).sum() for w in range(side)] for h in range(side)]
    np.testing.assert_allclose(folded(squared(of_output, numbers(products))), direct, rtol=0, atol=1e-12)


def tiled(graph: Graph, side: int) -> Graph:
    after = run(graph, (Winograd(1, lambda _: side),))
    assert sum(as_convolution(op) is not None for op in after.ops) == 0
    return after


def block(arguments: dict[str, object], shape: tuple[int, int, int]) -> Graph:
    """A convolution with what a net puts behind it: batch norm, relu; then another one and a shortcut around it."""
    net = Builder(shape)
    x = net.add("relu", net.add("bn", net.add("conv", "image", k=3, **arguments)))
    y = net.add("conv", x, c=net.shapes[x][0], k=3, pad=1, bias=False)
    net.add("tanh", net.add("add", y, x))
    return net.graph("block")


CASES = [
    pytest.param({"c": 32, "pad": 1}, (16, 8, 12), id="even"),
    pytest.param({"c": 17, "pad": "half"}, (3, 7, 9), id="odd"),
    pytest.param({"c": 5}, (1, 6, 5), id="no border"),
    pytest.param({"c": 33, "pad": ((0, 1), (2, 0))}, (17, 9, 8), id="uneven border"),
    pytest.param({"c": 4, "pad": "same", "bias": False}, (4, 2, 3), id="less than a tile"),
    pytest.param({"c": 16, "pad": 2}, (8, 13, 30), id="a wide border and long rows"),
]


def check(graph: Graph, side: int, order: Order, target: str = "avx512", images: tuple[int, ...] = IMAGES) -> None:
    lean = inference_graph(graph)
    replaced, tensors = tiled(lean, side), single(tensors_of(graph, max(images)))
    exe = compiled(replaced, order, max(images), target)
    (output,) = graph.outputs
    for count in images:
        part: Tensors = {name: value[:count] if name == "image" else value for name, value in tensors.items()}
        expected = reference.run(lean, part)[output]
        assert error(reference.run(replaced, part)[output], expected) < 1e-12
        assert error(execute(exe, replaced, part, count)[output], expected) < BOUND


@pytest.mark.parametrize("side", LINES)
@pytest.mark.parametrize(("arguments", "shape"), CASES)
def test_blocks(arguments: dict[str, object], shape: tuple[int, int, int], side: int) -> None:
    check(block(arguments, shape), side, "channels")


@pytest.mark.parametrize("target", ["avx2", "plain"])
def test_other_targets(target: str) -> None:
    check(block({"c": 9, "pad": 1}, (7, 9, 6)), 4, "channels", target)


def test_images_in_lanes() -> None:
    check(block({"c": 3, "pad": 1}, (2, 7, 5)), 4, "images")


def test_image_by_image() -> None:
    """Batches too large for the cache: windows and products of an image stay in a thread's own memory."""
    net = Builder((16, 40, 40))
    x = net.add("relu", net.add("conv", "image", c=32, k=3, pad=1))
    net.add("dense", net.add("gap", net.add("relu", net.add("conv", x, c=32, k=3, pad=1))), units=5)
    graph = net.graph("pictures")
    exe = compiled(tiled(inference_graph(graph), 4), "channels", 17)
    assert exe.program.segments[0].mode == "by_image"
    check(graph, 4, "channels")


def test_results_of_a_tile_share_a_launch() -> None:
    """36 transformed numbers and 16 results are written by one launch each, from addresses that no tile has more than a few of."""
    graph = tiled(inference_graph(block({"c": 16, "pad": 1}, (16, 8, 8))), 4)
    program = compiled(graph, "channels", 1).program
    several = [launch for segment in program.segments for launch in segment.launches if len(launch.tile.results) > 1]
    assert [len(launch.tile.results) for launch in several] == [36, 16, 36, 16]
    assert all(isinstance(place, At) for launch in several for place, _ in launch.tile.results)
    assert max(len(launch.operands) for launch in several) < 10
    (load,) = program.load
    assert {len(launch.tile.results) for launch in load.launches} >= {36}


@pytest.mark.parametrize(
    "arguments",
    [{"k": 3, "stride": 2}, {"k": 3, "dilation": 2}, {"k": 5}, {"k": (3, 1)}, {"k": 3, "groups": 2}, {"k": 1}],
    ids=lambda arguments: ",".join(f"{name}={value}" for name, value in arguments.items()),
)
def test_other_convolutions_stay(arguments: dict[str, object]) -> None:
    net = Builder((4, 9, 9))
    net.add("relu", net.add("conv", "image", c=4, **arguments))
    graph = inference_graph(net.graph("other"))
    assert run(graph, (Winograd(1, lambda _: 4),)) is graph


@pytest.mark.parametrize(
    ("batch", "shape", "filters", "side"),
    [
        (1, (64, 56, 56), 64, 4),
        (1, (128, 112, 112), 128, 4),
        (8, (256, 28, 28), 256, 4),
        (1, (512, 14, 14), 512, 2),
        (8, (512, 14, 14), 512, 4),
        (1, (512, 7, 7), 512, None),
        (1, (3, 224, 224), 64, None),
        (64, (16, 32, 32), 16, None),
    ],
)
def test_choices(batch: int, shape: tuple[int, int, int], filters: int, side: int | None) -> None:
    net = Builder(shape)
    net.add("conv", "image", c=filters, k=3, pad=1)
    (op,) = inference_graph(net.graph("one")).ops
    found = as_convolution(op)
    assert found is not None
    assert cheapest(found, batch) == side


SPEC = "net Large {\n  input image [64, 56, 56]\n  conv(64, 3x3, pad=1) -> relu -> gap -> dense(3)\n}\n"


def test_a_user_can_opt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETSPEC_WINOGRAD", raising=False)
    model = load(SPEC)

    def products(**options: bool) -> bool:
        net = model.compile(batch=1, threads=1, target="avx512", **options)
        return any(name.endswith("/products") for name in net.executable("infer").program.buffers)

    assert products()
    assert not products(winograd=False)
    monkeypatch.setenv("NETSPEC_WINOGRAD", "no")
    assert not products()
