"""Symbolic input sizes: what a check finds holds for every size that `where` allows; binding makes an ordinary net."""

from __future__ import annotations

import pytest
from elaborated import at, examined, net, only_error, rendered, rows, sound

from netspec.diagnostics import SpecError, UsageError, UserError
from netspec.elaborate import CheckedNet
from netspec.graph.sizes import rebuilt
from netspec.model import load
from netspec.report import Report

TEXT = """
op swish(x, beta=1.0) = x * sigmoid(beta * x)
block double(c) { repeat 2 { conv(c, 3x3, pad=1, bias=no) -> bn -> relu } }
net N(classes=3) {
  input image[3, H, W] where H % 16 == 0 and W % 8 == 0 and H >= 32
  double(4)
  keep: maxpool(2)
  add { | conv(8, 3x3, stride=2, pad=1) | conv(8, 1x1, stride=2) }   :: [8, H/4, W/4]
  mul { | skip | gap -> dense(8) -> sigmoid }
  if in.h > 16 { swish }
  avgpool(2, ceil=yes) -> dropout(0.2)
  concat { | skip | conv(2, 3x3, pad=same) }
  output a: conv(5, (1, 2), pad=half, dilation=2) -> gap -> dense(classes) -> softmax
  output b: flatten -> dense(classes)
}
"""
ANY = """
net N {
  input x[3, H, W] where H >= 20 and W >= 20
  repeat 2 { conv(4, 5x5, stride=2) -> relu }
  maxpool(3, stride=2, pad=1) -> gap -> dense(4)
}
"""


def same(symbolic: CheckedNet, bound: CheckedNet, values: dict[str, int]) -> None:
    """All numbers of the report, at these values."""

    def at_values(item: int) -> int:
        return rebuilt(item, values)

    for row, other in zip(symbolic.rows, bound.rows, strict=True):
        assert tuple(map(at_values, row.output)) == other.output, row.path
        assert (at_values(row.params), at_values(row.macs)) == (other.params, other.macs), row.path
        assert row.receptive_field == other.receptive_field
        assert row.pads == other.pads
    assert (at_values(symbolic.params), at_values(symbolic.macs)) == (bound.params, bound.macs)
    assert symbolic.memory is not None
    assert bound.memory is not None
    for need, other in ((symbolic.memory.infer, bound.memory.infer), (symbolic.memory.train, bound.memory.train)):
        assert (at_values(need.fixed), at_values(need.per_sample)) == (other.fixed, other.per_sample)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (TEXT, {"H": 32, "W": 8}),
        (TEXT, {"H": 48, "W": 72}),
        (TEXT, {"H": 160, "W": 8}),
        (ANY, {"H": 20, "W": 20}),
        (ANY, {"H": 21, "W": 34}),
        (ANY, {"H": 103, "W": 22}),
    ],
)
def test_every_number_is_that_of_the_bound_net(text: str, values: dict[str, int]) -> None:
    same(sound(text), sound(text, dict(values)), values)


def test_numbers_in_words() -> None:
    checked = sound(TEXT)
    shapes = {row.path: (str(list(row.output)), str(row.params), f"{row.macs:,}") for row in checked.rows}
    assert shapes["keep.maxpool.0"] == ("[4, H/2, W/2]", "0", "0")
    assert shapes["conv.0"] == ("[8, H/4, W/4]", "296", "18*H*W")
    assert shapes["avgpool.0"] == ("[8, H/8, W/8]", "0", "0")
    assert shapes["b.flatten.0"] == ("[5*H*W/32]", "0", "0")
    assert (shapes["b"][1], checked.symbols) == ("15*H*W/32 + 3", {"H": 32, "W": 8})
    assert str(rows(sound(ANY))["maxpool.0"]) == "(4, (H - 5)//8, (W - 5)//8)"


