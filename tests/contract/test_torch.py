"""PyTorch in float64 gives the same values, gradients and statistics, to 1e-8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle, product
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from harness import compare, probed, random_tensors

from netspec.graph.types import Shape
from netspec.layers import LAYERS
from netspec.layers.arguments import pair

pytestmark = pytest.mark.parity


def sides(pad: Any, size: tuple[int, int], k: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> list[int]:
    """left, right, top, bottom, as torch.nn.functional.pad takes them; the rules written out once more."""
    result: list[int] = []
    for axis in (1, 0):
        if pad == "half":
            result += [dilation[axis] * (k[axis] - 1) // 2] * 2
        elif pad == "same":
            count = -(-size[axis] // stride[axis])
            needed = max(0, (count - 1) * stride[axis] + dilation[axis] * (k[axis] - 1) + 1 - size[axis])
            result += [needed // 2, needed - needed // 2]
        else:
            side = pad if isinstance(pad, int) else pad[axis]
            result += [side, side] if isinstance(side, int) else list(side)
    return result


CONVOLUTIONS = product(
    (1, 3, (3, 2)),
    (1, 2, (3, 1)),
    (1, 2, (1, 3)),
    (0, 1, (1, 0), ((0, 2), (1, 0)), (1, (0, 2)), "half", "same"),
)


@pytest.mark.parametrize(
    ("k", "stride", "dilation", "pad", "groups"), [(*case, groups) for case, groups in zip(CONVOLUTIONS, cycle((1, 2, 4)), strict=False)]
)
def test_convolution(torch: ModuleType, k: Any, stride: Any, dilation: Any, pad: Any, groups: int) -> None:
    shape = (4, 9, 8)
    layer = LAYERS["conv"](c=8, k=k, stride=stride, dilation=dilation, pad=pad, groups=groups, bias=groups != 2)

    def twin(torch: ModuleType, t: Mapping[str, Any]) -> Any:
        padded = torch.nn.functional.pad(t["x"], sides(pad, shape[1:], pair(k), pair(stride), pair(dilation)))
        return torch.nn.functional.conv2d(padded, t["weight"], t.get("bias"), pair(stride), 0, pair(dilation), groups)

    compare(torch, layer, (shape,), twin)


@pytest.mark.parametrize("size", [(5, 5), (2, 7)])
def test_convolution_by_a_window_as_large_as_the_picture(torch: ModuleType, size: tuple[int, int]) -> None:
    layer = LAYERS["conv"](c=3, k=size)
    compare(torch, layer, ((2, *size),), lambda torch, t: torch.nn.functional.conv2d(t["x"], t["weight"], t["bias"]))


@pytest.mark.parametrize("pad", [0, 2, (0, 3), "half", "same"])
@pytest.mark.parametrize(("k", "stride", "dilation", "groups"), [(3, 1, 1, 1), (4, 2, 1, 2), (2, 3, 3, 4), (1, 2, 1, 1)])
def test_convolution_along_steps(torch: ModuleType, k: int, stride: int, dilation: int, groups: int, pad: Any) -> None:
    shape = (9, 4)
    layer = LAYERS["conv"](c=8, k=k, stride=stride, dilation=dilation, pad=pad, groups=groups)

    def twin(torch: ModuleType, t: Mapping[str, Any]) -> Any:
        along = pad if isinstance(pad, str) else (0, pad)
        padded = torch.nn.functional.pad(t["x"].mT, sides(along, (1, 9), (1, k), (1, stride), (1, dilation))[:2])
        return torch.nn.functional.conv1d(padded, t["weight"], t["bias"], stride, 0, dilation, groups).mT

    compare(torch, layer, (shape,), twin)


TRANSPOSED = [
    *({"k": k, "stride": stride, "pad": pad} for k, stride, pad in product((2, 3, 4), (1, 2, 3), (0, 1))),
    {"k": (3, 2), "stride": (3, 2), "extra": (2, 1), "groups": 2},
    {"k": 3, "stride": 2, "pad": 1, "extra": 1, "groups": 4, "bias": False},
    {"k": 1, "stride": 3, "extra": 2},
    {"k": (2, 3), "dilation": (3, 2), "stride": 2, "pad": (1, 2)},
]


@pytest.mark.parametrize("arguments", TRANSPOSED)
def test_transposed_convolution(torch: ModuleType, arguments: dict[str, Any]) -> None:
    layer = LAYERS["convt"](c=8, **arguments)

    def twin(torch: ModuleType, t: Mapping[str, Any]) -> Any:
        numbers = [pair(arguments.get(name, default)) for name, default in (("stride", 1), ("pad", 0), ("extra", 0))]
        groups, dilation = arguments.get("groups", 1), arguments.get("dilation", 1)
        return torch.nn.functional.conv_transpose2d(t["x"], t["weight"], t.get("bias"), *numbers, groups, dilation)

    compare(torch, layer, ((4, 3, 4),), twin)


@pytest.mark.parametrize(
    ("k", "stride", "pad", "extra", "before"),
    [(4, 2, 1, 0, 1), (3, 2, 0, 1, 0), (3, 3, (1, 0), 0, 1), (5, 2, "same", 0, 1), (4, 2, "same", 0, 1), (1, 3, "same", 0, 0)],
)
def test_transposed_convolution_along_steps(torch: ModuleType, k: int, stride: int, pad: Any, extra: int, before: int) -> None:
    layer = LAYERS["convt"](c=3, k=k, stride=stride, pad=pad, extra=extra)
    steps, _ = layer.infer((5, 2))
    assert pad != "same" or steps == 5 * stride

    def twin(torch: ModuleType, t: Mapping[str, Any]) -> Any:
        whole = torch.nn.functional.pad(torch.nn.functional.conv_transpose1d(t["x"].mT, t["weight"], None, stride), (0, stride))
        return whole[..., before : before + steps].mT + t["bias"]

    compare(torch, layer, ((5, 2),), twin)


TABLES = [
    (("X.XX", ".XX.", "X..X"), {}),
    (("XXXX", "X.X.", "XXXX"), {"stride": 2, "pad": (1, 0), "bias": False}),
    (((True, False), (False, True), (False, False)), {"dilation": (1, 2), "pad": "half"}),
]


@pytest.mark.parametrize(("table", "arguments"), TABLES)
def test_a_connection_table(torch: ModuleType, table: Any, arguments: dict[str, Any]) -> None:
    layer, shape = LAYERS["conv"](c=len(table[0]), k=(3, 2), connect=table, **arguments), (3, 7, 6)
    links = [(c, i) for c in range(len(table[0])) for i in range(3) if table[i][c] in ("X", True)]

    def twin(torch: ModuleType, t: Mapping[str, Any]) -> Any:
        dense = torch.zeros(len(table[0]), 3, 3, 2, dtype=torch.float64)
        weight = dense.index_put(tuple(torch.tensor(links).T), t["weight"])
        stride, dilation = pair(arguments.get("stride", 1)), pair(arguments.get("dilation", 1))
        padded = torch.nn.functional.pad(t["x"], sides(arguments.get("pad", 0), shape[1:], (3, 2), stride, dilation))
        return torch.nn.functional.conv2d(padded, weight, t.get("bias"), stride, 0, dilation)

    compare(torch, layer, (shape,), twin)


@pytest.mark.parametrize("bias", [True, False])
def test_dense(torch: ModuleType, bias: bool) -> None:
    compare(
        torch, LAYERS["dense"](units=5, bias=bias), ((7,),), lambda torch, t: torch.nn.functional.linear(t["x"], t["weight"], t.get("bias"))
    )


POOLS = pytest.mark.parametrize(
    ("k", "stride", "pad", "ceil", "size"),
    [
        (*case, size)
        for case, size in zip(
            product((2, 3, (3, 2)), (None, 1, 2, (3, 2)), (0, 1, (0, 1)), (False, True)), cycle([(7, 8), (6, 5), (8, 7)]), strict=False
        )
    ],
)


@POOLS
def test_maximum_pooling(torch: ModuleType, k: Any, stride: Any, pad: Any, ceil: bool, size: tuple[int, int]) -> None:
    layer = LAYERS["maxpool"](k=k, stride=stride, pad=pad, ceil=ceil)
    compare(torch, layer, ((2, *size),), lambda torch, t: torch.nn.functional.max_pool2d(t["x"], k, stride, pad, ceil_mode=ceil))


@pytest.mark.parametrize("count_pad", [True, False])
@POOLS
def test_average_pooling(torch: ModuleType, k: Any, stride: Any, pad: Any, ceil: bool, size: tuple[int, int], count_pad: bool) -> None:
    layer = LAYERS["avgpool"](k=k, stride=stride, pad=pad, ceil=ceil, count_pad=count_pad)
    compare(torch, layer, ((2, *size),), lambda torch, t: torch.nn.functional.avg_pool2d(t["x"], k, stride, pad, ceil, count_pad))


@pytest.mark.parametrize(("k", "stride", "pad", "ceil"), [(2, None, 0, False), (3, 2, 1, True), (3, 1, 1, False), (4, 3, 2, True)])
def test_pooling_along_steps(torch: ModuleType, k: int, stride: int | None, pad: int, ceil: bool) -> None:
    f, arguments = torch.nn.functional, {"k": k, "stride": stride, "pad": pad, "ceil": ceil}
    given = (k, stride, pad)
    compare(torch, LAYERS["maxpool"](**arguments), ((9, 3),), lambda _, t: f.max_pool1d(t["x"].mT, *given, ceil_mode=ceil).mT)
    for counted in (True, False):
        layer = LAYERS["avgpool"](**arguments, count_pad=counted)
        compare(torch, layer, ((9, 3),), lambda _, t, counted=counted: f.avg_pool1d(t["x"].mT, *given, ceil, counted).mT)


def test_of_equal_elements_the_first_gets_the_gradient(torch: ModuleType) -> None:
    layer = LAYERS["maxpool"](k=3, stride=2, pad=1)
    tensors = random_tensors(probed(layer, ((2, 7, 7),)))
    tensors["x"] = np.round(tensors["x"])
    compare(torch, layer, ((2, 7, 7),), lambda torch, t: torch.nn.functional.max_pool2d(t["x"], 3, 2, 1), tensors)


@pytest.mark.parametrize("shape", [(3, 4, 5), (6,)])
def test_batch_normalisation_in_training(torch: ModuleType, shape: Shape) -> None:
    layer, running = LAYERS["bn"](eps=1e-3, momentum=0.3), {}

    def twin(torch: ModuleType, t: Mapping[str, Any]) -> Any:
        running.update({name: t[name].clone() for name in ("mean", "var")})
        return torch.nn.functional.batch_norm(t["x"], running["mean"], running["var"], t["scale"], t["shift"], True, 0.3, 1e-3)

    ours, updates = compare(torch, layer, (shape,), twin), dict(probed(layer, (shape,)).updates)
    for name in ("mean", "var"):
        np.testing.assert_allclose(ours[updates[name]], running[name].numpy(), rtol=1e-8, err_msg=name)


def test_batch_normalisation_far_from_zero_keeps_its_digits(torch: ModuleType) -> None:
    layer = LAYERS["bn"]()
    tensors = random_tensors(probed(layer, ((3, 4, 5),)))
    tensors["x"] = tensors["x"] + 1e4

    def twin(torch: ModuleType, t: Mapping[str, Any]) -> Any:
        return torch.nn.functional.batch_norm(t["x"], None, None, t["scale"], t["shift"], True)

    compare(torch, layer, ((3, 4, 5),), twin, tensors)


@pytest.mark.parametrize(("shape", "channels"), [((6,), -1), ((4, 2, 3), 1), ((3, 5), -1)])
def test_softmax(torch: ModuleType, shape: Shape, channels: int) -> None:
    compare(torch, LAYERS["softmax"](), (shape,), lambda torch, t: torch.softmax(t["x"], channels))


SMALL = [((3, 4, 5), (3, 4, 5)), ((3, 4, 5), (3, 1, 1)), ((1, 4, 5), (3, 4, 5)), ((2, 3), (2, 3)), ((6,), (6,))]


@pytest.mark.parametrize("shapes", SMALL)
@pytest.mark.parametrize(("name", "function"), [("add", "add"), ("mul", "mul"), ("max", "maximum")])
def test_merges(torch: ModuleType, name: str, function: str, shapes: tuple[Shape, ...]) -> None:
    compare(torch, LAYERS[name](), shapes, lambda torch, t: getattr(torch, function)(t["x0"], t["x1"]))


@pytest.mark.parametrize(("axis", "dimension", "other"), [(None, 1, (2, 4, 5)), ("h", 2, (3, 1, 5)), ("w", 3, (3, 4, 2))])
def test_concatenation(torch: ModuleType, axis: str | None, dimension: int, other: Shape) -> None:
    shapes = ((3, 4, 5), other, (3, 4, 5))
    compare(torch, LAYERS["concat"](axis=axis), shapes, lambda torch, t: torch.cat([t["x0"], t["x1"], t["x2"]], dimension))


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "twin"),
    [
        ("reshape", {"shape": (1, 4, 3)}, (4, 3), lambda x: x.reshape(-1, 1, 4, 3)),
        ("reshape", {"shape": (4, 3, 2)}, (3, 8), lambda x: x.reshape(-1, 4, 3, 2)),
        ("reshape", {"shape": (9, 4)}, (6, 2, 3), lambda x: x.reshape(-1, 9, 4)),
        ("flatten", {}, (4, 3), lambda x: x.flatten(1)),
        ("slice", {"part": (1, 3)}, (5, 2, 3), lambda x: x[:, 1:4]),
        ("slice", {"part": (1, 3), "axis": "t"}, (5, 2), lambda x: x[:, 1:4]),
        ("slice", {"part": 1}, (5, 2), lambda x: x[:, :, 1:]),
        ("slice", {"part": (0, 1), "axis": "w"}, (2, 3, 4), lambda x: x[..., :2]),
        ("crop", {"size": (2, 3)}, (2, 5, 6), lambda x: x[..., 1:3, 1:4]),
        ("crop", {"size": 2}, (5, 3), lambda x: x[:, 1:3]),
    ],
)
def test_parts(torch: ModuleType, name: str, arguments: dict[str, Any], shape: Shape, twin: Callable[[Any], Any]) -> None:
    compare(torch, LAYERS[name](**arguments), (shape,), lambda _, t: twin(t["x"]))


@pytest.mark.parametrize(("factor", "shape"), [(2, (2, 3, 4)), ((3, 1), (1, 2, 3)), ((1, 1), (2, 2, 2)), ((4, 5), (2, 1, 2)), (3, (5, 2))])
def test_enlarging(torch: ModuleType, factor: Any, shape: Shape) -> None:
    for mode, theirs in (("nearest", "nearest"), ("linear", "bilinear" if len(shape) == 3 else "linear")):
        options = {"mode": theirs} if mode == "nearest" else {"mode": theirs, "align_corners": False}

        def twin(torch: ModuleType, t: Mapping[str, Any], options: dict[str, Any] = options) -> Any:
            if len(shape) == 2:
                return torch.nn.functional.interpolate(t["x"].mT, scale_factor=factor, **options).mT
            return torch.nn.functional.interpolate(t["x"], scale_factor=tuple(map(float, pair(factor))), **options)

        compare(torch, LAYERS["up"](factor=factor, mode=mode), (shape,), twin)


def test_shapes(torch: ModuleType) -> None:
    pad = torch.nn.functional.pad
    compare(torch, LAYERS["pad"](size=((0, 1), (2, 3))), ((2, 3, 4),), lambda _, t: pad(t["x"], (2, 3, 0, 1)))
    compare(torch, LAYERS["pad"](size=(1, 2)), ((3, 4),), lambda _, t: pad(t["x"], (0, 0, 1, 2)))
    compare(torch, LAYERS["shuffle"](groups=2), ((6, 4, 5),), lambda torch, t: torch.channel_shuffle(t["x"], 2))
    compare(torch, LAYERS["shuffle"](groups=3), ((4, 6),), lambda torch, t: torch.channel_shuffle(t["x"].mT, 3).mT)
    compare(torch, LAYERS["crelu"](), ((3, 4, 5),), lambda torch, t: torch.cat([t["x"].relu(), (-t["x"]).relu()], 1))
    compare(torch, LAYERS["crelu"](), ((4, 3),), lambda torch, t: torch.cat([t["x"].relu(), (-t["x"]).relu()], 2))
    compare(torch, LAYERS["add"](), ((4, 3), (3,)), lambda torch, t: t["x0"] + t["x1"][:, None])
    compare(torch, LAYERS["concat"](), ((4, 3), (4, 2)), lambda torch, t: torch.cat([t["x0"], t["x1"]], 2))
    compare(torch, LAYERS["concat"](axis="t"), ((4, 3), (2, 3)), lambda torch, t: torch.cat([t["x0"], t["x1"]], 1))
    compare(torch, LAYERS["flatten"](), ((3, 4, 5),), lambda torch, t: t["x"].flatten(1))
    compare(torch, LAYERS["gap"](), ((3, 4, 5),), lambda torch, t: t["x"].mean((2, 3)))
    compare(torch, LAYERS["gap"](), ((4, 3),), lambda torch, t: t["x"].mean(1))
    compare(torch, LAYERS["gmp"](), ((3, 4, 5),), lambda torch, t: t["x"].amax((2, 3)))
    compare(torch, LAYERS["gmp"](), ((4, 3),), lambda torch, t: t["x"].amax(1))
