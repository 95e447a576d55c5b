"""What is counted: parameters, multiplications, receptive fields, padding, memory."""

from __future__ import annotations

import pytest
from elaborated import net, sound

from netspec.elaborate.facts import Library
from netspec.layers.conv import Conv
from netspec.layers.norm import Bn


def fields(body: str, shape: str = "[3, 32, 24]") -> list[tuple[int, ...] | None]:
    """The receptive fields of the layers."""
    return [row.receptive_field for row in sound(net(body, shape)).rows]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("conv(4, 3) -> conv(4, 3) -> relu", [(3, 3), (5, 5), (5, 5)]),
        ("conv(4, 3, stride=2) -> conv(4, 3)", [(3, 3), (7, 7)]),
        ("conv(4, 3, dilation=2) -> bn", [(5, 5), (5, 5)]),
        ("conv(4, 3x5)", [(3, 5)]),
        ("conv(6, 3, groups=3) -> maxpool(2) -> avgpool(2)", [(3, 3), (4, 4), (6, 6)]),
        ("maxpool(3, stride=2, pad=1) -> conv(4, 1) -> conv(4, 3)", [(3, 3), (3, 3), (7, 7)]),
        ("add { | conv(3, 5, pad=2) | conv(3, 3, pad=1) }", [(5, 5), (3, 3), (5, 5)]),
        ("concat { | maxpool(2) -> conv(3, 3, pad=1) | conv(3, 2, stride=2) } -> conv(4, 3)", [(2, 2), (6, 6), (2, 2), (6, 6), (10, 10)]),
        ("conv(4, 3) -> gap -> dense(2)", [(3, 3), None, None]),
        ("mul { | conv(3, 3, pad=1) | gap } -> conv(3, 3)", [(3, 3), None, (3, 3), (5, 5)]),
    ],
)
def test_receptive_fields(body: str, expected: list[tuple[int, ...] | None]) -> None:
    assert fields(body) == expected


def test_the_receptive_field_of_a_net_is_that_before_its_global_layers() -> None:
    assert sound(net("conv(4, 3) -> maxpool(2) -> flatten -> dense(3)")).receptive_field == (4, 4)
    assert sound(net("dense(3)", "[4]")).receptive_field is None


def test_multiplications_come_from_the_formulas() -> None:
    facts = Library().facts(Conv(c=6, k=5, pad=2, groups=3), ((3, 28, 28),))
    assert facts.macs == 6 * 28 * 28 * 1 * 25
    assert [row.macs for row in sound(net("bn -> relu -> maxpool(2) -> flatten -> dense(5)")).rows] == [0, 0, 0, 0, 48 * 5]


def test_parameters_are_the_trainable_ones() -> None:
    facts = Library().facts(Bn(), ((6, 4, 4),))
    assert (facts.params, facts.stored) == (12, 24)


def test_facts_are_remembered_by_layer_and_shapes() -> None:
    library = Library()
    first = library.facts(Conv(c=4, k=3), ((3, 8, 8),))
    assert library.facts(Conv(c=4, k=3), ((3, 8, 8),)) is first
    assert library.facts(Conv(c=4, k=3), ((3, 9, 8),)) is not first


def test_real_padding() -> None:
    pads = {row.path: row.pads for row in sound(net("conv(4, 3, pad=same, stride=2) -> conv(4, 3x5, pad=half) -> conv(4, 3)")).rows}
    assert pads == {"conv.0": ((0, 1), (0, 1)), "conv.1": ((1, 1), (2, 2)), "conv.2": None}


def memory(body: str, shape: str = "[2, 4, 4]") -> tuple[int, int, int, int]:
    """Fixed and per-sample bytes of inference, then of training."""
    found = sound(net(body, shape)).memory
    assert found is not None
    return found.infer.fixed, found.infer.per_sample, found.train.fixed, found.train.per_sample


def test_memory_of_inference_is_the_peak_of_what_lives() -> None:
    image = 2 * 4 * 4 * 4
    assert memory("relu")[:2] == (0, image), "an elementwise layer overwrites its input"
    assert memory("conv(2, 1, bias=no) -> relu -> conv(2, 1, bias=no)")[:2] == (32, 2 * image), "two buffers in turn"
    assert memory("add { | conv(2, 1, bias=no) -> conv(2, 1, bias=no) | skip }")[1] == 3 * image, "the skipped input lives on"
    assert memory("a: relu\nb: from x -> tanh -> add(a)")[1] == 2 * image


def test_memory_of_training() -> None:
    image, weights = 2 * 4 * 4 * 4, 16
    assert memory("conv(2, 1, bias=no)")[2:] == (3 * weights, 2 * image + 2 * image), (
        "weights, gradients, momentum; input and result, and their gradients"
    )
    assert memory("conv(2, 1, bias=no) -> relu")[3] == 4 * image
    assert memory("bn")[3] == 4 * image, "batch norm keeps its input"
    assert memory("maxpool(2)")[3] == image + 2 * image // 4 + image + image // 4, "and where the maxima stood"


def test_the_optimizer_decides_the_numbers_beside_each_weight() -> None:
    train = "\ntrain N {{ data = mnist5k(); loss = mse; optimizer = {}; epochs = 1 }}"
    fixed = {
        optimizer: sound(net("dense(3, bias=no)", "[4]") + train.format(optimizer)).memory.train.fixed  # type: ignore[union-attr]
        for optimizer in ("sgd(lr=0.1)", "sgd(lr=0.1, momentum=0.9)", "adam()")
    }
    assert fixed == {"sgd(lr=0.1)": 96, "sgd(lr=0.1, momentum=0.9)": 144, "adam()": 192}


def test_one_group_of_all_channels_looks_at_the_whole_picture() -> None:
    """Its sums have no place left: what is normalised by them has the field of what it stands beside."""
    found = sound(net("conv(4, 3x3) -> groupnorm(1) -> conv(4, 3x3)"))
    assert [row.receptive_field for row in found.rows] == [(3, 3), (3, 3), (5, 5)]
