"""Nets called like blocks, and nets that are other nets in training."""

from __future__ import annotations

import pytest
from elaborated import at, examined, net, only_error, rendered, rows, sound, weights

from netspec import check

SMALL = """net Small(width=4, depth) {
  input image[3, 8, 8]
  stage: repeat depth { conv(width, 3x3, pad=1) -> relu }
  output main: gap -> dense(10)
  if training { output aux: gap -> dense(5) }
}
net Tiny = Small(depth=1)
net Wide = Tiny(width=16)
"""
HEADED = """net N {
  input x[3, 8, 8]
  stem: conv(4, 3x3)
  if training { output aux: gap -> dense(5) }
  output main: gap -> dropout(if training then 0.5 else 0) -> dense(10)
}
expect N { params == 162; train_params == 187; output == [10] }
"""


# ── nets called like blocks ──────────────────────────────────────────────────────────────────────


def test_a_net_is_called_like_a_block() -> None:
    text = SMALL + "net Two {\n  input x[3, 8, 8]\n  body: Wide\n  Tiny(width=2)\n  output early: from body.stage[0] -> gap -> dense(2)\n}"
    error = only_error(text)
    assert (error.code, at(error, text)) == ("E0212", "Tiny(width=2)")
    assert error.message == "`Tiny` takes image [3, 8, 8], the current tensor is [16, 8, 8]"
    two = sound(text.replace("  Tiny(width=2)", "  from x -> Tiny(width=2)"))
    assert weights(two)[:4] == ["body.stage.0.conv.0.weight", "body.stage.0.conv.0.bias", "body.main.weight", "body.main.bias"]
    assert rows(two)["Tiny.0.stage.0.conv.0"] == (2, 8, 8), "what an alias gives is a default like any other"
    assert two.outputs == {"early": "early"}, "the results of the called net are labels"
    assert two.labels["body.main"] == "body.main"
    assert two.in_training.labels["body.aux"] == "body.aux"


def test_the_value_of_a_called_net_is_what_is_current_at_its_end() -> None:
    text = SMALL + "net Two {\n  input x[3, 8, 8]\n  body: Tiny\n  gap -> dense(2)\n}\nexpect Two { body == [4, 8, 8]; body.main == [10] }"
    sound(text)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("net P { input a[3]\n input b[3]\n from a -> add(b) }\n", "E0212", "`P` has the inputs a, b"),
        ("net P(depth) { input a[3, 8, 8]\n relu }\n", "E0105", "`P` needs `depth`"),
        ("net P { input a[3, 8, 8]\n P }\n", "E0503", "`P`: blocks call each other more than 64 deep"),
    ],
)
def test_nets_that_cannot_be_called(text: str, code: str, message: str) -> None:
    found = examined(text + net("P"))
    assert (code, message) in {(item.code, item.message) for item in found.diagnostics}, rendered(found)


def test_names_of_steps_are_one_namespace() -> None:
    assert only_error("block a { relu }\n" + net("a").replace("net N", "net a") + "\n").code == "E0103"
    assert only_error("block relu { tanh }\n" + net("relu")).message == "`relu` is a name of the language"
    sound("let a = 3\nblock a { conv(a, a) }\n" + net("a"))


# ── training ─────────────────────────────────────────────────────────────────────────────────────


def test_a_net_is_another_one_in_training() -> None:
    found = sound(HEADED)
    assert found.trained is not None
    assert (list(found.outputs), list(found.trained.outputs)) == (["main"], ["aux", "main"])
    assert (found.params, found.trained.params) == (162, 187)
    assert weights(found) == ["stem.weight", "stem.bias", "main.weight", "main.bias"]
    assert found.memory is not None
    assert found.memory.infer.fixed == 4 * 162
    assert found.memory.train.fixed == 3 * 4 * 187


def test_a_net_that_does_not_ask_is_the_same_in_training() -> None:
    assert sound(SMALL.replace("if training { output aux: gap -> dense(5) }", "")).trained is None
    assert sound(net("if training { skip } else { skip }\nrelu")).trained is None


def test_constants_of_the_file_may_depend_on_training() -> None:
    """They are evaluated anew, also where several nets share them."""
    first = net("dropout(rate) -> flatten -> dense(units)").replace("net N", "net A")
    text = (
        "let rate = if training then 0.5 else 0.25\nlet units = 10 * (if training then 2 else 1)\n"
        + first
        + "\n"
        + net("flatten -> dense(units)")
    )
    for found in examined(text).nets:
        assert found.trained is not None
        assert (found.output_shapes()["output"], found.trained.output_shapes()["output"]) == ((10,), (20,))


def test_the_plan_goes_by_the_net_in_training() -> None:
    block = 'train N {{ data = npz("a.npz"); loss = {loss}; optimizer = sgd(lr=0.1); regularize = [l2(1e-4, on="{on}")]; epochs = 1 }}'
    found = sound(HEADED + block.format(loss="cross_entropy(aux)", on="aux.weight"))
    assert found.plan is not None
    assert only_error(HEADED + block.format(loss="cross_entropy", on="weight")).code == "E0304"
    assert only_error(HEADED + block.format(loss="cross_entropy(axu)", on="weight")).code == "E0102"


def test_errors_in_training_alone_say_so() -> None:
    error = only_error(net("if training { conv(4, 11x11) }\nrelu"))
    assert error.code == "E0204"
    assert error.notes[-1] == "in the net as it is trained, where `training` is yes"
    assert only_error(net("conv(4, 11x11)\nif training { relu }")).notes[-1] != error.notes[-1]


def test_expectations_are_of_the_deployed_net() -> None:
    sound(HEADED + "expect N { macs == 36*108 + 40; not training }")
    assert only_error(HEADED + "expect N { aux == [5] }").code == "E0102"


@pytest.mark.parametrize("between", ["conv(4, 3x3, pad=1)", "bn"])
def test_a_counter_that_moves_on_in_training(between: str) -> None:
    text = net(f"conv(4, 3x3) -> bn\nif training {{ {between} }}\nconv(4, 3x3) -> bn")
    assert only_error(text).code == "E0124"
    sound(net(f"conv(4, 3x3) -> bn\nif training {{ more: {between} }}\nconv(4, 3x3) -> bn"))


def test_addresses_in_python() -> None:
    found = sound(SMALL + "net Two {\n  input x[3, 8, 8]\n  body: Tiny(width=6)\n  output early: from body.stage[0] -> gap\n}")
    shapes = {name: found.shape(name) for name in ("x", "body", "body.main", "body.stage[0]", "early", "body.stage.0.relu.0")}
    assert shapes == {
        "x": (3, 8, 8),
        "body": (6, 8, 8),
        "body.main": (10,),
        "body.stage[0]": (6, 8, 8),
        "early": (6,),
        "body.stage.0.relu.0": (6, 8, 8),
    }
    with pytest.raises(KeyError):
        found.shape("body.stage[1]")


def test_warnings_are_about_the_file_that_is_checked() -> None:
    text = "use std.vision: se\nnet N {\n  input x[8, 8, 8]\n  a: relu\n  se(2)\n  output b: from a -> gap\n}\n"
    assert [item.code for item in check(text).diagnostics] == []
