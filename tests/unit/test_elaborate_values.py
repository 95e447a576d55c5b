"""Numbers, lists and functions of the language."""

from __future__ import annotations

from fractions import Fraction

import pytest
from elaborated import errors, examined, net, only_error, sound

from netspec.diagnostics import Source
from netspec.elaborate import limits
from netspec.elaborate.arithmetic import round8
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.limits import Budget
from netspec.elaborate.problems import Problems
from netspec.elaborate.scope import Context, File, Mode, Scope
from netspec.elaborate.values import Value
from netspec.layers import LAYERS
from netspec.syntax import tree
from netspec.syntax.parse import parse


def value(text: str) -> Value:
    """The value of an expression, which has one."""
    source = Source("n.net", f"let v = {text}")
    problems = Problems(source)
    (declared,) = parse(source.text, source.file).declarations
    assert isinstance(declared, tree.Let)
    found = evaluate(declared.value, Scope(Context(File(), problems, Budget(), lambda name: 0, Mode())))
    assert not problems.diagnostics, problems.diagnostics
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64 / 2", 32),
        ("1 / 3 + 1 / 6", Fraction(1, 2)),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7 % 4", 3),
        ("10%", Fraction(1, 10)),
        ("2 ** 10", 1024),
        ("2 ** -2", Fraction(1, 4)),
        ("-2 ** 2", -4),
        ("4.1G", 4_100_000_000),
        ("16 MiB", 16 * 2**20),
        ("1 + 2 * 3", 7),
        ("if 1 < 2 then 3 else 1 / 0", 3),
        ("yes and not no", True),
        ("no and 1 / 0 == 1", False),
        ("yes or 1 / 0 == 1", True),
        ("3x3", (3, 3)),
        ("[1, 2] + [3]", (1, 2, 3)),
        ("[1, 2] * 2", (1, 2, 1, 2)),
        ("[1, [2, 3]][1][0]", 2),
        ("[1, 2] == (1, 2)", True),
        ("[1, 2] == [1, _]", True),
        ("[1, 2] == [1, 3]", False),
        ("1 == yes", False),
        ("len(1..4)", 4),
        ("sum(1..4)", 10),
        ("sum([])", 0),
        ("min(3, 1, 2)", 1),
        ("max([3, 1, 2])", 3),
        ("range(3)", (0, 1, 2)),
        ("range(1, 6, 2)", (1, 3, 5)),
        ("zip([1, 2], [3, 4])", ((1, 3), (2, 4))),
        ("enumerate([5, 6])", ((0, 5), (1, 6))),
        ("enumerate([(5, 6)])", ((0, 5, 6),)),
        ("take([1, 2, 3], 2)", (1, 2)),
        ("outer([1/4, 1/2], [1/4, 1/2])", ((Fraction(1, 16), Fraction(1, 8)), (Fraction(1, 8), Fraction(1, 4)))),
        ("floor(5 / 2)", 2),
        ("ceil(5 / 2)", 3),
        ("round(7 / 3)", 2),
        ("abs(-3)", 3),
        ("sqrt(9 / 4)", Fraction(3, 2)),
        ("exp(0)", 1),
        ("log(1)", 0),
        ("2 epochs + 3 epochs == 5 epochs", True),
        ("2 * 3 epochs > 5 epochs", True),
    ],
)
def test_values(text: str, expected: Value) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_whole_results_are_whole_numbers() -> None:
    assert isinstance(value("64 / 2"), int)
    assert isinstance(value("0.5 * 4"), int)


@pytest.mark.parametrize(("number", "expected"), [(32, 32), (11.2, 16), (44.8, 48), (3, 8), (1280 * 1.4, 1792), (33.6, 32), (12, 16)])
def test_round8_is_torchvisions_make_divisible(number: float, expected: int) -> None:
    assert round8(Fraction(str(number))) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("10**10**10", "E0505"),
        ("10**18 * 10", "E0505"),
        ("2**-100000", "E0505"),
        ("[0] * 100001", "E0505"),
        ("[[0] * 400] * 400", "E0505"),
        ("range(10**9)", "E0505"),
        ("len(1..10**9)", "E0505"),
        ("outer([0] * 1000, [0] * 1000)", "E0505"),
        ("sqrt(0 - 1)", "E0117"),
        ("log(0)", "E0117"),
        ("exp(1000)", "E0117"),
        ("0 ** -1", "E0117"),
        ("min([])", "E0117"),
        ("zip([1], [1, 2])", "E0108"),
        ("len(3)", "E0108"),
        ("len([1], [2])", "E0107"),
        ("len(a=[1])", "E0104"),
        ("range(0.5)", "E0208"),
        ("1 < [2]", "E0108"),
        ("[1] * [2]", "E0108"),
        ("2 epochs + 3 steps", "E0108"),
        ("not 3", "E0108"),
        ("3 .c", "E0114"),
    ],
)
def test_expressions_without_a_value(text: str, code: str) -> None:
    assert only_error(f"param v = {text}\n" + net("conv(v, 3)")).code == code


def test_many_evaluation_steps_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_STEPS", 300_000)
    text = "let a = [0] * 90000\n" + net("repeat 1000 { dropout(sum(a)) }")
    assert only_error(text).code == "E0506"


def test_constants_may_use_each_other_in_any_order() -> None:
    assert sound("let a = b * 2\nparam b = 3\n" + net("conv(a, 1)")).rows[0].output == (6, 8, 8)


def test_settings_reach_params_and_parameters_of_nets_but_no_lets() -> None:
    text = "param a = 2\nlet b = a * 2\nnet N(k=1, act=relu) { input x[3, 8, 8]\nconv(b, k) -> act }"
    assert [row.output for row in sound(text, {"a": "5", "k": 3}).rows] == [(10, 6, 6), (10, 6, 6)]
    assert sound(text, {"act": "leaky_relu(0.2)"}).rows[-1].kind == "leaky_relu"
    with pytest.raises(Exception, match="no parameter `b`"):
        examined(text, {"b": 3})
    with pytest.raises(Exception, match="`a=1 \\+`"):
        examined(text, {"a": "1 +"})
    with pytest.raises(Exception, match="is no value"):
        examined(text, {"a": "nothing"})


def test_python_values_of_settings() -> None:
    text = (
        "param hidden = [1]\nparam rate = 0.5\nparam on = no\nnet N { input x[4]\nfor h in hidden { dense(h) }\nif on { dropout(rate) } }"
    )
    found = sound(text, {"hidden": [3, 2], "rate": 0.25, "on": True})
    assert [row.output for row in found.rows] == [(3,), (2,), (2,)]
    assert found.graph is not None
    assert found.graph.layers[-1].layer == LAYERS["dropout"](rate=0.25)


def test_a_wrong_setting_is_an_error_at_its_use() -> None:
    error = errors("param c = 3\n" + net("conv(c, 3)"), {"c": 0})[0]
    assert (error.code, error.span.line) == ("E0106", 4)
