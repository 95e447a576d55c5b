"""Train blocks and expectations."""

from __future__ import annotations

from typing import Any

import pytest
from elaborated import at, errors, examined, net, only_error, sound

from netspec.diagnostics import UserError
from netspec.elaborate.choice import chosen
from netspec.training import TrainPlan
from netspec.training.rates import factors

NET = "net N {\n  input x[1, 28, 28]\n  c: conv(2, 3)\n  flatten\n  f: dense(10)\n}\n"
BASE = {"data": "mnist5k(val=10%)", "loss": "cross_entropy", "optimizer": "sgd(lr=0.1)", "epochs": "10"}


def block(net_name: str = "N", **settings: str | None) -> str:
    """A train block: the usual settings, changed."""
    chosen = {name: value for name, value in (BASE | settings).items() if value is not None}
    return f"train {net_name} {{\n" + "\n".join(f"  {name} = {value}" for name, value in chosen.items()) + "\n}\n"


def plan(**settings: str | None) -> TrainPlan:
    """The plan of a block without errors."""
    found = sound(NET + block(**settings)).plan
    assert found is not None
    return found


def test_a_whole_block() -> None:
    found = plan(
        augment="shift(2) -> rotate(10 deg)",
        prepare="normalize(0.1307, 0.3081)",
        schedule="warmup(2 epochs) -> cosine(to=1e-4)",
        regularize='[l2(5e-4, on="weight"), l1(1e-6, on="f.weight")]',
        batch="32",
        seed="7",
        stop='patience(5 epochs, on="val.accuracy")',
        save='best("val.accuracy")',
    )
    assert not found.deferred
    assert [str(item) for item in found.augment] == ["shift(pixels=2)", "rotate(angle=10)"]
    assert [item.name for item in found.schedule] == ["warmup", "cosine"]
    assert [item.name for item in found.regularize] == ["l2", "l1"]
    assert (found.net, found.batch, found.epochs, found.seed) == ("N", 32, 10, 7)
    assert found.loss[0].loss.name == "cross_entropy"


def test_settings_use_each_other_in_any_order() -> None:
    found = plan(optimizer="sgd(lr=0.1 * batch / 256)", batch="epochs * 64", epochs="4")
    assert found.optimizer is not None
    assert (found.batch, found.optimizer.lr) == (256, pytest.approx(0.1))
    assert only_error(NET + block(batch="epochs", epochs="batch")).code == "E0115"


def test_a_lone_call_is_a_list_of_one_and_a_loss_may_be_scaled() -> None:
    assert len(plan(regularize="l2(0.1)").regularize) == 1
    assert plan(loss="0.5 * cross_entropy(label_smoothing=0.1)").loss[0].scale == 0.5


