"""Flow, labels and addresses, control, merges, blocks, results."""

from __future__ import annotations

import pytest
from elaborated import examined, net, only_error, rows, sound, weights

from netspec.graph.graph import verify


def inputs(text: str) -> list[tuple[str, ...]]:
    """What each layer of the last net reads."""
    found = sound(text)
    assert found.graph is not None
    verify(found.graph)
    return [node.inputs for node in found.graph.layers]


def test_every_statement_replaces_the_current_tensor() -> None:
    assert inputs(net("relu -> tanh\nsigmoid")) == [("x",), ("relu.0",), ("tanh.0",)]


def test_from_makes_a_named_tensor_current_from_there_on() -> None:
    assert inputs(net("a: relu\ntanh\nfrom a\nsigmoid -> silu")) == [("x",), ("a.relu.0",), ("a.relu.0",), ("sigmoid.0",)]


def test_branches_start_from_the_merges_input_and_skip_is_the_identity() -> None:
    assert inputs(net("relu -> add { | tanh | skip | from x -> silu }")) == [("x",), ("relu.0",), ("x",), ("tanh.0", "relu.0", "silu.0")]


def test_a_merge_with_labels_joins_the_current_tensor_first() -> None:
    assert inputs(net("a: relu\nb: tanh -> concat(a, x)"))[-1] == ("b.tanh.0", "a.relu.0", "x")


def test_a_branch_whose_guard_is_false_does_not_exist_and_one_left_is_the_value() -> None:
    assert inputs(net("add { | relu | when x.c == 4: tanh } -> silu")) == [("x",), ("relu.0",)]
    assert inputs(net("add { | relu | when x.c == 3: tanh }"))[-1] == ("relu.0", "tanh.0")


def test_if_without_else_passes_its_input_on() -> None:
    assert inputs(net("relu -> if no { tanh } -> silu")) == [("x",), ("relu.0",)]
    assert inputs(net("if no { tanh } else if yes { sigmoid } else { relu }")) == [("x",)]


def test_loops_count_from_0_and_take_lists_apart() -> None:
    assert rows(sound(net("repeat 3 as i { conv(i + 1, 1) }"))) == {"conv.0": (1, 8, 8), "conv.1": (2, 8, 8), "conv.2": (3, 8, 8)}
    assert list(rows(sound(net("for c, k in [(4, 1), (5, 3)] { conv(c, k) }"))).values()) == [(4, 8, 8), (5, 6, 6)]
    assert list(rows(sound(net("for i in 1..2 { conv(i, 1) }"))).values()) == [(1, 8, 8), (2, 8, 8)]
    assert inputs(net("repeat 0 { tanh }\nrelu")) == [("x",)]


def test_in_is_the_input_of_the_block_also_inside_branches_loops_and_if() -> None:
    text = "block b { conv(8, 1) -> repeat 1 { if yes { add { | conv(in.c, 1) } } } }\n" + net("conv(5, 1) -> b")
    assert list(rows(sound(text)).values()) == [(5, 8, 8), (8, 8, 8), (5, 8, 8)]
    assert list(rows(sound(net("conv(5, 1) -> conv(in.c, 1)"))).values())[-1] == (3, 8, 8)


def test_blocks_take_positions_names_defaults_and_layers() -> None:
    text = "block b(c, k=1, act=relu, norm=bn) { conv(c, k) -> norm -> act }\n"
    assert [row.kind for row in sound(text + net("b(4, act=leaky_relu(0.1), norm=skip)")).rows] == ["conv", "leaky_relu"]
    assert [row.kind for row in sound(text + net("b(4, 3)")).rows] == ["conv", "bn", "relu"]
    assert [row.kind for row in sound(text + "block twice { tanh -> tanh }\n" + net("b(4, act=twice)")).rows] == [
        "conv",
        "bn",
        "tanh",
        "tanh",
    ]


def test_a_layer_as_argument_keeps_its_arguments_and_takes_more() -> None:
    text = "block b(step) { step(6, pad=1) }\n" + net("b(conv(k=3, bias=no))")
    checked = sound(text)
    assert rows(checked) == {"b.0.conv.0": (6, 8, 8)}
    assert weights(checked) == ["b.0.conv.0.weight"]