def test_the_report_and_its_json() -> None:
    found = examined(TEXT)
    report = Report(found.source, found.nets, (), found.diagnostics, "plain", 1)
    assert "image [3, H, W] -> a [3], b [3]" in str(report)
    assert "sizes: H from 32, W from 8" in str(report)
    assert "Sizes: H from 32, W from 8." in report.to_markdown()
    (described,) = report.to_dict()["nets"]  # type: ignore[misc]
    assert (described["inputs"], described["smallest"]) == ({"image": [3, "H", "W"]}, {"H": 32, "W": 8})  # type: ignore[index,call-overload]
    assert described["macs"] == str(found.nets[0].macs)  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("where", "sizes"),
    [
        ("H % 16 == 0 and H >= 40", {"H": 48, "W": 1}),
        ("H % 4 == 3 and H % 6 == 1 and 10 < H", {"H": 19, "W": 1}),
        ("2 * H + 1 >= 10 and W - 3 > H", {"H": 5, "W": 1}),
        ("3 * H % 12 == 6", {"H": 2, "W": 1}),
        ("H == W and W % 5 == 0", {"H": 5, "W": 5}),
        ("H == 7", {"W": 1}),
        ("28 % 4 == 0", {"H": 1, "W": 1}),
    ],
)
def test_facts(where: str, sizes: dict[str, int]) -> None:
    assert sound(f"net N {{\ninput x[3, H, W] where {where}\nrelu\n}}").symbols == sizes


def test_facts_decide() -> None:
    """Bounds, remainders, and relations between two sizes."""
    text = "net N {{\ninput x[3, H, W] where {}\n{}\n}}"
    assert not examined(text.format("H >= W and W >= 5", "conv(4, 5x5)")).diagnostics
    assert not examined(text.format("H % 2 == 0 and H == W", "if in.h % 2 == in.w % 2 { relu } else { dnse }")).diagnostics
    assert not examined(text.format("H <= 8", "if in.h < 9 { relu } else { dnse }")).diagnostics
    assert not examined(text.format("H == W", "add { | conv(4, (1, 3), pad=half) | conv(4, (3, 1), pad=half) } :: [4, W, H]")).diagnostics
    assert str(rows(sound(text.format("H == 7", "relu")))["relu.0"]) == "(3, 7, W)"


@pytest.mark.parametrize(
    ("where", "code", "message", "place"),
    [
        ("H % 16 == 16", "E0213", "`H % 16 == 16` never holds", "H % 16 == 16"),
        ("H % 4 == 1 and H % 6 == 2", "E0213", "`H % 6 == 2` never holds", "H % 6 == 2"),
        ("H > 5 and H < 6", "E0213", "`H < 6` never holds, with the other facts about `H`", "H < 6"),
        ("H % 8 == 0 and H <= 7", "E0213", "`H <= 7` never holds, with the other facts about `H`", "H <= 7"),
        ("H != 3", "E0213", "`H != 3` is no fact that is understood", "H != 3"),
        ("H", "E0213", "`H` is no fact that is understood", "H"),
        ("not H >= 3", "E0213", "`not H >= 3` is no fact that is understood", "not H >= 3"),
        ("H * W % 4 == 0", "E0213", "`H * W % 4 == 0` is no fact about one dimension", "H * W % 4 == 0"),
        ("28 % 3 == 0", "E0213", "`28 % 3 == 0` does not hold", "28 % 3 == 0"),
        ("Q >= 3", "E0102", "unknown name `Q`", "Q"),
    ],
)
def test_facts_that_are_wrong(where: str, code: str, message: str, place: str) -> None:
    text = f"net N {{\ninput x[3, H, W] where {where}\nrelu\n}}"
    error = only_error(text)
    assert (error.code, error.message, at(error, text)) == (code, message, place)