@pytest.mark.parametrize(
    ("settings", "code", "place"),
    [
        ({"batsh": "3"}, "E0307", "batsh"),
        ({"optimizer": "sdg(lr=1)"}, "E0307", "sdg"),
        ({"optimizer": "3"}, "E0307", "3"),
        ({"optimizer": "sgd()"}, "E0105", "sgd"),
        ({"optimizer": "sgd(lr=0)"}, "E0106", "0"),
        ({"optimizer": "sgd(lr=1, momentun=0.9)"}, "E0104", "momentun"),
        ({"optimizer": "sgd(lr=1) -> sgd(lr=1)"}, "E0307", "sgd(lr=1)"),
        ({"batch": "0"}, "E0208", "0"),
        ({"batch": "2.5"}, "E0208", "2.5"),
        ({"batch": "no"}, "E0307", "no"),
        ({"precision": "f33"}, "E0307", "f33"),
        ({"schedule": "warmup(2 epochs) -> cosine(7 epochs)"}, "E0301", "schedule = warmup(2 epochs) -> cosine(7 epochs)"),
        ({"schedule": "warmup(2) -> cosine"}, "E0106", "2"),
        ({"regularize": 'l2(0.1, on="f9")'}, "E0303", 'regularize = l2(0.1, on="f9")'),
        ({"loss": "cross_entropy(g)"}, "E0102", "cross_entropy(g)"),
        ({"loss": "cross_entropy(c)"}, "E0302", "cross_entropy(c)"),
        ({"loss": "cross_entropy + mse"}, "E0302", "mse"),
        ({"loss": "cross_entropy + 0.3 * mse(f, z)"}, "E0102", "mse(f, z)"),
        ({"loss": "cross_entropy - mse(c, x) / 2"}, "E0302", "mse(c, x)"),
        ({"loss": "cross_entropy(f, x)"}, "E0302", "cross_entropy(f, x)"),
        ({"loss": "yes * cross_entropy"}, "E0307", "yes"),
        ({"loss": "cross_entropy + 3"}, "E0307", "3"),
        ({"data": 'npz("a.npz", y="same", z="b")'}, "E0308", 'z="b"'),
        ({"data": "mnist5k()", "schedule": "plateau()"}, "E0306", "schedule = plateau()"),
        ({"schedule": "plateau(5 epochs) -> constant(5 epochs)"}, "E0301", "schedule = plateau(5 epochs) -> constant(5 epochs)"),
        ({"optimizer": "lbfgs()", "clip": "norm(1)"}, "E0306", "clip = norm(1)"),
        ({"optimizer": "lbfgs()", "rates": '[times(2, on="f"), frozen(on="c")]'}, "E0306", 'rates = [times(2, on="f"), frozen(on="c")]'),
        ({"optimizer": "lbfgs()", "accumulate": "2"}, "E0306", "accumulate = 2"),
        ({"clip": "norm(0)"}, "E0106", "0"),
        ({"loss": "cross_entropy(class_weights=[1, 2])"}, "E0302", "cross_entropy(class_weights=[1, 2])"),
        ({"rates": "[times(0)]"}, "E0106", "0"),
        ({"rates": '[times(0.1), frozen(on="g")]'}, "E0303", 'rates = [times(0.1), frozen(on="g")]'),
        ({"rates": "[frozen]"}, "E0306", "rates = [frozen]"),
        ({"weights": 'load("a.pt")'}, "E0401", 'weights = load("a.pt")'),
        ({"weights": 'load("a.safetensors", into="g")'}, "E0303", 'weights = load("a.safetensors", into="g")'),
        ({"weights": 'load("a.safetensors", except="g")'}, "E0303", 'weights = load("a.safetensors", except="g")'),
        ({"weights": 'loud("a.safetensors")'}, "E0307", "loud"),
        ({"data": "mnist5k()", "stop": 'patience(5 epochs, on="val.accuracy")'}, "E0306", 'stop = patience(5 epochs, on="val.accuracy")'),
    ],
)
def test_one_error_where_it_is(settings: dict[str, str], code: str, place: str) -> None:
    text = NET + block(**settings)
    error = only_error(text)
    assert (error.code, at(error, text)) == (code, place)


def test_what_stands_between_gradients_and_weights() -> None:
    found = plan(
        clip="norm(1.0)",
        accumulate="2",
        optimizer="rmsprop(lr=1e-3, momentum=0.9)",
        regularize='[l2(1e-4), max_norm(3, on="weight")]',
        schedule="warmup(1 epoch) -> exponential(0.96, every=2 epochs)",
        loss="hinge(margin=0.5)",
    )
    assert not found.deferred
    assert (str(found.clip), found.accumulate, str(found.optimizer)) == ("norm(limit=1)", 2, "rmsprop(lr=0.001, momentum=0.9)")
    assert [str(item) for item in found.schedule] == ["warmup(duration=1 epochs)", "exponential(gamma=0.96, every=2 epochs)"]
    assert [str(item) for item in found.regularize] == ["l2(amount=0.0001)", 'max_norm(amount=3, on="weight")']
    assert plan(clip="value(0.5)", schedule="plateau(factor=0.5, patience=3 epochs)").clip is not None


def test_what_is_not_built_is_deferred_until_the_block_is_used() -> None:
    found = plan(data='images("a")', augment="shift(2) -> cutout(3)", precision="bf16")
    assert [item.code for item in found.deferred] == ["E0310"] * 3
    assert not examined(NET + block().replace("data = mnist5k(val=10%)", 'data { train = images("a") }')).diagnostics


def test_an_unfinished_block_is_a_warning_and_cannot_be_used() -> None:
    found = examined(NET + block(optimizer=None, data=None))
    assert [(item.code, item.severity) for item in found.diagnostics] == [("E0305", "warning")] * 2
    assert found.nets[0].plan is not None
    assert [item.code for item in found.nets[0].plan.deferred] == ["E0305"] * 2


