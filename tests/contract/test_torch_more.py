"""PyTorch in float64 gives the same values and gradients, to 1e-8: normalisation by sample and channel, pooling with weights, codes."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from harness import compare, probed, random_tensors

from netspec.graph.types import Shape
from netspec.layers import LAYERS

pytestmark = pytest.mark.parity
Tensors = Mapping[str, Any]


def channels_last(shape: Shape, function: Any) -> Any:
    """A function of the last dimension, applied to the channels of [n, c, h, w]."""
    return lambda x: function(x.movedim(1, -1)).movedim(-1, 1) if len(shape) == 3 else function(x)


def channels_first(shape: Shape, function: Any) -> Any:
    """A function of [n, c, ..], applied to [n, t, f]."""
    return lambda x: function(x.movedim(-1, 1)).movedim(1, -1) if len(shape) == 2 else function(x)


@pytest.mark.parametrize("shape", [(6,), (4, 3), (5, 2, 3)])
def test_layer_normalisation(torch: ModuleType, shape: Shape) -> None:
    def twin(torch: ModuleType, t: Tensors) -> Any:
        def norm(x: Any) -> Any:
            return torch.nn.functional.layer_norm(x, x.shape[-1:], t["scale"], t["shift"], 1e-3)

        return channels_last(shape, norm)(t["x"])

    compare(torch, LAYERS["layernorm"](eps=1e-3), (shape,), twin)


@pytest.mark.parametrize(("groups", "shape"), [(2, (6, 2, 3)), (1, (4, 2, 2)), (4, (4, 3, 2)), (3, (6,)), (2, (5, 4)), (1, (5, 4))])
def test_group_normalisation(torch: ModuleType, groups: int, shape: Shape) -> None:
    def twin(torch: ModuleType, t: Tensors) -> Any:
        return channels_first(shape, lambda x: torch.nn.functional.group_norm(x, groups, t["scale"], t["shift"], 1e-3))(t["x"])

    compare(torch, LAYERS["groupnorm"](groups=groups, eps=1e-3), (shape,), twin)


@pytest.mark.parametrize("name", ["layernorm", "groupnorm"])
def test_normalisation_far_from_zero_keeps_its_digits(torch: ModuleType, name: str) -> None:
    layer = LAYERS[name](**({"groups": 2} if name == "groupnorm" else {}))
    tensors = random_tensors(probed(layer, ((6, 4, 5),)))
    tensors["x"] = tensors["x"] + 1e4

    def twin(torch: ModuleType, t: Tensors) -> Any:
        if name == "groupnorm":
            return torch.nn.functional.group_norm(t["x"], 2, t["scale"], t["shift"])
        return torch.nn.functional.layer_norm(t["x"].movedim(1, -1), (6,), t["scale"], t["shift"]).movedim(-1, 1)

    compare(torch, layer, ((6, 4, 5),), twin, tensors)


def test_batch_normalisation_of_steps(torch: ModuleType) -> None:
    def twin(torch: ModuleType, t: Tensors) -> Any:
        return torch.nn.functional.batch_norm(t["x"].movedim(-1, 1), None, None, t["scale"], t["shift"], True).movedim(1, -1)

    compare(torch, LAYERS["bn"](), ((5, 4),), twin)


@pytest.mark.parametrize("shape", [(7, 2, 3), (3, 2, 2), (4, 5)])
@pytest.mark.parametrize("numbers", [(5, 1e-4, 0.75, 1.0), (5, 0.7, 0.75, 2.0), (4, 0.5, 0.6, 1.5), (3, 1.0, 1.0, 1.0), (1, 0.3, 0.5, 1.0)])
def test_local_response_normalisation(torch: ModuleType, shape: Shape, numbers: tuple[int, float, float, float]) -> None:
    n, alpha, beta, k = numbers

    def twin(torch: ModuleType, t: Tensors) -> Any:
        return channels_first(shape, lambda x: torch.nn.functional.local_response_norm(x, n, alpha, beta, k))(t["x"])

    compare(torch, LAYERS["lrn"](n=n, alpha=alpha, beta=beta, k=k), (shape,), twin)


@pytest.mark.parametrize(("k", "stride"), [(2, None), (3, 2), ((3, 2), (2, 1))])
def test_norm_pooling(torch: ModuleType, k: Any, stride: Any) -> None:
    layer = LAYERS["lppool"](k=k, stride=stride)
    compare(torch, layer, ((2, 7, 8),), lambda torch, t: torch.nn.functional.lp_pool2d(t["x"], 2.0, k, stride))


def test_norm_pooling_beyond_the_border_adds_nothing(torch: ModuleType) -> None:
    def twin(torch: ModuleType, t: Tensors) -> Any:  # PyTorch's own lp_pool2d scales a window that overhangs up
        return torch.nn.functional.avg_pool2d(t["x"] ** 2, 3, 2, 1, True, divisor_override=1).sqrt()

    compare(torch, LAYERS["lppool"](k=3, stride=2, pad=1, ceil=True), ((2, 6, 8),), twin)


def test_norm_pooling_of_zeros_has_gradient_zero(torch: ModuleType) -> None:
    layer = LAYERS["lppool"](k=2)
    tensors = random_tensors(probed(layer, ((2, 4, 4),)))
    tensors["x"][:, :, :2] = 0

    def twin(torch: ModuleType, t: Tensors) -> Any:  # the subgradient of the norm that PyTorch has
        blocks = t["x"].unfold(2, 2, 2).unfold(3, 2, 2)
        return torch.linalg.vector_norm(blocks, dim=(-2, -1))

    compare(torch, layer, ((2, 4, 4),), twin, tensors)


@pytest.mark.parametrize(("k", "stride", "pad", "sigma"), [((3, 3), 2, 1, None), ((4, 3), None, 0, 0.7), ((5, 2), 1, (2, 1), None)])
def test_gaussian_pooling(torch: ModuleType, k: tuple[int, int], stride: Any, pad: Any, sigma: float | None) -> None:
    def twin(torch: ModuleType, t: Tensors) -> Any:
        a, b = torch.meshgrid(*(torch.arange(size, dtype=torch.float64) - (size - 1) / 2 for size in k), indexing="ij")
        wide, high = (sigma or 0.3 * ((size - 1) / 2 - 1) + 0.8 for size in reversed(k))
        kernel = torch.exp(-0.5 * ((a / high) ** 2 + (b / wide) ** 2))
        kernel = (kernel / kernel.sum()).expand(2, 1, *k)
        return torch.nn.functional.conv2d(t["x"], kernel, None, k if stride is None else stride, pad, 1, 2)

    layer = LAYERS["gausspool"](k=k, stride=stride, pad=pad, sigma=sigma)
    compare(torch, layer, ((2, 9, 8),), twin)


@pytest.mark.parametrize(("k", "stride", "pad"), [(2, None, 0), (3, 2, 1), ((3, 2), 1, (1, 0))])
def test_subsampling(torch: ModuleType, k: Any, stride: Any, pad: Any) -> None:
    def twin(torch: ModuleType, t: Tensors) -> Any:
        summed = torch.nn.functional.avg_pool2d(t["x"], k, stride, pad, divisor_override=1)
        return summed * t["scale"][:, None, None] + t["shift"][:, None, None]

    compare(torch, LAYERS["subsample"](k=k, stride=stride, pad=pad), ((3, 8, 7),), twin)


@pytest.mark.parametrize(("shared", "shape"), [(False, (3, 2, 4)), (True, (3, 2, 4)), (False, (5,)), (False, (3, 4))])
def test_trained_slopes(torch: ModuleType, shared: bool, shape: Shape) -> None:
    def twin(torch: ModuleType, t: Tensors) -> Any:
        return channels_first(shape, lambda x: torch.nn.functional.prelu(x, t["slope"]))(t["x"])

    compare(torch, LAYERS["prelu"](shared=shared), (shape,), twin)


def test_the_slope_at_zero_is_pytorchs(torch: ModuleType) -> None:
    layer = LAYERS["prelu"]()
    tensors = {**random_tensors(probed(layer, ((4,),))), "x": np.zeros((3, 4))}
    compare(torch, layer, ((4,),), lambda torch, t: torch.nn.functional.prelu(t["x"], t["slope"]), tensors)


@pytest.mark.parametrize(("shape", "channels"), [((6,), -1), ((4, 2, 3), 1), ((3, 5), -1)])
def test_logarithm_of_softmax(torch: ModuleType, shape: Shape, channels: int) -> None:
    layer = LAYERS["logsoftmax"]()
    tensors = random_tensors(probed(layer, (shape,)))
    tensors["x"] = 300 * tensors["x"]
    compare(torch, layer, (shape,), lambda torch, t: torch.log_softmax(t["x"], channels), tensors)


def test_distances_to_codes(torch: ModuleType) -> None:
    compare(torch, LAYERS["rbf"](units=4), ((7,),), lambda torch, t: torch.cdist(t["x"], t["codes"]) ** 2)


@pytest.mark.parametrize("shape", [(3, 2, 4), (5, 3)])
def test_gram_matrix(torch: ModuleType, shape: Shape) -> None:
    def twin(torch: ModuleType, t: Tensors) -> Any:
        flat = t["x"].flatten(2) if len(shape) == 3 else t["x"].movedim(-1, 1)
        return flat @ flat.movedim(1, 2)

    compare(torch, LAYERS["gram"](), (shape,), twin)
