"""Specs that parse and are wrong: the whole message, and each rule's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from elaborated import at, errors, examined, net, only_error, rendered

ERRORS = Path(__file__).parents[1] / "errors"
SYNTAX = {"assign", "paren", "two"}
FILES = sorted(path for path in ERRORS.glob("*.net") if path.stem not in SYNTAX)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_whole_message(path: Path, golden: Callable[[Path, str], None]) -> None:
    found = examined(path.read_text(encoding="utf-8"), file=path.name)
    assert found.failed
    golden(path.with_suffix(".txt"), f"{rendered(found)}\n")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("flat", "E0202"),
        ("four_k", "E0109"),
        ("half_channel", "E0208"),
        ("label_as_step", "E0110"),
        ("layer", "E0101"),
        ("residual", "E0201"),
        ("shape", "E0203"),
        ("two_inputs", "E0111"),
        ("two_outputs_one_loss", "E0304"),
        ("typo", "E0104"),
        ("window", "E0204"),
    ],
)
def test_each_broken_file_has_the_one_error_of_its_name(name: str, code: str) -> None:
    assert [error.code for error in errors((ERRORS / f"{name}.net").read_text(encoding="utf-8"))] == [code]


@pytest.mark.parametrize(
    ("body", "code", "message", "place"),
    [
        ("rellu", "E0101", "unknown layer or block `rellu`", "rellu"),
        ("cross_entropy", "E0101", "`cross_entropy` is a loss, not a step of a net", "cross_entropy"),
        ("conv(cc, 3)", "E0102", "unknown name `cc`", "cc"),
        ("conv(4, 3, pad=hlaf)", "E0102", "unknown name `hlaf`", "hlaf"),
        ("conv(4, 3, pad=foo(1))", "E0102", "unknown function or layer `foo`", "foo"),
        ("a: relu\na: relu", "E0103", "`a` is already the name of a label", "a"),
        ("x: relu", "E0103", "`x` is already the name of a label", "x"),
        ("let x = 3\nrelu", "E0103", "`x` is already the name of a label", "x"),
        ("conv(4, 3, strid=2)", "E0104", "`conv` has no argument `strid`", "strid"),
        ("conv(4)", "E0105", "`conv` needs `k`", "conv"),
        ("conv(0, 3)", "E0106", "`c` of `conv` must be at least 1, got 0", "0"),
        ("conv(4, 3, pad=-1)", "E0106", "`pad` of `conv` must be at least 0, got -1", "-1"),
        ("conv(4, 3, bias=2)", "E0106", "`bias` of `conv` must be `yes` or `no`, got 2", "2"),
        ('conv("4", 3)', "E0106", '`c` of `conv` must be a whole number, got "4"', '"4"'),
        ("conv(x, 3)", "E0106", "`c` of `conv` cannot be a tensor [3, 8, 8]", "x"),
        ("conv(4, 3, c=5)", "E0107", "the argument `c` of `conv` is given twice", "c"),
        ("relu(1)", "E0107", "too many arguments for `relu`", "1"),
        ("skip(1)", "E0107", "`skip` takes no arguments", "skip(1)"),
        ("conv(yes + 1, 3)", "E0108", "`+` needs a number, got `yes`", "yes + 1"),
        ("let k = 3\nconv(4k, 1)", "E0109", "`4k` is 4000, but `k` is a name here", "4k"),
        ("e: relu\nrelu -> e", "E0110", "`e` is a label, not a layer or block", "e"),
        ("let n = 3\nn", "E0110", "`n` is the number 3, not a layer or block", "n"),
        ("repeat 2 { input y[3] }", "E0112", "`input` stands only at the top of a net", "input y[3]"),
        ("repeat 2 { output y: relu }", "E0112", "`output` stands only in a net", "output y: relu"),
        ("add", "E0113", "`add` has nothing to join", "add"),
        ("relu { | skip }", "E0113", "`relu` joins nothing, so it takes no branches", "relu"),
        ("a: relu\nadd(a) { | skip }", "E0113", "`add` takes branches or labels, not both", "a"),
        ("add { | when no: skip | when x.c == 4: relu }", "E0113", "no branch of `add` is left", "add"),
        ("let n = 3\nfrom n -> relu", "E0114", "`from` needs a label or an input, `n` is 3", "n"),
        ("a: relu\nfrom a.b", "E0114", "a tensor of shape [3, 8, 8] has no `.b`", "a.b"),
        ("a: repeat 2 { b: relu }\nfrom a.b", "E0114", "`a` is a loop: its labels belong to its passes", "a.b"),
        ("conv(x.f, 3)", "E0114", "a tensor of shape [3, 8, 8] has no `.f`", "x.f"),
        ("a: repeat 2 { relu }\nfrom a[2]", "E0117", "index 2: the loop `a` has 2 passes", "a[2]"),
        ("conv([1, 2][2], 3)", "E0117", "index 2: the list has 2 elements", "[1, 2][2]"),
        ("conv(1 / 0, 3)", "E0117", "1 / 0: a division by zero", "1 / 0"),
        ("if 1 { relu }", "E0106", "the condition of `if` is `yes` or `no`, got the number 1", "1"),
        ("repeat 1.5 { relu }", "E0208", "the count of `repeat` must be a whole number, got 1.5", "1.5"),
        ("repeat 0 - 1 { relu }", "E0106", "`repeat` cannot run -1 times", "0 - 1"),
        ("for i in 3 { relu }", "E0108", "`for` needs a list, got the number 3", "3"),
        ("for a, b in [1, 2] { relu }", "E0108", "`for a, b` needs elements of 2 parts, got 1", "[1, 2]"),
        ("conv(4, 9)", "E0204", "window of `conv` is larger than its input", "9"),
        ("conv(4, 3, groups=2)", "E0205", "groups=2 does not divide 3 -> 4 channels", "groups=2"),
        ("conv(5/2, 3)", "E0208", "channels must be a whole number, got 2.5", "5/2"),
        ("relu :: [3, 8]", "E0203", "declared `:: [3, 8]`, inferred [3, 8, 8]", "[3, 8]"),
        ("let a = b\nlet b = 1\nrelu", "E0102", "unknown name `b`", "b"),
        ("let training = 3\nrelu", "E0103", "`training` is a name of the language", "training"),
        ("conv(sigmoid(1), 3)", "E0106", "`c` of `conv` cannot be the layer `sigmoid(1)`", "sigmoid(1)"),
        ("conv(erf(1), 3)", "E0108", "the function `erf` stands only in an `op`", "erf(1)"),
    ],
)
def test_one_error_where_it_is(body: str, code: str, message: str, place: str) -> None:
    text = net(body)
    error = only_error(text)
    assert (error.code, at(error, text)) == (code, place)
    assert message in error.message


def test_an_error_is_reported_once_and_nothing_after_it_cascades() -> None:
    text = net("a: conv(4, 9) -> relu -> maxpool(2)\nfrom a -> conv(8, 3) -> bn\nadd { | conv(8, 3) | skip }\nflatten -> dense(a.c)")
    assert only_error(text).code == "E0204"


def test_independent_errors_come_together_in_their_order() -> None:
    text = net("rellu\nfrom x -> conv(4, 3, strid=1)\nfrom x -> conv(4, 9)")
    assert [error.code for error in errors(text)] == ["E0101", "E0104", "E0204"]


def test_unknown_layers_behind_a_wrong_one_are_found_too() -> None:
    assert [error.code for error in errors(net("conv(4, 9) -> rellu -> tanhh"))] == ["E0204", "E0101", "E0101"]


def test_repeats_of_one_cause_are_folded() -> None:
    text = "block b { conv(4, 9) }\n" + net("from x -> b\nfrom x -> b\nfrom x -> b")
    error = only_error(text)
    assert error.notes[-1] == "the same 2 more times, in other calls, passes or nets"


def test_one_note_per_level_of_calls_with_arguments_and_input() -> None:
    text = "block inner(k, pad=0) { conv(4, k, pad=pad) }\nblock outer(k) { maxpool(2) -> inner(k + 1, pad=1) }\n" + net("outer(8)")
    error = only_error(text)
    assert at(error, text) == "k"
    assert error.notes[-2:] == (
        "in inner(9, pad=1), called at n.net:2:32, input [3, 4, 4]",
        "in outer(8), called at n.net:5:1, input [3, 8, 8]",
    )


def test_the_notes_of_deep_calls_are_cut() -> None:
    text = "block r(d) { if d > 0 { r(d - 1) } else { conv(4, 9) } }\n" + net("r(40)")
    notes = only_error(text).notes
    assert len(notes) == 9
    assert ".. 34 more calls .." in notes


def test_errors_of_a_template_come_through_its_aliases_only() -> None:
    template = "net T(k) { input x[3, 8, 8]\nconv(4, k) }\n"
    assert not examined(template).diagnostics
    error = only_error(template + "net A = T(k=9)")
    assert error.code == "E0204"
    assert error.notes[-1] == "in T(k=9), called at n.net:3:1"


def test_a_net_of_several_inputs_needs_from() -> None:
    text = "net N { input a[3]\ninput b[3]\nfrom a -> add(b) }"
    assert not examined(text).diagnostics
    assert only_error(text.replace("from a -> add(b)", "add(b)")).code == "E0111"
    assert only_error(text.replace("from a -> add(b)", "from a -> dense(in.f)")).code == "E0111"
    assert only_error("net N { input a[3]\ninput b[3] }").code == "E0111"


def test_a_net_needs_an_input_and_its_shape_must_be_one() -> None:
    assert {error.code for error in errors("net N { relu }")} == {"E0111", "E0112"}
    assert only_error("net N { input x[1, 2, 3, 4]\nrelu }").code == "E0210"
    assert only_error("net N { input x[0]\nrelu }").code == "E0210"
    assert only_error("net N { input x[2.5]\nrelu }").code == "E0208"


def test_names_of_the_file() -> None:
    assert only_error("block b { relu }\nblock b { tanh }\n" + net("b")).code == "E0103"
    assert only_error("let a = a + 1\n" + net("conv(a, 3)")).code == "E0115"
    assert only_error("net A = B(c=1)\n" + net("relu")).code == "E0116"
    assert [error.code for error in errors("net A = B()\nnet B = A()\n" + net("relu"))] == ["E0115", "E0115"]
    assert only_error("block b(c, c2=x2) { conv(c, 1) }\n" + net("b(1)")).code == "E0102"
    assert only_error("let c = 1\nblock b(c) { conv(c, 1) }\n" + net("b(1)")).code == "E0103"


def test_what_is_left_for_later_is_said_and_its_uses_are_silent() -> None:
    assert not examined("net M { input x[H, 3]\nrelu :: [H, 3] }").diagnostics


def test_fixes_can_be_applied() -> None:
    def mended(text: str) -> str:
        fix = only_error(text).fix
        assert fix is not None
        return text[: fix.span.start] + fix.text + text[fix.span.end :]

    for body in ("rellu", "conv(4, 3, strid=2)", "e: relu\ntanh\ne -> gap", "dense(4)", "let k = 3\nconv(4k, 1)"):
        assert not examined(mended(net(body))).diagnostics


def test_a_result_behind_the_first_error_has_no_row_and_no_shape() -> None:
    (found,) = examined("net N { input x[4]\nt: dense(3)\noutput a: from t -> relu\ndnse(3)\noutput b: from t -> relu }").nets
    assert found.output_shapes() == {"a": (3,)}
    assert [row.path for row in found.rows] == ["t", "a.relu.0"]