def test_the_classes_of_the_data() -> None:
    text = "param classes = 26\n" + NET.replace("dense(10)", "dense(classes)") + block()
    error = only_error(text)
    assert (error.code, error.message, error.help) == ("E0302", "`cross_entropy` has 26 logits, the data 10 classes", "`--set classes=10`")


def test_rates_and_weights_of_a_block() -> None:
    found = plan(
        rates='[times(0.1), times(1, on="f"), frozen(on="c.bias")]', weights='load("a.safetensors", into="c", except=["f", "bias"])'
    )
    assert factors(found.rates, ["c.weight", "c.bias", "f.weight", "f.bias"]) == {"c.weight": 0.1, "c.bias": 0, "f.weight": 1, "f.bias": 1}
    assert str(found.weights) == 'load(path="a.safetensors", into="c", except=["f", "bias"])'
    assert len(plan(rates="times(2)").rates) == 1


def test_a_loss_names_one_of_several_outputs_by_any_address() -> None:
    text = net("a: gap\noutput p: dense(10)\noutput q: dense(2)")
    assert only_error(text + "\n" + block()).code == "E0304"
    found = sound(text + "\n" + block(loss="cross_entropy(p)")).plan
    assert found is not None
    assert (found.loss[0].output, found.loss[0].target, found.loss[0].field) == ("p", "y", True)


def test_a_sum_of_weighted_terms_and_what_they_read() -> None:
    """A field that the reader names comes first, then an input, then a label; of an archive, what is none of them is a field too."""
    text = "net N {\n input x[4]\n input u[3]\n a: from x -> dense(3) -> relu\n b: dense(3)\n from a -> add(b)\n}\n"
    loss = "mse(a, b) - 0.5 * (mse(b, u) + mse(target=z) / 2) + -mse(a, v) * 2"
    found = sound(text + block(data='npz("d.npz", b="c", z="d")', loss=loss)).plan
    assert found is not None
    terms = [(term.scale, term.output, term.target, term.field) for term in found.loss]
    assert terms == [(1, "a.relu.0", "b", True), (-0.5, "b", "u", False), (-0.25, "add.0", "z", True), (-2, "a.relu.0", "v", True)]


def test_only_pictures_are_moved() -> None:
    text = "net N {\n input x[784]\n dense(10)\n}\n" + block(data='npz("a.npz", x="b", val=10%)', augment="shift(2)")
    error = only_error(text)
    assert (error.code, at(error, text)) == ("E0306", "augment = shift(2)")
    assert error.message == "`augment` moves pictures [c, h, w], the net has x [784]"


def test_pictures_for_one_input_alone() -> None:
    text = NET.replace("input x[1, 28, 28]", "input x[1, 28, 28]\n  input u[1, 28, 28]").replace("  c:", "  c: from x ->") + block()
    error = only_error(text)
    assert (error.code, at(error, text)) == ("E0308", "data = mnist5k(val=10%)")


def test_a_block_serves_aliases_that_have_none_of_their_own() -> None:
    text = "net T(c) { input x[1, 28, 28]\nflatten -> dense(c) }\nnet A = T(c=10)\nnet B = T(c=10)\n"
    plans = {item.name: item.plan for item in examined(text + block("T") + block("B", epochs="3")).nets}
    assert plans["A"] is not None
    assert plans["B"] is not None
    assert (plans["A"].net, plans["A"].epochs, plans["B"].epochs) == ("A", 10, 3)


def test_blocks_of_unknown_nets_and_second_blocks() -> None:
    assert only_error(NET + block("M")).code == "E0116"
    assert only_error(NET + block() + block()).code == "E0103"
    tuned = block().replace("train N", "train N as finetune")
    assert only_error(NET + tuned + block() + tuned).code == "E0103"


