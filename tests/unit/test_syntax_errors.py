"""Unsound texts: every mistake is reported once, where it is, with its mend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netspec.diagnostics import Diagnostic, SpecError
from netspec.syntax.parse import parse

ERRORS = Path(__file__).parents[1] / "errors"
UNSOUND = ("assign", "paren", "two")


def errors(text: str) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        parse(text, "n.net")
    found = list(caught.value.diagnostics)
    assert [error.span.start for error in found] == sorted(error.span.start for error in found)
    return found


def places(text: str) -> list[tuple[str, int]]:
    return [(error.code, error.span.line) for error in errors(text)]


def in_net(*lines: str) -> str:
    return "net N {\n" + "\n".join(lines) + "\n}"


@pytest.mark.parametrize("name", UNSOUND)
def test_the_whole_message(name: str, golden: Callable[[Path, str], None]) -> None:
    with pytest.raises(SpecError) as caught:
        parse((ERRORS / f"{name}.net").read_text(encoding="utf-8"), f"{name}.net")
    golden(ERRORS / f"{name}.txt", f"{caught.value}\n")


@pytest.mark.parametrize("path", sorted(ERRORS.glob("*.net")), ids=lambda path: path.stem)
def test_other_errors_are_left_to_later_stages(path: Path) -> None:
    if path.stem not in UNSOUND:
        parse(path.read_text(encoding="utf-8"), path.name)


def test_two_net_has_three_errors() -> None:
    assert places((ERRORS / "two.net").read_text(encoding="utf-8")) == [("E0001", 3), ("E0001", 5), ("E0001", 8)]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", "E0007", "declares nothing"),
        ("# only\n\n ;\n", "E0007", "declares nothing"),
        ("net in { relu }", "E0006", "`in` is a keyword and cannot be a name"),
        ("let train = 3", "E0006", "`train` is a keyword"),
        ("x = 3", "E0004", "`x = ..` is not a declaration"),
        ("nett N { relu }", "E0001", "unexpected `nett`"),
        ("net N { relu }\n}", "E0001", "no `{` is open here"),
        ("net N { relu", "E0001", "unexpected end of the file: the `{` opened at 1:7 is still open"),
        (in_net("x = conv(3)"), "E0004", "not how a value is named"),
        (in_net("x = 3"), "E0004", "not a statement"),
        (in_net("conv(3]"), "E0001", "`]` does not close the `(` opened at 2:5"),
        (in_net("conv(3))"), "E0001", "unexpected `)`: no `(` is open here"),
        (in_net("conv(3, , 4)"), "E0001", "unexpected `,`: a value is missing"),
        (in_net("conv(3 4)"), "E0001", "unexpected `4`: a `,` is missing"),
        (in_net("conv(3) relu"), "E0001", "unexpected `relu`: a `->` is missing"),
        (in_net("conv(3 -> relu"), "E0001", "unexpected `->`: the `(` opened at 2:5 is still open"),
        (in_net("conv(3; relu"), "E0001", "unexpected `;`: the `(` opened at 2:5 is still open"),
        (in_net("conv(3,", "4,", "pad=1", "relu"), "E0001", "unexpected `relu`: the `(` opened at 2:5 is still open"),
        (in_net("let a = [1, (2", "relu"), "E0001", "unexpected `relu`: the `(` opened at 2:13 is still open"),
        (in_net("add { | | relu }"), "E0005", "this branch is empty"),
        (in_net("add { | relu | }"), "E0005", "this branch is empty"),
        (in_net("add { | when a: | relu }"), "E0005", "this branch is empty"),
        (in_net("add { }"), "E0005", "no branches"),
        (in_net("add { relu }"), "E0001", "a branch starts with `|`"),
        (in_net("| relu"), "E0001", "inside of a merge"),
        (in_net("inptu x[3]"), "E0001", "unexpected `inptu`"),
        (in_net("if a { b } els { c }"), "E0001", "unexpected `els`"),
        (in_net("net M { relu }"), "E0001", "declarations stand at the top"),
        (in_net("if a = b { c }"), "E0001", "unexpected `=`"),
        (in_net("let a = b < c < d"), "E0001", "comparisons do not chain"),
        (in_net('conv("abc)'), "E0002", "no closing"),
        (in_net("conv('abc')"), "E0003", "`'` means nothing here"),
        (in_net("conv(3) → relu"), "E0003", "`→` means nothing here"),
        (in_net("größe: relu"), "E0003", "`öß` means nothing here"),
        (in_net("relu\0"), "E0003", "U+0000"),
        (in_net("conv(pad=.5)"), "E0001", "starts with a digit"),
        (in_net("// comment"), "E0001", "unexpected `//`"),
        (in_net("repeat 2"), "E0001", "unexpected end of the line"),
        (in_net("conv(3) ->"), "E0001", "unexpected `}`"),
        ("train N { f(in=3) }", "E0001", "unexpected `(`"),
        ("train N { a = f(in=3) }", "E0006", "`in` is a keyword"),
        ("expect N { a == 3, b == 4 }", "E0001", "unexpected `,`"),
    ],
)
def test_one_mistake_is_one_error(text: str, code: str, message: str) -> None:
    (error,) = errors(text)
    assert error.code == code
    assert message in error.message
    assert 0 <= error.span.start <= error.span.end <= len(text)


def test_no_message_names_a_token_type() -> None:
    for text in (
        "net",
        "net N",
        in_net("f(1", "g"),
        in_net("f[3]"),
        "use a",
        "param x",
        "expect N { 1 2 }",
        "train N { a { b } }",
        "op f = 3",
    ):
        for error in errors(text):
            words = f"{error.message} {error.label} {error.help}"
            assert not any(name in words for name in ("RPAR", "LBRACE", "_NL", "$END", "NAME", "NUMBER", "_SEMICOLON"))


@pytest.mark.parametrize(
    "text",
    [
        in_net("x = conv(3)"),
        in_net("x = 3"),
        in_net("conv(3, , 4)"),
        in_net("conv(3 4) -> relu"),
        in_net("conv(3) relu"),
        in_net("conv(3", "relu"),
        in_net("conv(3 -> relu"),
        in_net("conv(3]"),
        in_net("conv(3))"),
        in_net("add { | | relu }"),
        in_net("add { relu }"),
        in_net("inptu x[3]"),
        in_net("if a = b { c }"),
        in_net("conv(pad=.5)"),
        in_net("conv(3) → relu"),
        "nett N { relu }",
        "net N { relu }\n}",
        "expect N { a == 3, b == 4 }",
    ],
)
def test_applying_the_fix_mends_the_text(text: str) -> None:
    (error,) = errors(text)
    assert error.fix
    parse(text[: error.fix.span.start] + error.fix.text + text[error.fix.span.end :], "n.net")


def test_every_faulty_statement_is_reported_and_nothing_else() -> None:
    text = in_net("conv(3 4)", "relu", "x = conv(3)", "repeat {", "  conv(3 4)", "  relu", "}", "dense(10", "relu", "add { | | a }", "b c")
    assert [line for _, line in places(text)] == [2, 4, 5, 6, 10, 11, 12]


def test_bodies_behind_faulty_headers_are_checked() -> None:
    assert [line for _, line in places("net in {\n a b\n}\nblok b(c) {\n a b\n}\ntrain A a {\n lr 3\n}\nexpect {\n a b\n}")] == [
        1,
        2,
        4,
        5,
        7,
        8,
        10,
        11,
    ]


def test_an_unclosed_body_ends_where_a_declaration_stands() -> None:
    text = "net N {\n  repeat 3 {\n    relu\n  relu\n}\nnet M {\n  a b\n}"
    first, second = errors(text)
    assert (first.span.line, second.span.line) == (6, 7)
    assert [label.span.line for label in first.labels] == [1, 2, 5]


def test_statements_outside_of_a_body_are_one_error() -> None:
    assert places("net N {\n  repeat 2 { a } }\n  relu\n  relu\n}\nnet M {\n  a b\n}") == [("E0001", 3), ("E0001", 7)]


def test_at_most_twenty_errors() -> None:
    assert len(errors(in_net(*["a b"] * 50))) == 20


def test_only_a_bracket_that_nothing_closes_is_called_open() -> None:
    (closed,) = errors(in_net("relu(a(= 2) -> tanh)"))
    assert closed.labels == ()
    (unclosed,) = errors("let a = b(c(= 2")
    assert [(label.span.column, label.text) for label in unclosed.labels] == [(12, "opened here, and not closed")]
