"""Names of weights and steps: from the outside in, the layer's own word last; appending renames nothing."""

from __future__ import annotations

from elaborated import net, only_error, rows, sound, weights

CONV_BN = "block conv_bn(c, k) { conv(c, k, bias=no) -> bn }\n"


def names(text: str) -> list[str]:
    """The paths of all layers that have weights."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name in weights(sound(text))))


def test_an_unlabelled_step_is_its_kind_and_a_counter_per_body() -> None:
    assert list(rows(sound(net("conv(4, 1) -> relu -> conv(4, 1)\nconv(4, 1)")))) == ["conv.0", "relu.0", "conv.1", "conv.2"]


def test_on_a_labelled_line_the_first_step_with_weights_is_the_label() -> None:
    assert weights(sound(net("c1: conv(8, 3) -> bn"))) == [
        "c1.weight",
        "c1.bias",
        "c1.bn.0.scale",
        "c1.bn.0.shift",
        "c1.bn.0.mean",
        "c1.bn.0.var",
    ]
    assert list(rows(sound(net("f: flatten -> dense(3) -> relu -> dense(2)")))) == ["f.flatten.0", "f", "f.relu.0", "f.dense.0"]


def test_a_block_on_a_labelled_line_is_the_label_if_it_is_the_first_with_weights() -> None:
    assert names(CONV_BN + net("stem: conv_bn(4, 1) -> relu -> conv_bn(4, 1)")) == [
        "stem.conv.0",
        "stem.bn.0",
        "stem.conv_bn.0.conv.0",
        "stem.conv_bn.0.bn.0",
    ]
    squash = "block squash { stanh }\n"
    assert list(rows(sound(squash + net("a: squash -> conv(4, 1) -> squash")))) == ["a.squash.0.stanh.0", "a", "a.squash.1.stanh.0"]


def test_a_block_that_is_the_label_and_the_rest_of_its_line_share_one_count() -> None:
    assert names(CONV_BN + net("a: conv_bn(4, 1) -> conv(5, 1)")) == ["a.conv.0", "a.bn.0", "a.conv.1"]


def test_merges_branches_if_and_unlabelled_loops_add_nothing_and_count_on() -> None:
    body = "conv(3, 1)\nadd { | conv(3, 1) | skip }\nif yes { conv(3, 1) }\nrepeat 2 { conv(3, 1) }\nconv(3, 1)"
    assert names(net(body)) == [f"conv.{i}" for i in range(6)]
    assert names(net("a: add { | conv(3, 1) -> bn | skip } -> bn")) == ["a", "a.bn.0", "a.bn.1"]


def test_a_label_in_an_unlabelled_loop_is_counted_too() -> None:
    assert names(net("repeat 2 { u: conv(3, 1) -> bn }")) == ["u.0", "u.0.bn.0", "u.1", "u.1.bn.0"]


def test_a_labelled_loop_adds_its_pass() -> None:
    text = """block conv_bn(c, k) { conv(c, k) }
    block bottleneck(c) { conv_bn(c, 1) -> conv_bn(c, 1) -> conv_bn(c, 1) }
    net N { input x[3, 8, 8]
      stage: for i, n in enumerate([1, 2]) { repeat n { bottleneck(4) } }
    }"""
    assert "stage.1.bottleneck.0.conv_bn.2.conv.0.weight" in weights(sound(text))
    assert names(net("d: repeat 2 { keep: conv(3, 1) }")) == ["d.0.keep", "d.1.keep"]
    assert names(net("d: conv(3, 1) -> repeat 2 { conv(3, 1) } -> conv(3, 1)")) == ["d", "d.0.conv.0", "d.1.conv.0", "d.conv.0"]


def test_a_label_in_a_branch_or_if_belongs_to_the_body() -> None:
    assert names(net("r: add { | a: conv(3, 1) | skip }\nif yes { b: conv(3, 1) }")) == ["a", "b"]


def test_appending_renames_nothing() -> None:
    body = "c: conv(4, 1) -> bn\nrepeat 2 { conv(4, 1) }\nadd { | conv(4, 1) | skip }"
    before = names(net(body))
    assert names(net(body + "\nconv(4, 1) -> bn\nd: conv(3, 1)"))[: len(before)] == before


def test_an_alias_and_its_template_have_the_same_names() -> None:
    text = "net T(c=4) { input x[3, 8, 8]\na: conv(c, 1) }\n"
    assert weights(sound(text)) == weights(sound(text + "net A = T(c=5)"))


def test_names_of_two_steps_never_meet() -> None:
    text = net("a: conv(3, 1)\nconv: repeat 2 { conv(3, 1) }\nconv(3, 1) -> conv(3, 1)")
    assert names(text) == ["a", "conv.0.conv.0", "conv.1.conv.0", "conv.0", "conv.1"]
    double = "block double { conv(3, 1) }\n"
    assert only_error(double + net("double\ndouble: repeat 1 { conv(3, 1) }")).message == "two steps are named `double.0.conv.0`"
