"""Weights of several layers: `share(a)`, `weight=` of another layer or of numbers, `init=`."""

from __future__ import annotations

import numpy as np
import pytest
from elaborated import at, errors, net, only_error, sound, weights

from netspec.elaborate import CheckedNet
from netspec.graph.graph import Node
from netspec.runtime.weights import initial

TWIN = "block twin(c) {\n  conv(c, 3x3) -> bn -> relu\n  conv(2*c, 3x3) -> flatten -> dense(5)\n}\n"
SIAMESE = TWIN + (
    "net S {\n  input left[1, 9, 9]\n  input right[1, 9, 9]\n  a: from left -> twin(4)\n  b: from right -> share(a)\n"
    "  c: from left -> share(b)\n  from a -> add(b, c)\n}\nexpect S { params == 1_349; b == [5]; b.params == 0; b.macs == a.macs }"
)


def node(checked: CheckedNet, name: str) -> Node:
    assert checked.graph is not None
    return next(item for item in checked.graph.layers if item.name == name)


def starts(checked: CheckedNet) -> dict[str, np.ndarray]:
    assert checked.graph is not None
    return initial(checked.graph.weights, 0)


def test_a_shared_line_has_the_weights_of_the_first_and_counts_nothing() -> None:
    siamese = sound(SIAMESE)
    assert {name.partition(".")[0] for name in weights(siamese)} == {"a"}
    assert node(siamese, "b.share.0.twin.0.conv.1").weights == node(siamese, "a.conv.1").weights
    assert node(siamese, "c.share.0.share.0.twin.0.bn.0").weights == node(siamese, "a.bn.0").weights
    assert siamese.params == sum(row.params for row in siamese.rows if row.path.startswith("a."))
    assert siamese.memory is not None
    assert siamese.memory.infer.fixed == 4 * (1_349 + 8), "running statistics are saved, once"


def test_sharing_renames_nothing() -> None:
    plain, shared = (sound(net(f"a: conv(3, 3, pad=1) -> relu\n{line}conv(4, 3)\nb: bn -> conv(2, 3)")) for line in ("", "share(a)\n"))
    assert weights(plain) == weights(shared) == [
        "a.weight", "a.bias", "conv.0.weight", "conv.0.bias", "b.scale", "b.shift", "b.mean", "b.var", "b.conv.0.weight", "b.conv.0.bias",
    ]  # fmt: skip


def test_labels_of_a_shared_line_are_those_of_the_line_that_shares_it() -> None:
    body = "a: add { | inner: conv(3, 1) | skip } -> repeat 2 { keep: relu }\nb: share(a)\nfrom b[1].keep -> conv(b.c, 1)"
    checked = sound(net(body))
    assert checked.labels["b[1].keep"].startswith("b.share.0.")
    assert checked.labels["a[1].keep"].startswith("a.")


def test_sharing_in_a_loop_and_through_an_address() -> None:
    checked = sound("block two { deep: conv(3, 3, pad=1) -> relu }\n" + net("a: two\nrepeat 3 { share(a.deep) -> bn }"))
    assert [row.params for row in checked.rows if row.kind == "conv"] == [84, 0, 0, 0]
    assert sum(row.params for row in checked.rows if row.kind == "bn") == 18


def test_a_weight_of_another_layer() -> None:
    body = "code: flatten -> dense(7)\nd: dense(192, weight=code.weight.T)\ne: dense(7, weight=code.weight)\n"
    body += "dense(192, weight=e.weight.T, bias=no)"
    checked = sound(net(body))
    assert [row.params for row in checked.rows] == [0, 192 * 7 + 7, 192, 7, 0]
    for name, turned in (("d", True), ("e", False), ("dense.0", True)):
        assert node(checked, name).weights[0] == "code.weight"
        assert node(checked, name).turned == (("code.weight",) if turned else ())


def test_weights_go_through_parameters_of_blocks() -> None:
    text = "block decode(w) { dense(192, weight=w.T) }\n" + net("code: flatten -> dense(7)\ndecode(code.weight)")
    assert sound(text).params == 192 * 7 + 7 + 192


def test_fixed_numbers_are_repeated_over_the_leading_axes_and_not_counted() -> None:
    text = "let binomial = outer([1/4, 1/2, 1/4], [1/4, 1/2, 1/4])\n" + net(
        "conv(3, 3, groups=3, weight=binomial, bias=no)\nconv(2, 1, weight=1)"
    )
    checked = sound(text)
    assert checked.params == 2
    assert checked.graph is not None
    assert [weight.role for weight in checked.graph.weights] == ["constant", "constant", "trainable"]
    values = starts(checked)
    row = np.array([1, 2, 1]) / 4
    np.testing.assert_array_equal(values["conv.0.weight"], np.broadcast_to(np.outer(row, row), (3, 1, 3, 3)))
    assert (values["conv.1.weight"] == 1).all()