def test_several_blocks_of_a_net() -> None:
    """The one without a name comes first; aliases have those of their net that they have none of their own in place of."""
    text = "net T(c) { input x[1, 28, 28]\nflatten -> dense(c) }\nnet A = T(c=10)\nnet B = T(c=10)\n"
    tuned = {
        name: block(name, epochs=epochs).replace(f"train {name}", f"train {name} as tune") for name, epochs in (("T", "7"), ("B", "2"))
    }
    found = examined(text + tuned["T"] + block("T") + tuned["B"])
    assert not found.diagnostics
    plans = {item.name: [(plan.net, plan.alias, plan.epochs) for plan in item.plans] for item in found.nets}
    assert plans == {"A": [("A", None, 10), ("A", "tune", 7)], "B": [("B", None, 10), ("B", "tune", 2)]}
    assert [item.plan and item.plan.alias for item in found.nets] == [None, None]


@pytest.mark.parametrize(
    ("blocks", "given", "expected"),
    [
        ("N", {}, None),
        ("N N:a N:b", {}, None),
        ("N N:a N:b", {"block": "b"}, "b"),
        ("N:a", {}, "a"),
        ("N:a N:b", {"trained": False}, "a"),
        ("N:a N:b", {}, "`--train`: a, b"),
        ("N:a N:b", {"block": "aa"}, "did you mean `a`?"),
        ("N M:a", {}, "`--net`: N, M"),
        ("N M:a", {"block": "a"}, "a"),
        ("N:a M:a", {"block": "a"}, "`--net`: N, M"),
        ("", {}, "`--net`: N, M"),
        ("", {"block": "a"}, "no `train` block is named `a`"),
    ],
)
def test_which_block_is_meant(blocks: str, given: dict[str, Any], expected: str | None) -> None:
    text = NET + NET.replace("net N", "net M")
    for name, _, alias in (item.partition(":") for item in blocks.split()):
        text += block(name).replace(f"train {name}", f"train {name} as {alias}" if alias else f"train {name}")
    try:
        net = chosen(examined(text), **{"named": False, "trained": True, "block": None} | given)
    except UserError as error:
        assert expected is not None and expected in str(error)
    else:
        assert net.plan is not None and net.plan.alias == expected


# ── expectations ─────────────────────────────────────────────────────────────────────────────────


def test_expectations_that_hold() -> None:
    lines = """
      params == 20 + 13_530; train_params == params; macs == 26*26*2*9 + 13_520; rf == 3; output == [10]; output != [11]
      c == [2, _, _]; c.c == 2 and c.h == 26; c.params == 20; f.macs == 13_520; f.params > c.params; x == [1, 28, 28]
      infer_memory(batch=2) - infer_memory(batch=1) < 20k; train_memory(batch=64) <= 16 MiB"""
    found = examined(NET + f"expect N {{ {lines} }}")
    assert not found.diagnostics
    assert len(found.expectations) == 14
    assert all(item.holds for item in found.expectations)


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("params == 61_706", "params is 13,550"),
        ("c == [2, 5, _]", "c is [2, 26, 26]"),
        ("params == 13_550 and macs < 10", "macs is 25,688"),
        ("infer_memory(batch=1) < 1k", "infer_memory(batch=1) is 62,744 bytes (0.06 MiB)"),
    ],
)
def test_an_expectation_that_fails_says_what_there_is(line: str, label: str) -> None:
    found = examined(NET + f"expect N {{ {line} }}")
    assert [item.holds for item in found.expectations] == [False]
    (error,) = found.diagnostics
    assert (error.code, error.label) == ("E0309", label)


def test_expectations_are_of_the_defaults() -> None:
    text = "param k = 2\n" + NET.replace("conv(2", "conv(k") + "expect N { params == 1 }"
    assert [item.holds for item in examined(text).expectations] == [False]
    found = examined(text, {"k": 3})
    assert not found.diagnostics
    assert [item.holds for item in found.expectations] == [None]


def test_expectations_that_make_no_sense() -> None:
    assert only_error(NET + "expect M { params == 1 }").code == "E0116"
    assert only_error("net T(c) { input x[1]\nrelu }\n" + NET + "expect T { params == 1 }").code == "E0116"
    assert only_error(NET + "expect N { params }").code == "E0106"
    assert only_error(NET + "expect N { parms == 1 }").code == "E0102"
    assert only_error(NET + "expect N { train_memory(64) < 1 }").code == "E0104"


def test_expectations_of_a_net_with_errors_are_not_looked_at() -> None:
    text = NET.replace("conv(2, 3)", "conv(2, 30)") + "expect N { params == 1; c == [1] }"
    assert [error.code for error in errors(text)] == ["E0204"]