def test_words_pass_through_parameters() -> None:
    assert sound("block b(k, pad=half) { conv(4, k, pad=pad) }\n" + net("b(3) -> b(3, pad=same)")).rows[-1].output == (4, 8, 8)


def test_let_in_bodies_and_shapes_of_labels() -> None:
    assert sound(net("a: conv(6, 3)\nlet c = a.c + a.h\nconv(c, 1)")).rows[-1].output == (12, 6, 6)
    assert sound(net("dense(x.f)", "[7]")).rows[-1].output == (7,)


def test_results() -> None:
    assert sound(net("relu")).outputs == {"output": "relu.0"}
    assert sound(net("skip")).outputs == {"output": "x"}
    two = sound(net("relu\noutput p: flatten -> dense(4)\noutput q: gap -> dense(2) :: [2]\ntanh"))
    assert two.output_shapes() == {"p": (4,), "q": (2,)}
    assert two.graph is not None
    assert two.graph.outputs == ("p", "q")
    assert [node.inputs for node in two.graph.layers][-1] == ("relu.0",), "a head leaves the current tensor as it was"
    assert sound(net("a: relu\nb: tanh\noutput a, b")).outputs == {"a": "a.relu.0", "b": "b.tanh.0"}
    assert sound(net("if yes { output p: relu }\ntanh")).outputs == {"p": "p.relu.0"}


def test_addresses() -> None:
    text = """block double(c) { first: conv(c, 1)
      conv(c, 1) }
    net N { input x[3, 8, 8]
      down: for c in [4, 5] { keep: double(c); maxpool(2) }
      up: repeat 2 { from down[1].keep.first -> conv(6, 1) }
      from down -> add(down[1])
    }"""
    checked = sound(text)
    assert checked.labels["down[0].keep.first"] == "down.0.keep.first"
    assert checked.labels["down[1]"] == checked.labels["down"] == "down.1.maxpool.0"
    assert checked.graph is not None
    by_name = {node.name: node for node in checked.graph.layers}
    assert by_name["up.1.conv.0"].inputs == ("down.1.keep.first",)
    assert by_name["add.0"].inputs == ("down.1.maxpool.0", "down.1.maxpool.0")


def test_a_label_is_defined_once_and_above_its_use() -> None:
    assert only_error(net("from a -> relu\na: tanh")).code == "E0102"
    assert only_error(net("a: relu -> add(a)")).code == "E0102"
    assert only_error(net("add { | a: relu | a: tanh }")).code == "E0103"
    assert inputs(net("add { | a: relu | tanh }\nfrom a -> silu"))[-1] == ("a.relu.0",)
    assert only_error("block b { from y -> relu }\n" + net("y: relu\nb")).code == "E0102", "a block does not see its caller's labels"


def test_two_blocks_of_a_line_with_one_label_are_ambiguous() -> None:
    assert only_error("block b { k: relu }\n" + net("a: b -> b\nfrom a.k -> tanh")).code == "E0114"


@pytest.mark.parametrize(("first", "second"), [("[3, 8, 8]", "[3]"), ("[3, 8, 8]", "[1, 8, 8]"), ("[5, 3]", "[3]")])
def test_several_inputs_are_checked(first: str, second: str) -> None:
    found = examined(f"net N {{ input a{first}\ninput b{second}\nfrom a -> mul(b) -> relu }}")
    assert not found.diagnostics
    assert set(found.nets[0].inputs) == {"a", "b"}


def test_aliases_and_templates() -> None:
    text = "net T(c, k=1) { input x[3, 8, 8]\nconv(c, k) }\nnet A = T(c=4)\nnet B = T(5, k=3)\n"
    found = examined(text)
    assert [(item.name, item.rows[0].output) for item in found.nets] == [("A", (4, 8, 8)), ("B", (5, 6, 6))]
    assert [item.name for item in examined(text, net="b").nets] == ["B"]
    assert [item.name for item in examined(text, {"c": 2}).nets] == ["T", "A", "B"], "a template with all its parameters set is a net"
    assert {item.rows[0].output[0] for item in examined(text, {"c": 2}).nets} == {2}


def test_a_row_list_ends_before_the_first_wrong_layer() -> None:
    found = examined(net("conv(4, 3) -> relu -> conv(4, 9)\nfrom x -> tanh"))
    assert [row.kind for row in found.nets[0].rows] == ["conv", "relu"]
    assert found.nets[0].graph is None