def test_starts() -> None:
    he, xavier, list_ = (starts(sound(net(f"conv(64, 5, init={text})"))) for text in ('"he"', "xavier", "[[[1, 2, 3, 4, 5]] * 5] * 3"))
    assert he["conv.0.weight"].std() == pytest.approx(np.sqrt(2 / 75), rel=0.02)
    assert abs(xavier["conv.0.weight"]).max() == pytest.approx(np.sqrt(6 / (67 * 25)), rel=0.01)
    assert (list_["conv.0.weight"][7, 2, 3] == [1, 2, 3, 4, 5]).all()
    assert sound(net("conv(64, 5, init=0)")).params == 64 * 76, "only the start is given"


@pytest.mark.parametrize(
    ("body", "code", "message", "place"),
    [
        ("share(a)", "E0102", "unknown name `a`", "a"),
        ("share(x)", "E0114", "`share` repeats a labelled line, `x` is an input", "x"),
        ("share(3)", "E0114", "`share` repeats a labelled line, `3` is the number 3", "3"),
        ("a: repeat 2 { relu }\nshare(a[0])", "E0114", "`a[0]` is a tensor [3, 8, 8]", "a[0]"),
        ("share", "E0105", "`share` takes one label", "share"),
        ("a: conv(4, 3)\nshare(a)", "E0211", "`share(a)`: `conv` needs a weight [4, 4, 3, 3], its own is [4, 3, 3, 3]", "share(a)"),
        ("a: if x.h > 7 { conv(3, 2) } else { relu }\nfrom x -> maxpool(2) -> share(a) -> share(a)", None, "", ""),
        (
            "a: conv(4, 3)\nfrom x -> conv(5, 3, weight=a.weight)",
            "E0211",
            "`a.weight` is [4, 3, 3, 3], this `conv` needs [5, 3, 3, 3]",
            "a.weight",
        ),
        ("a: flatten -> dense(4)\ndense(192, weight=a.weight)", "E0211", "`a.weight` is [4, 192], this `dense` needs [192, 4]", "a.weight"),
        ("a: conv(4, 3)\nconv(4, 3, weight=a)", "E0106", "`weight` of `conv` is another layer's weight, a number or a list", "a"),
        ("a: conv(4, 3)\nconv(4, 3, weight=a.weight.T)", "E0114", "a weight [4, 3, 3, 3] has no `.T`", "a.weight.T"),
        ("a: relu\nconv(4, 3, weight=a.weight)", "E0114", "a tensor of shape [3, 8, 8] has no `.weight`", "a.weight"),
        ("conv(4, 3, weight=[[1, 2], [3]])", "E0106", "`weight` of `conv` is no array: its rows differ in length", "[[1, 2], [3]]"),
        ("conv(4, 3, weight=[1, 2])", "E0211", "the numbers have the shape [2], the weight of this `conv` is [4, 3, 3, 3]", "[1, 2]"),
        ('conv(4, 3, init="hee")', "E0106", '`init` of `conv` must be `"he"`, `"xavier"`, a number or a list, got "hee"', '"hee"'),
        ('conv(2, 3, connect=["X.", "XX", ".X"], init="xavier")', "E0106", "counts what each filter reads and feeds", '"xavier"'),
        ("conv(4, 3, init=yes)", "E0106", "`init` of `conv` is a number or a list of numbers, got `yes`", "yes"),
        ("conv(4, 3, init=0, weight=0)", "E0106", "`weight` says what the weight is, `init` how it starts", "0"),
        ("relu(weight=1)", "E0104", "`relu` has no argument `weight`", "weight"),
    ],
)
def test_one_error_where_it_is(body: str, code: str | None, message: str, place: str) -> None:
    text = net(body)
    if code is None:
        sound(text)
        return
    error = only_error(text)
    assert (error.code, at(error, text)) == (code, place)
    assert message in error.message


def test_a_shared_line_that_becomes_another() -> None:
    """What a block does may depend on its input: then its weights have no counterpart."""
    block = "block grow { if in.h > 6 { conv(3, 3) -> bn } else { bn -> conv(3, 1) -> bn } }\n"
    error = only_error(block + net("a: grow\nshare(a)"))
    assert error.code == "E0211"
    assert error.message == "`share(a)`: `bn` needs weights, the line has the weights of a `conv` here"
    more = "block grow { if in.h > 6 { bn } else { bn -> bn } }\n" + net("a: grow -> maxpool(2)\nshare(a)")
    assert "`bn` needs weights, the line has no more weights" in only_error(more).message


def test_sharing_is_bounded() -> None:
    lines = "\n".join(f"a{k}: share(a{k - 1}) -> share(a{k - 1})" for k in range(1, 40))
    assert [error.code for error in errors(net("a0: relu\n" + lines))] == ["E0504"]
    lines = "\n".join(f"a{k}: share(a{k - 1})" for k in range(1, 100))
    assert [error.code for error in errors(net("a0: relu\n" + lines))] == ["E0503"]
