"""Explanations: of codes, of layers from their classes, of lines with their arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netspec.diagnostics import SpecError, UsageError, UserError
from netspec.elaborate.facts import Library
from netspec.explain import arguments, declarations, explain, layers, pages
from netspec.explain.arithmetic import counts, sizes
from netspec.graph.types import Example, Layer
from netspec.layers import LAYERS, LOSSES
from netspec.training import SETTINGS

GOLDEN = Path(__file__).parents[1] / "golden"
ALL = {**LAYERS, **LOSSES}
CASES = [pytest.param(layer, example, id=f"{name}-{k}") for name, layer in LAYERS.items() for k, example in enumerate(layer.examples)]


def test_topics_are_all_there() -> None:
    text = explain(None)
    for topic in (*ALL, *declarations.names(), *pages.codes()):
        assert f"\n  {topic} " in text


@pytest.mark.parametrize("code", ["E0201", "e0201"])
def test_a_code_shows_its_page_with_the_message(code: str) -> None:
    text = explain(code)
    assert text.startswith("E0201: branches of a merge have shapes that do not go together\n")
    assert "error[E0201]: branches of `add` differ in channels, height and width" in text
    assert "= help: project the branch" in text


@pytest.mark.parametrize("name", ALL)
def test_a_layer_is_documented_from_its_class(name: str) -> None:
    """Every argument with type and default, every example with its formulas."""
    layer, text = ALL[name], explain(name)
    assert text.startswith(f"{name}: ")
    assert all(f"\n  {item}" in text for item in layer.arguments())
    assert text.count(" -> ") >= len(layer.examples)
    assert "<locals>" not in text
    assert "typing." not in text


@pytest.mark.parametrize("name", declarations.names())
def test_a_declaration_is_documented_from_its_class(name: str) -> None:
    found = declarations.find(name)
    assert found is not None
    assert f"\n  {found[0]} = {name}" in explain(name)


def test_arguments_are_written_as_in_the_language() -> None:
    conv = LAYERS["conv"]
    assert arguments.signature(conv).startswith("conv(c, k, stride=1, pad=0, dilation=1, groups=1, bias=yes")
    assert arguments.signature(LAYERS["maxpool"]) == "maxpool(k, stride=.., pad=0, ceil=no)"
    assert arguments.call(conv(c=6, k=(5, 5), pad="half", bias=False)) == "conv(6, 5x5, pad=half, bias=no)"
    assert arguments.call(conv(c=6, k=3, pad=((0, 1), (2, 0)))) == "conv(6, 3, pad=((0, 1), (2, 0)))"
    assert arguments.kind(conv.arguments()["k"]) == "whole >= 1 | pair of whole >= 1"
    assert arguments.kind(conv.arguments()["pad"]) == "whole >= 0 | pair of (whole >= 0 | pair of whole >= 0) | half | same"
    assert arguments.kind(conv.arguments()["c"]) == "whole >= 1 (channels)"
    assert arguments.kind(LAYERS["dropout"].arguments()["rate"]) == "number >= 0 < 1"


@pytest.mark.parametrize(
    ("topic", "help"),
    [
        ("covn", "did you mean `conv`?"),
        ("cosin", "did you mean `cosine`?"),
        ("E0299", "near it: E0201, E0202"),
        ("lenet.net", "name a line of it: `lenet.net:6`"),
    ],
)
def test_an_unknown_topic_offers_the_nearest(topic: str, help: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain(topic)
    assert help in (caught.value.help or "")


def test_other_names_and_settings() -> None:
    assert explain("Conv2d").startswith("`Conv2d` is called `conv` here.\n\nconv: ")
    assert "adamw(" in explain("optimizer")
    assert all(explain(name) for name in SETTINGS)
    with pytest.raises(UsageError, match="nothing to explain under `xyzzyxyzzy`"):
        explain("xyzzyxyzzy")


@pytest.mark.parametrize("line", [6, 7, 8, 9])
def test_a_line_of_lenet(line: int, golden: Callable[[Path, str], None]) -> None:
    text = explain(f"lenet:{line}")
    head, _, rest = text.partition("\n")
    assert head.endswith(f":{line}  {(Path(__file__).parents[2] / 'specs/lenet.net').read_text().splitlines()[line - 1].strip()}")
    golden(GOLDEN / f"explain_lenet_{line}.txt", f"{rest.lstrip()}\n")


def test_a_line_of_a_block_lists_all_that_it_makes() -> None:
    text = explain("ResNet18:2", {}, net="ResNet18")
    assert "the same step makes 19 more:" in text
    assert "stage.0.basic.0.conv_bn.0.conv.0" in text
    assert ".. and 7 more" in text


def test_weights_of_another_layer_are_named(tmp_path: Path) -> None:
    path = tmp_path / "tied.net"
    path.write_text("net A { input x[8]\n a: dense(4)\n dense(8, weight=a.weight.T) }\n")
    assert "a.weight is read here and counted there; 8 parameters are its own" in explain(f"{path}:3")


def test_many_formulas_are_told_once() -> None:
    """A connection table has a formula for each kind of link."""
    table = '", "'.join(f"{k:04b}".replace("0", ".").replace("1", "X") + "X" for k in range(16))
    told = dict(counts(Library().facts(LAYERS["conv"](c=5, k=3, connect=tuple(table.split('", "'))), ((16, 6, 6),))))
    assert len(told["multiplications"]) <= 8


def test_which_net_a_line_is_of(tmp_path: Path) -> None:
    path = tmp_path / "two.net"
    path.write_text("block b(c) { conv(c, 3x3) }\nnet A { input x[3, 8, 8]; b(4) }\nnet B { input x[3, 8, 8]; b(5) }\n")
    assert "The line also makes layers of B" in explain(f"{path}:1")
    assert "[3, 8, 8] -> [5, 6, 6]" in explain(f"{path}:1", net="B")


def test_lines_without_layers_and_files_with_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lenet:5 makes no layer") as caught:
        explain("lenet:5")
    assert caught.value.help is not None
    assert "6, 7, 8" in caught.value.help
    path = tmp_path / "bad.net"
    path.write_text("net A { input x[3]\n dnse(3) }\n")
    with pytest.raises(SpecError):
        explain(f"{path}:2")
    with pytest.raises(UserError, match="no such file"):
        explain("nowhere.net:3")


@pytest.mark.parametrize(("layer", "example"), CASES)
def test_the_products_are_the_counts(layer: type[Layer], example: Example) -> None:
    """What is shown as a product comes to what the checker counts, and sums of sizes to the shape rule's result."""
    made = layer(**example.arguments)
    facts = Library().facts(made, example.inputs)
    told = dict(counts(facts))
    if facts.params:
        assert told["parameters"][-1].endswith(f"{facts.params:,}")
    if facts.macs:
        assert told["multiplications"][-1].endswith(f" {facts.macs:,}")
    for _, text in sizes(facts):
        sums, _, result = text.rpartition(" = ")
        assert eval(sums, {"floor": lambda v: int(v // 1), "ceil": lambda v: int(-(-v // 1))}) == int(result)
    assert layers.text(layer)
