"""A profile of LeNet-5: its parts are the net's layers and add up, and every form tells the same."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import pytest

from netspec.diagnostics import UserError
from netspec.model import load
from netspec.profile import Profile, Question, as_json, profile, svg, table
from tests.e2e.process import netspec

SVG = "{http://www.w3.org/2000/svg}"
SIDE = (
    "ms", "operations", "bytes", "gflops", "share_of_peak", "intensity", "bound", "share_of_roof", "mode", "tile", "launches",
)  # fmt: skip
CUT = """net A { input image[3, 16, 16]
  conv(8, 3x3, pad=1) -> bn -> relu -> maxpool(2) -> flatten -> dense(3) }
train A {
  data = images("nowhere"); augment = random_resized_crop(16); loss = cross_entropy
  optimizer = adam(lr=0.1); epochs = 1; batch = 8 }
"""


@cache
def lenet(mode: Literal["infer", "train"]) -> Profile:
    return profile(Question(load("lenet"), mode, 32, 2, "avx2", rounds=3))


def test_every_layer_is_there_with_what_is_fused_into_it() -> None:
    found = lenet("infer")
    kinds = {"c1": "conv+relu", "c1.maxpool.0": "maxpool", "c3": "conv+relu", "c3.maxpool.0": "maxpool"}
    assert {row.name: row.kind for row in found.layers} == kinds | {"f5": "dense+relu", "f6": "dense+relu", "logits": "dense"}
    assert [row.name for row in found.others] == ["input and output copies"]
    assert set(found.free) == {"flatten.0", "f5.dropout.0"}
    assert all(row.backward is None for row in found.layers)


def test_training_has_both_directions_loss_and_optimizer() -> None:
    found = lenet("train")
    assert {row.name for row in found.others} == {"input and output copies", "loss", "optimizer"}
    assert all(row.forward and row.backward for row in found.layers if row.kind != "dropout")
    first, second = (next(row for row in found.layers if row.name == name) for name in ("c1", "c3"))
    assert first.backward and second.backward and second.forward
    assert 0.9 < first.backward.operations / (2 * 117_600 * 32) < 1.1, "nobody asks for the gradient by the image"
    assert 1.9 < second.backward.operations / second.forward.operations < 3.1, "by the weight, and by the input with its border"


@pytest.mark.parametrize("mode", ["infer", "train"])
def test_parts_add_up(mode: Literal["infer", "train"]) -> None:
    """The machine that runs this may be busy: a factor is all that can be asked."""
    found = lenet(mode)
    assert found.step / 10 < found.total < found.step * 10
    operations = sum(row.forward.operations for row in found.layers if row.forward)
    assert 1 <= operations / (2 * 416_520 * 32) < 1.1, "products, and little beside them"


def test_the_json_form_says_what_is_documented() -> None:
    import netspec.profile

    found = json.loads(json.dumps(as_json(lenet("train"))))
    documented = netspec.profile.__doc__ or ""
    assert all(f"`{key}`" in documented for key in found)
    for layer in (*found["layers"], *found["others"]):
        assert tuple(layer) == ("name", "kind", "share_of_time", "forward", "backward")
        for side in (layer["forward"], layer["backward"]):
            assert side is None or tuple(side) == SIDE
            assert side is None or (side["ms"] > 0 and side["bytes"] > 0 and side["bound"] in ("compute", "memory", "cache"))
    assert all(f"`{key}`" in documented for key in SIDE)
    assert sum(layer["share_of_time"] for layer in (*found["layers"], *found["others"])) == pytest.approx(1)
    times = [sum(side["ms"] for side in (layer["forward"], layer["backward"]) if side) for layer in found["layers"]]
    assert times == sorted(times, reverse=True)
    assert [layer["name"] for layer in as_json(lenet("infer"), by_time=False)["layers"]][:2] == ["c1", "c1.maxpool.0"]  # type: ignore[index, union-attr, call-overload]


def test_the_table_is_aligned() -> None:
    lines = table(lenet("train")).splitlines()
    head, rule = lines[2], lines[3]
    body = lines[4 : lines.index("", 4)]
    assert head.startswith("  layer") and set(rule.strip()) == {"─"}
    end = head.index("forward ms") + len("forward ms")
    assert all(line[end - 1].isdigit() and line[end] == " " for line in body if not line.startswith(("  ─", "  optimizer")))
    assert body[-1].startswith("  sum of the parts")


@pytest.mark.parametrize("mode", ["infer", "train"])
def test_the_picture_has_a_point_for_each_direction_of_each_layer(mode: Literal["infer", "train"]) -> None:
    found = lenet(mode)
    text = svg(found)
    assert text == svg(found)
    root = ElementTree.fromstring(text)
    told = [title.text or "" for title in root.iter(f"{SVG}title")]
    sides = [f"{row.name}, {way}" for row in found.layers for way, side in (("forward", row.forward), ("backward", row.backward)) if side]
    assert sorted(line.split(":")[0] for line in told) == sorted(sides)
    labels = {item.text for item in root.iter(f"{SVG}text") if item.get("class") == "name"}
    assert {"c1", "c3"} <= labels
    assert len(list(root.iter(f"{SVG}polyline"))) == 2


def test_data_that_cannot_be_read_yet_is_not_needed() -> None:
    found = profile(Question(load(CUT), "train", target="avx2", threads=1, rounds=1))
    assert (found.mode, found.batch) == ("train", 8)
    assert {row.kind for row in found.layers} == {"conv", "bn+relu", "maxpool", "dense"}
    assert next(row for row in found.layers if row.kind == "bn+relu").backward


def test_a_net_without_a_train_block_has_gradients() -> None:
    found = profile(Question(load("net A { input x[8]; dense(16) -> relu -> dense(3) }"), "train", 4, 1, "avx2", rounds=1))
    assert found.mode == "gradients"
    assert "optimizer" not in {row.name for row in found.others}


def test_what_cannot_be_profiled() -> None:
    with pytest.raises(UserError, match=r"A cannot be trained by `cross_entropy`: .* needs logits"):
        profile(Question(load("net A { input image[3, 8, 8]; conv(4, 3x3) }"), "train"))
    with pytest.raises(UserError, match="taken on the CPU"):
        profile(Question(load("lenet"), target="cuda_sm90"))


def test_the_command(tmp_path: Path) -> None:
    done = netspec("profile", "lenet", "--batch", "4", "--target", "avx2", "--layout", "channels", "--roofline", "roof.svg", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("LeNet5, inference, batch 4, avx2, ")
    assert "channels along the lanes" in done.stdout
    assert ElementTree.parse(tmp_path / "roof.svg").getroot().tag == f"{SVG}svg"
