"""Sound texts: what the tree says, and where."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from netspec.diagnostics import Span
from netspec.syntax import tree as t
from netspec.syntax.parse import parse

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.net"))


def body(text: str) -> tuple[t.Item, ...]:
    net = parse("net N {\n" + text + "\n}", "n.net").declarations[0]
    assert isinstance(net, t.Net)
    return net.body.items


def value(text: str) -> t.Expr:
    let = parse("let x = " + text, "n.net").declarations[0]
    assert isinstance(let, t.Let)
    return let.value


def show(expr: t.Expr) -> str:
    """The expression with all of its parentheses."""
    match expr:
        case t.Binary(operator, left, right):
            return f"({show(left)} {operator} {show(right)})"
        case t.Unary(operator, operand):
            return f"({operator} {show(operand)})"
        case t.Conditional(condition, then, otherwise):
            return f"({show(condition)} ? {show(then)} : {show(otherwise)})"
        case t.Reference(name, arguments):
            listed = [(f"{a.name.text}=" if a.name else "") + show(a.value) for a in arguments or ()]
            return name.text if arguments is None else f"{name.text}({', '.join(listed)})"
        case t.Attribute(base, name):
            return f"{show(base)}.{name.text}"
        case t.Index(base, index):
            return f"{show(base)}[{show(index)}]"
        case t.Tuple(items) | t.List(items):
            return f"<{', '.join(show(item) for item in items)}>"
        case t.Number(_, _, text) | t.String(text):
            return text
        case _:
            return "x".join(str(side) for side in expr.values)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_parses(path: Path) -> None:
    spec = parse(path.read_text(encoding="utf-8"), path.name)
    assert any(isinstance(item, t.Net) for item in spec.declarations)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 18


@pytest.mark.parametrize(
    ("text", "meaning", "unit"),
    [
        ("64", 64, None),
        ("60_289", 60289, None),
        ("0.1", Fraction(1, 10), None),
        ("1e-3", Fraction(1, 1000), None),
        ("1.0", 1, None),
        ("4.1G", 4_100_000_000, None),
        ("450k", 450_000, None),
        ("10%", Fraction(1, 10), None),
        ("2 epochs", 2, "epochs"),
        ("1 epoch", 1, "epochs"),
        ("400_000 steps", 400_000, "steps"),
        ("10 deg", 10, "deg"),
        ("16 MiB", 16, "MiB"),
    ],
)
def test_numbers_are_exact(text: str, meaning: int | Fraction, unit: str | None) -> None:
    number = value(text)
    assert isinstance(number, t.Number)
    assert (number.value, number.unit, number.text) == (meaning, unit, text)
    assert isinstance(number.value, int) == (number.value.denominator == 1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1 + 2 * 3 ** -x ** 2", "(1 + (2 * (3 ** (- (x ** 2)))))"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("not a and b or c == d + 1", "(((not a) and b) or (c == (d + 1)))"),
        ("0.08..1", "(0.08 .. 1)"),
        ("H % 16 == 0", "((H % 16) == 0)"),
        ("10 % n", "(10 % n)"),
        ("10% - n", "(10% - n)"),
        ("down[3 - i].keep.c", "down[(3 - i)].keep.c"),
        ("if i > 0 then a else if b then c else d", "((i > 0) ? a : (b ? c : d))"),
        ("f(1, k=2, train=in.c,)", "f(1, k=2, train=in.c)"),
        ("[1, (2, 3), [], (4,), (5)]", "<1, <2, 3>, <>, <4>, 5>"),
        ("3x3", "3x3"),
        ("(a + b) * c", "((a + b) * c)"),
    ],
)
def test_operators_bind_as_the_language_says(text: str, shown: str) -> None:
    assert show(value(text)) == shown


def test_spans_hold_parentheses_and_names() -> None:
    product = value("(a + b) * c")
    assert product.span == Span("n.net", 8, 19, 1, 9)
    assert isinstance(product, t.Binary)
    assert product.left.span == Span("n.net", 9, 14, 1, 10)
    text = "  c1: conv(8,\n 3x3) -> bn  :: [8, 5, 5]  # end"
    (statement,) = body(text)
    assert isinstance(statement, t.Statement) and statement.label and statement.shape

    def quoted(span: Span) -> str:
        return ("net N {\n" + text)[span.start : span.end]

    assert (statement.span.line, statement.span.column) == (2, 3)
    assert quoted(statement.span) == "c1: conv(8,\n 3x3) -> bn  :: [8, 5, 5]"
    assert quoted(statement.label.span) == "c1"
    assert quoted(statement.chain.span) == "conv(8,\n 3x3) -> bn"
    assert quoted(statement.shape.span) == "[8, 5, 5]"


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("a\nb", 2),
        ("a; b", 2),
        ("a\n-> b", 1),
        ("a ->\n# comment\n\n b", 1),
        ("a\n\n  # comment; -> c\n  :: [1]", 1),
        ("repeat 2\n{ a\n b }", 1),
        ("if c { a }\nelse { b }", 1),
        ("if c { a }\nelsewhere", 2),
        ("a(1,\n 2\n + 3)", 1),
        ("let x = 1 +\n 2\na", 2),
        ("let x = not\n b\na", 2),
        ("\n\n a \n\n b ; ; c\n", 3),
    ],
)
def test_a_newline_ends_a_statement_unless_it_goes_on(text: str, statements: int) -> None:
    assert len(body(text)) == statements
    assert len(body(text.replace("\n", "\r\n"))) == statements


def test_else_if_is_an_if_in_the_body_of_else() -> None:
    (statement,) = body("if a { b } else if c { d } else { e }")
    assert isinstance(statement, t.Statement)
    (outer,) = statement.chain.steps
    assert isinstance(outer, t.If) and outer.otherwise
    (inner,) = outer.otherwise.items
    assert isinstance(inner, t.Statement)
    assert isinstance(inner.chain.steps[0], t.If) and inner.chain.steps[0].otherwise


def test_merges_hold_branches_with_guards() -> None:
    (statement,) = body("add(e1) {\n | a\n   b\n | when in.c == c: skip\n} -> relu")
    assert isinstance(statement, t.Statement)
    merge, relu = statement.chain.steps
    assert isinstance(merge, t.Call) and isinstance(relu, t.Call)
    assert merge.branches is not None and relu.branches is None and relu.arguments is None
    assert [(branch.guard is not None, len(branch.items)) for branch in merge.branches] == [(False, 2), (True, 1)]
    assert (merge.branches[0].span.line, merge.branches[0].span.end) == (3, merge.branches[0].items[1].span.end)


def test_declarations() -> None:
    text = (
        'use std.vision: conv_bn, se as s\nuse "a.net": b\nparam w: 8..512 = 64\nop f(x, k=1) = x * k\n'
        "net B = A(depth=3)\ntrain B as fine { data { train = a(1); in = b }; eval = c -> d }\nexpect B { output == [10] }"
    )
    vision, file, param, op, alias, train, expect = parse(text, "n.net").declarations
    assert isinstance(vision, t.Use) and [name.text for name in vision.module] == ["std", "vision"] and vision.path is None
    assert [(i.name.text, i.alias and i.alias.text) for i in vision.imports] == [("conv_bn", None), ("se", "s")]
    assert isinstance(file, t.Use) and file.module == () and file.path and file.path.text == "a.net"
    assert isinstance(param, t.Param) and isinstance(param.type, t.Binary)
    assert isinstance(op, t.Op) and [formal.default is None for formal in op.formals] == [True, False]
    assert isinstance(alias, t.Alias) and alias.template.text == "A" and len(alias.arguments) == 1
    assert isinstance(train, t.Train) and train.alias and train.alias.text == "fine"
    data, evaluation = train.settings
    assert isinstance(data, t.Group) and [setting.name.text for setting in data.settings] == ["train", "in"]
    assert isinstance(evaluation, t.Setting) and len(evaluation.values) == 2
    assert isinstance(expect, t.Expect) and [show(line) for line in expect.lines] == ["(output == <10>)"]


def test_a_byte_order_mark_is_skipped() -> None:
    (net,) = parse("\ufeffnet N { relu }", "n.net").declarations
    assert (net.span.start, net.span.column) == (1, 2)
