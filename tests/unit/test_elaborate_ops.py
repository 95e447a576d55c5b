"""`op`: what it means as a layer, and every way to get it wrong."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from elaborated import at, errors, examined, net, only_error, rendered, rows, sound

from netspec.elaborate import ops
from netspec.graph.graph import Graph
from netspec.graph.types import Layer
from netspec.kernels.pointwise import value_at
from netspec.kernels.scalar import PRIMITIVES, Call, Expr, call
from netspec.layers.op import operand
from netspec.runtime import reference

SWISH = "op swish(x, beta=1.0) = x * sigmoid(beta * x)\n"
DISTANCE = "op distance(a, b) = abs(a - b)\n"


def layer(text: str, number: int = -1) -> Layer:
    graph = sound(text).graph
    assert isinstance(graph, Graph)
    return graph.layers[number].layer


def test_an_op_is_a_layer() -> None:
    found = layer(SWISH + net("swish(beta=1.5)"))
    assert (found.name, dict(found.given()), found.merge) == ("swish", {"beta": 1.5}, False)
    (formula,) = found.compute((2, 3), training=False).formulas
    assert str(formula) == "y[n, t, f] = (x[n, t, f] * sigmoid((1.5 * x[n, t, f])))"
    assert [str(layer(SWISH + net(body)).compute((2,), training=True).formulas[0]) for body in ("swish", "swish(2)")] == [
        "y[n, f] = (x[n, f] * sigmoid(x[n, f]))",
        "y[n, f] = (x[n, f] * sigmoid((2 * x[n, f])))",
    ]


def test_named_tensors() -> None:
    """By place or name, numbers behind them; repeated like those of `add`."""
    text = "op mixed(a, b, share=0.5) = share * a + (1 - share) * b\n"
    for arguments in ("g", "g, 0.25", "b=g, share=0.25", "share=0.25, b=g"):
        checked = sound(text + net(f"a: relu\ng: gap\nfrom a -> mixed({arguments})"))
        assert checked.graph is not None
        node = checked.graph.layers[-1]
        assert (node.inputs, rows(checked)["mixed.0"]) == (("a.relu.0", "g.gap.0"), (3, 8, 8))
        (formula,) = node.layer.compute((3, 8, 8), (3,), training=False).formulas
        assert str(formula).endswith("+ (0.5 * x1[n, c]))" if arguments == "g" else "+ (0.75 * x1[n, c]))")


def test_as_an_argument_and_within_ops() -> None:
    text = SWISH + "op twice(x) = swish(swish(x), beta=2)\nblock b(act) { conv(4, 3x3) -> act }\n"
    checked = sound(text + net("b(swish(beta=3))\nb(act=swish)\nb(twice)"))
    assert [row.kind for row in checked.rows] == ["conv", "swish", "conv", "swish", "conv", "twice"]
    body = layer(text + net("twice")).compute((1,), training=False).formulas[0].body
    inner = call("mul", operand(0), call("sigmoid", operand(0)))
    assert str(body).replace("x[n, f]", "x0[]") == str(call("mul", inner, call("sigmoid", call("mul", 2, inner))))


def test_an_op_may_be_a_parameter() -> None:
    text = SWISH + "param act = swish\n" + net("act")
    assert [row.kind for row in sound(text).rows] == ["swish"]
    found = examined(text, {"act": "swish(beta=2)"}).nets[0].graph
    assert found is not None
    assert dict(found.layers[0].layer.given()) == {"beta": 2.0}


def test_numbers_of_the_file() -> None:
    """Constants and parameters, at the values that they have been given."""
    text = "param gain = 2\nlet twice = 2 * gain\nop scale(x, by=twice) = by * x + gain\n" + net("scale")
    assert "(4 * x[n, f]) + 2)" in str(layer(text).compute((1,), training=False).formulas[0])
    graph = examined(text, {"gain": 3}).nets[0].graph
    assert graph is not None
    assert "(6 * x[n, f]) + 3)" in str(graph.layers[0].layer.compute((1,), training=False).formulas[0])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("x ** 3", lambda x: x**3),
        ("x ** -2", lambda x: x**-2.0),
        ("abs(x) ** 0.5", lambda x: np.sqrt(abs(x))),
        ("abs(x) ** 1.7", lambda x: abs(x) ** 1.7),
        ("x ** 0 + x", lambda x: 1 + x),
        ("-x / 3 - 2", lambda x: -x / 3 - 2),
        ("min(x, 1, -2 * x)", lambda x: np.minimum(np.minimum(x, 1), -2 * x)),
        ("max(0, x)", lambda x: np.maximum(0, x)),
        ("if x > 0 and not x >= 2 then x else -1", lambda x: np.where((x > 0) & (x < 2), x, -1)),
        ("if x < -1 or x != x * 1 then 1 else x", lambda x: np.where(x < -1, 1, x)),
        ("if 1 < 2 then x else exp(x)", lambda x: x),
        ("log1p(exp(-abs(x))) + expm1(x) + tanh(x) * erf(x) - log(x * x + 1)",
         lambda x: np.log1p(np.exp(-abs(x))) + np.expm1(x) + np.tanh(x) * np.vectorize(__import__("math").erf)(x) - np.log(x * x + 1)),
        ("x * floor(2.7) + sqrt(16) + round8(30) + sigmoid(0) + max(1, 2)", lambda x: 2 * x + 4 + 32 + 0.5 + 2),
    ],
)  # fmt: skip
def test_values(expression: str, expected: object) -> None:
    graph = sound_or_warned(f"op f(x) = {expression}\n" + net("f", "[7]"))
    x = np.linspace(-2.5, 2.5, 7) + 0.01
    (formula,) = graph.layers[0].layer.compute((7,), training=False).formulas
    found = reference.evaluate([formula], {"x": x[None]}, {"y": ("N", 7)})["y"][0]
    np.testing.assert_allclose(found, expected(x), rtol=1e-12, atol=1e-12)  # type: ignore[operator]


def sound_or_warned(text: str) -> Graph:
    found = examined(text)
    assert not found.failed, rendered(found)
    graph = found.nets[0].graph
    assert graph is not None
    return graph


@pytest.mark.parametrize(
    ("declared", "code", "message", "place"),
    [
        ("op f(x) = sigmiod(x)", "E0102", "unknown function `sigmiod`", "sigmiod(x)"),
        ("op f(x) = relu(x)", "E0108", "`relu` is a step, and an op computes with functions", "relu(x)"),
        ("op f(x) = x + z", "E0102", "unknown name `z`", "z"),
        ("op f(x) = x.c + x", "E0108", "an op computes a number from numbers: `x.c` is none", "x.c"),
        ("op f(x) = x + [1]", "E0108", "an op computes a number from numbers: `[1]` is none", "[1]"),
        ("let l = [1]\nop f(x) = x + l", "E0108", "an op computes a number from numbers, `l` is the list [1]", "l"),
        ("op f(x) = x + 2 epochs", "E0108", "an op computes a number from numbers, `2 epochs` is `2 epochs`", "2 epochs"),
        ("op f(x) = x > 0", "E0108", "the value of an op needs a number, got yes or no", "x > 0"),
        ("op f(x) = (x > 0) * x", "E0108", "`*` needs a number, got yes or no", "(x > 0) * x"),
        ("op f(x) = if x then 1 else 0", "E0108", "a condition is `yes` or `no`, got a number", "if x then 1 else 0"),
        ("op f(x) = x ** x", "E0108", "the exponent of `**` must be a number", "x ** x"),
        ("op f(x) = x ** 1e6", "E0505", "the exponent 1000000 is larger than 500", "x ** 1e6"),
        ("op f(x) = x % 2", "E0108", "`%` takes no elements of tensors", "x % 2"),
        ("op f(x) = floor(x)", "E0108", "`floor` takes no elements of tensors", "floor(x)"),
        ("op f(x) = exp(x, 2)", "E0107", "`exp` takes 1 argument, got 2", "exp(x, 2)"),
        ("op f(x) = exp(x=x)", "E0104", "`exp` takes no keywords, got `x=`", "exp(x=x)"),
        ("op f(x) = x / (2 - 2)", "E0117", "x / (2 - 2): a division by zero", "x / (2 - 2)"),
        ("op f(x) = x * log(0)", "E0117", "`log` has no value there", "log(0)"),
        ("op f(x) = 1 + f(x)", "E0115", "`f` is defined by itself", "f(x)"),
        ("op f(x) = g(x)\nop g(x) = f(x) + 1", "E0115", "`f` is defined by itself", "f(x)"),
        ("op f(x, k=2) = x", "E0118", "`f` does not use its parameter `k`", "k=2"),
        ("op f(k=2) = k", "E0118", "`f` has no tensor to compute with", "f"),
        ("op f(x, x) = x", "E0103", "`x` is already the name of a value", "x"),
        ("op f(x, k=yes) = x * k", "E0106", "the default of an op's parameter is a number, got `yes`", "yes"),
        ("op relu(x) = x", "E0103", "`relu` is a name of the language", "relu"),
        ("op exp(x) = x", "E0103", "`exp` is already the name of a function", "exp"),
        ("block f { relu }\nop f(x) = x", "E0103", "`f` is defined twice", "f"),
        ("op f(x) = x\nop f(x) = x", "E0103", "`f` is defined twice", "f"),
        ("let z = 1\nop f(z) = z", "E0103", "`z` is already the name of a value", "z"),
        (DISTANCE + "op f(x) = distance(x)", "E0105", "`distance` needs `b`", "distance(x)"),
        (DISTANCE + "op f(x) = distance(x, 1, 2)", "E0107", "`distance` takes 2 arguments, got 3", "distance(x, 1, 2)"),
        (DISTANCE + "op f(x) = distance(x, c=1)", "E0104", "`distance` has no argument `c`", "distance(x, c=1)"),
        (DISTANCE + "op f(x) = distance(x, a=1)", "E0107", "the argument `a` of `distance` is given twice", "distance(x, a=1)"),
        (SWISH + "op f(x) = swish(x, x)", "E0106", "`beta` of `swish` must be a number, not one for each element", "swish(x, x)"),
    ],
)
def test_declarations_that_are_wrong(declared: str, code: str, message: str, place: str) -> None:
    text = f"{declared}\n" + net("conv(2, 3x3)")
    error = only_error(text)
    assert (error.code, error.message) == (code, message)
    assert at(error, text) == place


@pytest.mark.parametrize(
    ("body", "code", "message", "place"),
    [
        ("swish(gamma=2)", "E0104", "`swish` has no argument `gamma`", "gamma"),
        ('swish(beta="a")', "E0106", '`beta` of `swish` must be a number, got "a"', '"a"'),
        ("swish(1, 2)", "E0107", "too many arguments for `swish`", "2"),
        ("swish { | relu | skip }", "E0113", "`swish` is an op, it takes no branches", "swish"),
        ("distance", "E0105", "`distance` needs `b`", "distance"),
        ("distance(3)", "E0106", "`b` of `distance` is a tensor, got the number 3", "3"),
        ("a: maxpool(2)\nfrom x -> distance(a)", "E0201", "inputs of `distance` differ in height and width", "a"),
    ],
)
def test_steps_that_are_wrong(body: str, code: str, message: str, place: str) -> None:
    text = SWISH + DISTANCE + net(body)
    error = only_error(text)
    assert (error.code, error.message) == (code, message)
    assert at(error, text) == place


def test_what_a_number_makes_of_it() -> None:
    """A formula that has no value at the numbers of one call is wrong there."""
    text = "op f(x, k=2) = x / (k - 1)\n" + net("f\nf(k=1)")
    error = only_error(text)
    assert (error.code, at(error, text)) == ("E0117", "x / (k - 1)")
    assert error.notes[-1] == "in f(k=1), called at n.net:5:1, input [3, 8, 8]"


def test_formulas_are_bounded() -> None:
    """Ops that double each other, and a chain of squares: an error at once, no endless walk."""
    doubling = "op f0(x) = x * x\n" + "".join(f"op f{k + 1}(x) = f{k}(x) * f{k}(x)\n" for k in range(40))
    nested = "op s(x) = x * x + 1\nop f(x) = " + "s(" * 40 + "x" + ")" * 40 + "\n"
    for text in (doubling, nested, "op f(x) = " + " + ".join(["x"] * 150) + "\n"):
        assert {error.code for error in errors(text + net("relu"))} == {"E0505"}


@pytest.mark.parametrize(
    ("declared", "notes"),
    [
        ("op f(x) = log(x)", ["its value is -inf at x = 0", "its derivative by `x` is inf at x = 0"]),
        ("op f(x) = exp(x)", ["its value is inf at x = 10000", "its derivative by `x` is inf at x = 10000"]),
        ("op f(x) = log(1 + exp(x))", ["its value is inf at x = 10000", "its derivative by `x` is nan at x = 10000"]),
        ("op f(x) = exp(x) * exp(-x)", ["its value is nan at x = 10000", "its derivative by `x` is nan at x = 10000"]),
        ("op f(x) = exp(x) * exp(0.1 * x)", ["its value is inf at x = 88", "its derivative by `x` is inf at x = 88"]),
        ("op f(x) = sqrt(abs(x))", ["its derivative by `x` is nan at x = 0"]),
        ("op f(a, b) = a / b", [
            "its value is nan at a = 0, b = 0",
            "its derivative by `a` is inf at a = 0, b = 0",
            "its derivative by `b` is nan at a = 0, b = 0",
        ]),
        ("op f(a, b, c) = a * b / c", [
            "its value is nan at a = 0, b = 0, c = 0",
            "its derivative by `a` is nan at a = 0, b = 0, c = 0",
            "its derivative by `b` is nan at a = 0, b = 0, c = 0",
            "its derivative by `c` is nan at a = 0, b = 0, c = 0",
        ]),
    ],
)  # fmt: skip
def test_the_lint_of_what_is_not_finite(declared: str, notes: list[str]) -> None:
    (warning,) = examined(f"{declared}\n" + net("relu")).diagnostics
    assert (warning.code, warning.severity, list(warning.notes)) == ("W0307", "warning", notes)


def test_ops_that_are_finite() -> None:
    for expression in ("x * sigmoid(x)", "softplus(x)", "x * tanh(softplus(x))", "abs(x) ** 1.5", "x ** 2", "min(6, max(0, x))", "erf(x)"):
        assert not examined(f"op f(x) = {expression}\n" + net("f")).diagnostics, expression
    assert not examined("op only(logit, legal) = if legal > 0 then logit else -1e9\n" + net("relu")).diagnostics


SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.3, 88.0, -88.0, 1e4, -1e4, np.inf, -np.inf, np.nan)


@pytest.mark.parametrize("function", [name for name, count in PRIMITIVES.items() if count < 3])
def test_points_are_those_of_the_reference(function: str) -> None:
    """Python's value of each primitive is NumPy's, in the range of float32."""
    count = PRIMITIVES[function]
    expr: Expr = Call(function, tuple(operand(k) for k in range(count)))
    for point in product(SPECIAL, repeat=count):
        with np.errstate(all="ignore"):
            table = reference.UNARY if count == 1 else reference.BINARY
            expected = float(table[function](*(np.array([item]) for item in point))[0])
        if abs(expected) > np.finfo(np.float32).max:
            expected = np.copysign(np.inf, expected)
        found = value_at(expr, {f"x{k}": item for k, item in enumerate(point)})
        np.testing.assert_allclose(found, expected, rtol=1e-12, err_msg=f"{function}{point}")


def test_points_of_the_lint() -> None:
    assert {str(point) for point in ops.POINTS} == {"0.0", "-0.0", "88.0", "-88.0", "10000.0", "-10000.0"}
