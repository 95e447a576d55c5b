"""What a layer cannot take, it says: what, why in numbers, and how to mend it."""

from __future__ import annotations

import pytest

from netspec.graph.types import Shape, ShapeError
from netspec.layers import LAYERS
from netspec.schema import ArgumentError


def error(name: str, *shapes: Shape, **arguments: object) -> ShapeError:
    with pytest.raises(ShapeError) as caught:
        LAYERS[name](**arguments).infer(*shapes)
    return caught.value


def test_a_window_larger_than_its_input() -> None:
    found = error("conv", (16, 4, 4), c=120, k=5)
    assert (found.code, found.argument) == ("E0204", "k")
    assert found.message == "window of `conv` is larger than its input"
    assert found.label == "needs height >= 5, input is 4"
    assert found.notes == ("floor((4 + 2*0 - 5) / 1) + 1 = 0",)
    assert found.help == "use a 4x4 window, `pad=half`, or drop one pooling step before it"


def test_the_arithmetic_of_a_window_shows_stride_dilation_and_uneven_padding() -> None:
    found = error("conv", (16, 9, 4), c=120, k=3, stride=2, dilation=3, pad=(0, (1, 0)))
    assert found.label == "needs width >= 6, input is 4"
    assert found.notes == ("floor((4 + 1 + 0 - 7) / 2) + 1 = 0",)


def test_groups_divide_channels() -> None:
    found = error("conv", (6, 8, 8), c=16, k=3, groups=4)
    assert (found.code, found.argument) == ("E0205", "groups")
    assert found.message == "groups=4 does not divide 6 -> 16 channels"
    assert found.help == "divisors of both: 1, 2"


def test_groups_of_a_norm_divide_its_channels() -> None:
    found = error("groupnorm", (6, 8, 8), groups=4)
    assert (found.code, found.argument) == ("E0205", "groups")
    assert (found.message, found.help) == ("groups=4 does not divide 6 channels", "divisors: 1, 2, 3, 6")


def test_a_vector_has_no_places_for_a_gram_matrix() -> None:
    found = error("gram", (6,))
    assert (found.code, found.message) == ("E0202", "`gram` needs places to sum over, got [6]")


def test_dense_needs_a_vector() -> None:
    found = error("dense", (16, 12, 12), units=10)
    assert (found.code, found.message) == ("E0202", "`dense` needs a vector, got [16, 12, 12]")
    assert found.help is not None
    assert "`flatten ->` or `gap ->`" in found.help


def test_branches_that_differ() -> None:
    found = error("add", (128, 16, 16), (64, 32, 32))
    assert (found.code, found.argument, found.label) == ("E0201", "x1", "[64, 32, 32]")
    assert found.message == "branches of `add` differ in channels, height and width"
    assert found.help == "project the branch: `| conv(128, 1x1, stride=2)`, or guard it: `| when in.c == 128: skip`"


@pytest.mark.parametrize(
    ("name", "shapes", "message", "branch"),
    [
        ("add", ((8, 4, 4), (8, 4, 4), (8, 2, 4)), "branches of `add` differ in height", "x2"),
        ("mul", ((8,), (8, 4, 4), (8, 5, 5)), "branches of `mul` differ in height and width", "x2"),
        ("max", ((8, 1, 1), (1, 4, 4)), "branches of `max` differ in channels, height and width", "x1"),
        ("add", ((8, 4, 4), (4,)), "branches of `add` differ in their number of dimensions", "x1"),
        ("add", ((8,), (9,)), "branches of `add` differ in features", "x1"),
        ("concat", ((8, 4, 4), (6, 4, 4), (8, 2, 4)), "branches of `concat` differ in height", "x2"),
        ("concat", ((5, 8), (6, 8)), "branches of `concat` differ in steps", "x1"),
    ],
)
def test_the_branch_at_fault_is_named(name: str, shapes: tuple[Shape, ...], message: str, branch: str) -> None:
    found = error(name, *shapes)
    assert (found.message, found.argument) == (message, branch)


@pytest.mark.parametrize(
    ("shapes", "result"),
    [
        (((8,), (8, 4, 5)), (8, 4, 5)),
        (((8, 1, 1), (8, 4, 5), (1, 4, 5), (8,)), (8, 4, 5)),
        (((8,), (3, 8)), (3, 8)),
        (((1, 1, 1), (8, 1, 1), (8, 4, 5)), (8, 4, 5)),
    ],
)
def test_small_branches_are_repeated(shapes: tuple[Shape, ...], result: Shape) -> None:
    assert LAYERS["add"]().infer(*shapes) == result