@pytest.mark.parametrize(
    ("body", "message", "help", "place"),
    [
        ("conv(4, 5x5)", "cannot decide `H < 5`", "add `where H >= 5`", "conv(4, 5x5)"),
        ("maxpool(2) -> add(x)", "cannot decide `H < 2`", "add `where H >= 2`", "maxpool(2)"),
        ("if in.h >= 7 { relu }", "cannot decide `H >= 7`", "add `where H >= 7`", "in.h >= 7"),
        ("add { | when in.w == 1: skip | relu }", "cannot decide `W == 1`", "add `where W >= 2`", "in.w == 1"),
        ("conv(in.h / 2, 1x1)", "cannot decide whether `H` divided by 2 is whole", "add `where H % 2 == 0`", "in.h / 2"),
        ("relu :: [3, 7, _]", "cannot decide `H == 7`", "add `where H >= 8`", "[3, 7, _]"),
        ("repeat in.h { relu }", "`H` is not known here", "it depends on `H`, which `--set` or `load` binds", "repeat in.h { relu }"),
        ("dense(round8(in.h))", "`H` is not known here", "it depends on `H`, which `--set` or `load` binds", "round8(in.h)"),
        ("conv(4, 3x3, stride=2, pad=1) -> avgpool(1, stride=1) -> concat(x)",
         "cannot decide `H == (H + 1)//2`", "add `where H >= 2`", "concat"),
    ],
)  # fmt: skip
def test_what_is_undecidable(body: str, message: str, help: str, place: str) -> None:
    text = net(body, "[3, H, W]")
    found = [item for item in examined(text).diagnostics if item.severity == "error"]
    assert (found[0].code, found[0].message, found[0].help) == ("E0207", message, help)
    assert at(found[0], text) == place


def test_what_differs_for_all_sizes_is_told_as_ever() -> None:
    error = only_error(net("add { | conv(4, 1x1) | skip }", "[3, H, W]"))
    assert (error.code, error.message) == ("E0201", "branches of `add` differ in channels")
    assert only_error(net("dense(3)", "[3, H, W]")).code == "E0202"
    assert only_error(net("relu :: [3, H - 1, W]", "[3, H, W]")).code == "E0203"
    assert only_error("net N {\ninput x[3, H, W] where H <= 4\nconv(4, 5x1)\n}").code == "E0204"


def test_sizes_grow_no_further_than_they_can_be_read() -> None:
    """Floors of sums of floors double with each layer: an error at once."""
    text = net("repeat 60 { concat(axis=h) { | skip | maxpool((2, 1), stride=(2, 1)) } }", "[3, H, 4]").replace(
        "\nrep", " where H >= 64\nrep"
    )
    error = only_error(text)
    assert (error.code, error.message) == ("E0505", "a size has more than 400 terms")


def test_expectations_speak_of_sizes() -> None:
    text = ANY + "expect N { params == 728; macs == {}; rf == 21; output == [4] }"
    macs = str(sound(ANY).macs)
    found = examined(text.replace("{}", macs))
    assert [item.holds for item in found.expectations] == [True] * 4, rendered(found)


def test_binding() -> None:
    """By settings, in `load`, or when compiled; the facts must hold, and all must be bound."""
    model = load(TEXT)
    with pytest.raises(UserError, match="N has sizes that are not known: H, W") as error:
        model.compile()
    assert error.value.help is not None
    assert "`--set H=32 --set W=8`" in error.value.help
    graph = load(TEXT, H=48, W=16).graph
    assert graph == model.bound(H=48, W=16).graph
    assert [value.type.sample for value in graph.inputs] == [(3, 48, 16)]
    with pytest.raises(UserError, match="not known: W"):
        _ = load(TEXT, H=48).graph
    with pytest.raises(SpecError, match=r"E0213.*`H % 16 == 0` does not hold"):
        load(TEXT, H=50, W=8)
    with pytest.raises(UsageError, match=r"`H=2\.5`: `H` is a size"):
        load(TEXT, H="2.5", W=8)
    with pytest.raises(UsageError, match="no parameter `Q`"):
        model.bound(Q=3)


def test_equal_sizes_are_bound_together() -> None:
    text = "net N {\ninput x[3, H, W] where H == W\nrelu\n}"
    assert load(text, H=4).graph == load(text, W=4).graph


def test_names_that_something_defines_are_no_symbols() -> None:
    text = "param H = 8\nnet N(C=3) {\ninput x[C, H, H]\nrelu\n}"
    assert sound(text).symbols == {}
    assert rows(sound(text))["relu.0"] == (3, 8, 8)
