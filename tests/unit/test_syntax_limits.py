"""No text hangs or exhausts the parser: limits, linear time, and texts that nobody would write."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.diagnostics import SpecError
from netspec.syntax.parse import parse

EXAMPLES = [path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parents[1] / "examples").glob("*.net"))]
PIECES = ["(", ")", "[", "]", "{", "}", "|", "->", "::", ",", ";", ":", "=", "==", "\n", '"', "#", "'", "%", "..", "3x3", "1e9", "4k", ".5"]
PIECES += [
    "net ",
    "block ",
    "train ",
    "let ",
    "use ",
    "if ",
    "else ",
    "in ",
    "when ",
    "from ",
    "output ",
    "repeat ",
    "for ",
    "not ",
    "é",
    "\0",
]


def code(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse(text, "n.net")
    return caught.value.diagnostics[0].code


EXCESSIVE = {
    "size": ("x" * 300_000, "E0501"),
    "parentheses": ("let x = " + "(" * 100_000, "E0502"),
    "braces": ("net N {" + "repeat 2 {" * 20_000, "E0502"),
    "sum": ("let x = " + "1+" * 100_000 + "1", "E0502"),
    "sum over lines": ("let x = " + "1 +  # more\n\n" * 9_000 + "1", "E0502"),
    "minus": ("let x = " + "-" * 100_000 + "1", "E0502"),
    "not": ("let x = " + "not " * 50_000 + "1", "E0502"),
    "power": ("let x = " + "2**" * 80_000 + "1", "E0502"),
    "subscripts": ("let x = a" + " [0]" * 60_000, "E0502"),
    "attributes": ("let x = 5" + ".b" * 100_000, "E0502"),
    "conditionals": ("let x = " + "if a then b else " * 14_000 + "1", "E0502"),
    "else if": ("net N { if a { relu }" + "\n# or\nelse if a { relu }" * 9_000 + "}", "E0502"),
    "digits": ("let x = " + "9" * 200_000, "E0505"),
    "zeros": ("let x = 0." + "0" * 200_000 + "1", "E0505"),
    "exponent": ("let x = 1e99999999", "E0505"),
    "sides": ("net N { conv(" + "9" * 100 + "x3) }", "E0505"),
}


@pytest.mark.parametrize("name", EXCESSIVE)
def test_excess_is_an_error_at_once(name: str) -> None:
    text, expected = EXCESSIVE[name]
    parse("net N { relu }", "warm.net")
    start = time.perf_counter()
    assert code(text) == expected
    assert time.perf_counter() - start < 0.5  # 0.02 s on an idle machine


def test_what_stands_side_by_side_is_not_nested() -> None:
    rows = ",\n".join("[1, -1, 2 * 3, f(a.b[0])]" for _ in range(500))
    lines = "\n".join(f"l{i}: conv({i}, 3x3, pad=1) -> bn -> relu" for i in range(500))
    chain = " -> ".join(["relu"] * 500)
    ifs = "\n".join("if a > 1 { relu } else if b { tanh } else { skip }" for _ in range(100))
    parse(f"let table = [{rows}]\nlet s = {' + '.join(['a[0]'] * 150)}\nnet N {{\n{lines}\n{chain}\n{ifs}\n}}", "n.net")


def test_as_deep_as_allowed_does_parse() -> None:
    parse("let x = " + "(" * 200 + "1" + ")" * 200, "n.net")
    parse("net N {" + "repeat 2 {" * 63 + "relu" + "}" * 64, "n.net")
    assert code("let x = " + "(" * 201 + "1" + ")" * 201) == "E0502"
    assert code("net N {" + "repeat 2 {" * 64 + "relu" + "}" * 65) == "E0502"


LONG = {
    "blank lines": lambda n: "\n" * (20 * n) + "net N { relu }",
    "comments": lambda n: "# c -> {\n" * (4 * n) + "net N { relu }",
    "statements": lambda n: "net N {" + "a\n" * n + "}",
    "errors": lambda n: "net N {" + "a b a b\n" * n + "}",
    "error in one line": lambda n: "net N {" + "a b " * n + "}",
    "stray brackets": lambda n: "net N { relu }" + ")" * (2 * n),
    "wrong brackets": lambda n: "(}" * n,
    "bars": lambda n: "net N {" + "|" * n + "}",
    "spaces": lambda n: (" " * n + "\n") * 10,
    "quotes": lambda n: "'" * n,
    "strange": lambda n: "\0" * n,
}


@pytest.mark.parametrize("name", LONG)
def test_time_grows_linearly(name: str) -> None:
    """Four times the text takes less than ten times as long: sixteen times would be quadratic."""

    def seconds(size: int) -> float:
        text = LONG[name](size)
        best = 1e9
        for _ in range(2):
            start = time.perf_counter()
            with suppress(SpecError):
                parse(text, "n.net")
            best = min(best, time.perf_counter() - start)
        return best

    seconds(10)
    times = [seconds(size) for size in (400, 1600, 6400)]
    assert any(later < 10 * earlier + 0.02 for earlier, later in pairwise(times[1:] if times[0] < 0.005 else times)), times


def unharmed(text: str) -> None:
    """The text parses, or its errors lie inside of it; nothing else is raised."""
    try:
        parse(text, "n.net")
    except SpecError as error:
        assert 1 <= len(error.diagnostics) <= 20
        for item in error.diagnostics:
            for span in (item.span, *(label.span for label in item.labels), *((item.fix.span,) if item.fix else ())):
                assert 0 <= span.start <= span.end <= len(text)
                before = text[: span.start]
                assert (span.line, span.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_examples_give_errors_and_nothing_else(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(EXAMPLES))
    start = data.draw(st.integers(0, len(text)))
    text = text[start : start + 600] if data.draw(st.booleans()) else text[:600]
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.sampled_from([0, 0, 1, 1, 3, 20]))
        text = text[:at] + data.draw(st.sampled_from(["", *PIECES])) + text[at + cut :]
    unharmed(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*PIECES, "a", " b", "1", "{ | a }", "x: f(1)\n"]), max_size=60).map("".join))
def test_pieces_in_any_order(text: str) -> None:
    unharmed(text)
    unharmed("net N {\n" + text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    unharmed(text)