def test_concatenation_along_a_dimension_that_is_not_there() -> None:
    found = error("concat", (8, 4, 4), (8, 4, 4), axis="t")
    assert (found.argument, found.help) == ("axis", "its dimensions are `c`, `h`, `w`")


def test_more_padding_than_half_a_pool() -> None:
    found = error("maxpool", (8, 4, 4), k=3, pad=2)
    assert (found.argument, found.help) == ("pad", "at most `pad=(1, 1)`, or `pad=half`")


def test_along_steps_windows_are_one_number() -> None:
    found = error("conv", (98, 40), c=4, k=(20, 8))
    assert (found.code, found.argument) == ("E0204", "k")
    assert found.message == "`conv` along the steps of [t, f] takes one number, got k=20x8"
    assert found.help == "`k=20`; `reshape([1, t, f])` makes a picture of the steps"
    found = error("maxpool", (98, 40), k=3, pad=((1, 1), (0, 0)))
    assert (found.argument, found.help) == ("pad", "`pad=(before, after)`")
    found = error("avgpool", (4, 40), k=5)
    assert found.label == "needs steps >= 5, input is 4"
    assert found.help == "use a window of 4, `pad=half`, or drop one pooling step before it"


def test_a_vector_has_no_places_for_windows() -> None:
    found = error("conv", (40,), c=4, k=3)
    assert (found.code, found.message) == ("E0202", "`conv` needs [c, h, w] or [t, f], got [40]")


def test_a_transposed_convolution_leaves_something() -> None:
    found = error("convt", (3, 2, 4), c=4, k=3, stride=2, pad=3)
    assert (found.code, found.argument, found.label) == ("E0204", "pad", "height would be -1")
    assert found.notes == ("(2 - 1)*2 - 3 - 3 + 1*(3 - 1) + 0 + 1 = -1",)
    assert found.help == "at most `pad=2`"
    found = error("convt", (3, 2, 4), c=4, k=3, stride=33)
    assert (found.message, found.argument) == ("`stride` of `convt` is 33, at most 32", "stride")
    found = error("convt", (3, 2, 4), c=4, k=3, stride=2, extra=2)
    assert (found.message, found.help) == ("`extra` of `convt` is 2, needs to be less than the stride 2", "`stride=3`, or `extra=1`")


@pytest.mark.parametrize(
    ("table", "message", "help"),
    [
        (("X.",), "connection table has 1 row, needs 2", "a row for each of the 2 channels of the input"),
        (("XX", "X"), "connection table row 2 has 1 column, needs 2", 'row 2 is "X"'),
        (("Xx", "XX"), "connection table row 1 holds `x`", 'row 1 is "Xx": `X` is a link, `.` is none'),
        (((1, 0), (1, 0, 1)), "connection table row 2 has 3 columns, needs 2", "row 2 is [1, 0, 1]"),
        (("X.", "X."), "connection table column 2 has no link", "a filter that reads nothing is its bias alone: leave it out"),
    ],
)
def test_a_connection_table_that_does_not_fit(table: object, message: str, help: str) -> None:
    found = error("conv", (2, 8, 8), c=2, k=3, connect=table)
    assert (found.code, found.argument, found.message, found.help) == ("E0206", "connect", message, help)


def test_a_connection_table_has_its_limit() -> None:
    found = error("conv", (100, 8, 8), c=100, k=3, connect=("X" * 100,) * 100)
    assert (found.code, found.message) == ("E0206", "connection table has 10,000 links, at most 1,024")


