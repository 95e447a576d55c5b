"""Radial basis functions: the codes of the digits, those that a user gives, and what does not go together."""

from __future__ import annotations

import numpy as np
import pytest
from harness import lowered

from netspec.graph.types import ShapeError
from netspec.layers import LAYERS
from netspec.layers.rbf import DIGITS, HEIGHT, WIDTH, drawn
from netspec.runtime import reference
from netspec.runtime.weights import initial
from netspec.schema import ArgumentError


def test_pictures_of_digits_are_seven_by_twelve_and_all_different() -> None:
    rows = DIGITS.strip().split("\n")
    assert [len(row.split(" ")) for row in rows] == [10] * HEIGHT
    assert {len(picture) for row in rows for picture in row.split(" ")} == {WIDTH}
    pictures = [drawn(digit) for digit in range(10)]
    assert {len(picture) for picture in pictures} == {84}
    assert len(set(pictures)) == 10
    assert set().union(*pictures) == {-1.0, 1.0}


def test_a_one_is_drawn_row_by_row() -> None:
    one = np.array(drawn(1)).reshape(HEIGHT, WIDTH)
    assert one[0].tolist() == [-1, -1, -1, 1, 1, -1, -1]
    assert one[9].tolist() == [-1, 1, 1, 1, 1, 1, 1]
    assert (one[10:] == -1).all()


def test_the_code_itself_is_at_distance_zero_and_the_codes_are_no_parameters() -> None:
    layer = LAYERS["rbf"](units=10, codes="std:ascii7x12")
    (weight,) = layer.weights((84,))
    codes = initial([weight], 0)["codes"].astype(np.float64)
    assert (weight.role, weight.type.shape) == ("constant", (10, 84))
    found = reference.run(lowered(layer, ((84,),), training=False), {"x": codes, "codes": codes})["y"]
    differing = (codes[:, None] != codes[None]).sum(2)
    assert np.array_equal(found, 4.0 * differing)
    assert found.argmin(1).tolist() == list(range(10))


def test_codes_that_are_given_stay_in_their_order() -> None:
    (weight,) = LAYERS["rbf"](units=2, codes=((1, 2, 3), (4, 5, 6))).weights((3,))
    assert initial([weight], 9)["codes"].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"units": 11, "codes": "std:ascii7x12"}, "`std:ascii7x12` has codes of the 10 digits, not of 11 classes"),
        ({"units": 3, "codes": ((1, 2), (3, 4))}, "`codes` has 2 rows for 3 classes"),
        ({"units": 2, "codes": ((1, 2), (3, 4, 5))}, "the rows of `codes` have 2, 3 numbers"),
    ],
)
def test_codes_that_are_no_table(arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        LAYERS["rbf"](**arguments)
    assert caught.value.together == reason


def test_codes_of_another_length_than_the_input() -> None:
    with pytest.raises(ShapeError) as caught:
        LAYERS["rbf"](units=10, codes="std:ascii7x12").infer((120,))
    assert caught.value.message == "codes of `rbf` have 84 numbers, its input 120"
    assert (caught.value.argument, caught.value.notes) == ("codes", ("a picture of 7 x 12 has 84 pixels",))
    assert caught.value.help == "put `dense(84)` and an activation before it"


def test_a_feature_map_is_flattened_first() -> None:
    with pytest.raises(ShapeError) as caught:
        LAYERS["rbf"](units=10).infer((120, 1, 1))
    assert caught.value.code == "E0202"
    assert caught.value.help is not None
    assert "`flatten ->`" in caught.value.help
