"""Lints: what they find, with its arithmetic and its mend, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.checking import check_file, check_source
from netspec.diagnostics import Diagnostic, Source
from netspec.sources import specs

TRAIN = 'train N { data = npz("a.npz"); loss = cross_entropy; optimizer = sgd(lr=0.1); epochs = 1 }'


def found(body: str, before: str = "", after: str = "", shape: str = "[3, 15, 15]") -> tuple[Diagnostic, ...]:
    """The diagnostics of a net, and of what stands before and after it."""
    text = f"{before}\nnet N {{\n  input x{shape}\n{body}\n}}\n{after}"
    report = check_source(Source("a.net", text), {}, net=None, target="plain")
    assert report.ok, report.problems()
    return report.diagnostics


def codes(*arguments: str, **named: str) -> list[str]:
    return [item.code for item in found(*arguments, **named)]


@pytest.mark.parametrize("path", specs(), ids=lambda path: path.stem)
def test_bundled_specs_have_no_warnings(path: Path) -> None:
    assert not check_file(str(path), {}).diagnostics


@pytest.mark.parametrize(
    ("body", "message", "note"),
    [
        ("maxpool(2)", "`maxpool` never reads the last row and column of [3, 15, 15]", "7 windows end at row (7 - 1)*2 + 2 = 14 of 15"),
        ("maxpool((1, 4))", "`maxpool` never reads the last 3 columns of [3, 15, 15]", "3 windows end at column (3 - 1)*4 + 4 = 12 of 15"),
        (
            "conv(2, 3x3, stride=5, dilation=2)",
            "`conv` never reads the last 5 rows and 5 columns of [3, 15, 15]",
            "3 windows end at row (3 - 1)*5 + (2*(3 - 1) + 1) = 15 of 15",
        ),
        (
            "conv(2, 4x4, stride=4, pad=1)",
            "`conv` never reads the last row and column of [3, 15, 15]",
            "4 windows end at row (4 - 1)*4 + 4 - 1 = 15 of 15",
        ),
    ],
)
def test_unread_rows(body: str, message: str, note: str) -> None:
    read = note.endswith("15 of 15")
    items = found(body)
    assert [item.code for item in items] == ([] if read else ["W0301"])
    assert read or (items[0].message == message and note in items[0].notes)


@pytest.mark.parametrize(
    "body", ["maxpool(3, stride=2)", "maxpool(2, ceil=yes)", "conv(2, 1x1, stride=2)", "conv(2, 3x3)", "conv(2, 2x2, stride=2, pad=same)"]
)
def test_windows_that_read_everything_or_leave_gaps_on_purpose(body: str) -> None:
    assert "W0301" not in codes(body)


def test_a_row_of_many_is_no_loss() -> None:
    assert codes("conv(2, 3x3, stride=2)", shape="[3, 224, 224]") == []
    assert codes("conv(2, 3x3, stride=2)", shape="[3, 16, 224]") == ["W0301"]


def test_uneven_padding() -> None:
    (item,) = found("conv(2, 3x3, stride=2, pad=same)", shape="[3, 28, 28]")
    assert (item.code, item.message) == ("W0303", "`pad=same` is uneven here: 0 before, 1 after")
    assert item.notes == ("[3, 28, 28] lacks 1 for [2, 14, 14], and the odd one is put at the end",)
    assert codes("conv(2, 3x3, pad=same)") == []


def test_values_that_nothing_reads() -> None:
    (item,) = found("a: conv(4, 3x3) -> relu\nfrom x -> flatten -> dense(3)")
    assert (item.code, item.message) == ("W0302", "nothing reads what `relu` makes here")
    assert codes("a: conv(4, 3x3) -> relu\nfrom x -> flatten -> dense(3)\noutput a") == ["W0302"], "the dense is not read then"
    assert codes("a: gap -> dense(3)\nfrom x -> gap -> add(a)") == []
    assert codes("gap -> dense(3)\noutput y: dense(2)") == []


def test_a_value_that_some_call_reads_is_no_waste() -> None:
    block = "block b(last) { kept: dense(4); if last { from in -> dense(2) } }"
    assert codes("gap\nb(no)\nb(yes)", before=block) == []
    assert codes("gap\nb(yes)\nb(yes)", before=block) == ["W0302"]


def test_an_input_that_nothing_reads() -> None:
    (item,) = found("input y[3]\nfrom x -> gap -> dense(3)")
    assert (item.code, item.message) == ("W0302", "nothing reads the input `y`")


def test_a_bias_before_bn() -> None:
    (item,) = found("conv(4, 3x3) -> bn -> relu")
    assert (item.code, item.message) == ("W0304", "the bias of `conv` does nothing: `bn` subtracts it with the mean")
    assert item.notes == ("its 4 numbers get no gradient; the shift of `bn` does their work",)
    assert item.fix is not None
    assert item.fix.text == ", bias=no"
    for body in ("conv(4, 3x3, bias=no) -> bn", "conv(4, 3x3) -> relu -> bn", "a: conv(4, 3x3)\nbn -> add(a)"):
        assert codes(body) == []
    assert codes("gap -> dense(3) -> bn") == ["W0304"]


def test_a_bias_that_one_call_needs_stays() -> None:
    block = "block b { conv(4, 3x3, pad=1) }"
    assert codes("b -> bn -> b -> relu", before=block) == []
    assert codes("b -> bn -> b -> bn", before=block) == ["W0304"]


def test_probabilities_before_a_loss() -> None:
    (item,) = found("flatten -> dense(3)\nsoftmax", after=TRAIN)
    assert (item.code, item.message) == ("W0305", "`cross_entropy` takes scores, not what `softmax` makes of them")
    assert item.fix is None, "the step is alone on its line"
    (item,) = found("flatten -> dense(3)  ->  softmax", after=TRAIN)
    assert item.fix is not None
    assert (item.fix.text, item.fix.span.end - item.fix.span.start) == ("", len("  ->  softmax"))
    assert codes("flatten -> dense(3)", after=TRAIN) == []
    assert codes("flatten -> dense(3) -> softmax") == [], "without a loss it is what is wanted"


def test_names_that_are_never_used() -> None:
    before = 'let a = 1  # a "a"\nparam b = 2\nblock c(d, e) { let f = 3; dense(d) }\nblock g { relu }'
    items = found("gap\ng", before=before)
    assert [item.message for item in items] == [
        "the constant `a` is never used",
        "the parameter `b` is never used",
        "the block `c` is never used",
        "the parameter `e` is never used",
        "the constant `f` is never used",
    ]
    assert {item.code for item in items} == {"W0306"}


def test_a_library_is_for_others() -> None:
    assert not check_source(Source("a.net", "let a = 1\nblock b(c) { dense(c) }"), {}, net=None, target="plain").diagnostics


def test_errors_come_first() -> None:
    report = check_source(Source("a.net", "let a = 1\nnet N { input x[3]\n dense(0) }"), {}, net=None, target="plain")
    assert [item.code for item in report.diagnostics] == ["E0106"]


def test_a_net_is_seen_as_deployed_and_as_trained() -> None:
    aux = "aux: gap -> dense(3)\nif training { output extra: from aux -> dense(2) }\noutput main: from x -> gap -> dense(2)"
    assert codes(aux) == [], "training reads it"
    assert codes("flatten -> dense(3) -> if not training { softmax }", after=TRAIN) == [], "the loss gets the scores"
    assert codes("flatten -> dense(3) -> if training { softmax }", after=TRAIN) == ["W0305"]


def test_imports_that_are_never_used() -> None:
    items = found("gap -> dense(3)", before="use std.vision: conv_bn, se as squeeze")
    assert [item.message for item in items] == ["the import `conv_bn` is never used", "the import `squeeze` is never used"]
    assert codes("conv_bn(4, 3x3)", before="use std.vision: conv_bn") == []