@pytest.mark.parametrize(
    ("name", "shape", "arguments", "message", "help"),
    [
        (
            "reshape",
            (98, 40),
            {"shape": (1, 98, 41)},
            "`reshape` cannot make [1, 98, 41] of [98, 40]",
            "`reshape([1, 98, 40])` has as many",
        ),
        ("reshape", (98, 40), {"shape": (3, 7)}, "`reshape` cannot make [3, 7] of [98, 40]", None),
        ("crop", (4, 5, 6), {"size": (4, 7)}, "`crop` cannot keep width 7 of 6", "at most 5x6; `pad` makes it larger"),
        ("crop", (5, 6), {"size": 7}, "`crop` cannot keep steps 7 of 5", "at most 5; `pad` makes it larger"),
        ("slice", (16, 5, 5), {"part": (0, 31)}, "`slice` takes 0..31 of 16 channels", "channels are counted from 0: the last is 15"),
        ("slice", (4, 5, 5), {"part": 5, "axis": "w"}, "`slice` takes 5..5 of 5 width", "the last index is 4"),
        ("slice", (4, 5, 5), {"part": 5, "axis": "t"}, "[4, 5, 5] has no dimension `t`", "its dimensions are `c`, `h`, `w`"),
        ("up", (7, 3), {"factor": (2, 2)}, "`up` along the steps of [t, f] takes one number, got factor=(2, 2)", None),
        (
            "pad",
            (7, 3),
            {"size": ((1, 1), (0, 0))},
            "`pad` pads the steps of [t, f] at two ends, got size=((1, 1), (0, 0))",
            "`size=(before, after)`",
        ),
    ],
)
def test_what_moves_elements_says_what_there_is(
    name: str, shape: Shape, arguments: dict[str, object], message: str, help: str | None
) -> None:
    found = error(name, shape, **arguments)
    assert (found.code, found.message) == ("E0204", message)
    assert found.argument in arguments
    assert help is None or found.help == help


def test_the_elements_of_a_reshape_are_counted() -> None:
    found = error("reshape", (98, 40), shape=(1, 98, 41))
    assert found.notes == ("[98, 40] has 98*40 = 3920 elements", "[1, 98, 41] has 1*98*41 = 4018 elements")


def test_a_shuffle_divides_the_channels() -> None:
    found = error("shuffle", (6, 8, 8), groups=4)
    assert (found.code, found.message, found.help) == ("E0205", "groups=4 does not divide 6 channels", "divisors: 1, 2, 3, 6")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("conv", {"c": 0, "k": 3}),
        ("conv", {"c": 4, "k": 3, "stride": 0}),
        ("conv", {"c": 4, "k": 3, "pad": -1}),
        ("conv", {"c": 4, "k": 3, "pad": "full"}),
        ("conv", {"c": 4, "k": (3, 3, 3)}),
        ("conv", {"c": True, "k": 3}),
        ("conv", {"c": 4, "k": 3, "strid": 2}),
        ("conv", {"c": 4, "k": 3, "groups": 2, "connect": ("XXXX", "XXXX")}),
        ("conv", {"c": 1, "k": 3, "connect": ((2,),)}),
        ("convt", {"c": 4, "k": 3, "stride": 2, "pad": "same", "extra": 1}),
        ("reshape", {"shape": (1, 2, 3, 4)}),
        ("reshape", {"shape": ()}),
        ("slice", {"part": (3, 1)}),
        ("up", {"factor": 2, "mode": "cubic"}),
        ("dropout", {"rate": 1.0}),
        ("bn", {"eps": 0.0}),
        ("leaky_relu", {"slope": -0.1}),
    ],
)
def test_arguments_out_of_range_are_refused(name: str, arguments: dict[str, object]) -> None:
    with pytest.raises(ArgumentError):
        LAYERS[name](**arguments)


@pytest.mark.parametrize(
    ("arguments", "size", "pads"),
    [
        ({"k": 3, "pad": "same", "stride": 2}, (6, 7), ((0, 1), (1, 1))),
        ({"k": (5, 2), "pad": "same"}, (6, 6), ((2, 2), (0, 1))),
        ({"k": (5, 2), "pad": "half", "dilation": 2}, (12, 6), ((4, 4), (1, 1))),
        ({"k": 3, "pad": (1, (0, 2))}, (6, 6), ((1, 1), (0, 2))),
        ({"k": 1, "pad": "same", "stride": 3}, (7, 7), ((0, 0), (0, 0))),
    ],
)
def test_every_form_of_padding_says_its_numbers(arguments: dict[str, object], size: tuple[int, int], pads: object) -> None:
    assert LAYERS["conv"](c=1, **arguments).pads((1, *size)) == pads


@pytest.mark.parametrize(
    ("name", "first"),
    [("groupnorm", "groups"), ("lrn", "n"), ("subsample", "k"), ("gausspool", "k"), ("rbf", "units"), ("droppath", "rate")],
)
def test_the_first_argument_is_the_one_that_is_given_without_a_name(name: str, first: str) -> None:
    assert next(iter(LAYERS[name].arguments())) == first
