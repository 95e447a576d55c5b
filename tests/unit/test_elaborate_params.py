"""`param`: the kind of its default, ranges, lists of values, and what `--set` and Python may make of it."""

from __future__ import annotations

import pytest
from elaborated import at, examined, net, only_error, rows

from netspec.diagnostics import UsageError
from netspec.elaborate import Setting

BODY = net("conv(c, 1x1)")


@pytest.mark.parametrize(
    ("declared", "setting", "channels"),
    [
        ("8..512 = 64", None, 64),
        ("8..512 = 64", 8, 8),
        ("8..512 = 64", "2 * 256", 512),
        ("whole = 3", "4", 4),
        ("[16, 32] = 16", 32, 32),
        ("2 * low..low ** 3 = 12", 27, 27),
    ],
)
def test_values_that_are_taken(declared: str, setting: Setting | None, channels: int) -> None:
    text = f"let low = 3\nparam c: {declared}\n{BODY}"
    found = examined(text, {} if setting is None else {"c": setting})
    assert not found.diagnostics
    assert rows(found.nets[0]) == {"conv.0": (channels, 8, 8)}


@pytest.mark.parametrize(
    ("declared", "setting", "message"),
    [
        (": 8..512 = 64", "4", "`c=4`: `c` must be a whole number from 8 to 512"),
        (": 8..512 = 64", 513, "`c=513`: `c` must be a whole number from 8 to 512"),
        (": 8..512 = 64", 9.5, "`c=9.5`: `c` must be a whole number from 8 to 512"),
        (": 0..1 = 0.5", 2, "`c=2`: `c` must be a number from 0 to 1"),
        (": 0..1 = 1.0", "1.5", "`c=1.5`: `c` must be a number from 0 to 1"),
        (": number = 1", "yes", "`c=yes`: `c` must be a number"),
        (': ["same", "half"] = "same"', '"full"', '`c="full"`: `c` must be one of "same", "half"'),
        (" = 64", "2.5", "`c=2.5`: `c` must be a whole number"),
        (" = 64", [3], "`c=[3]`: `c` must be a whole number"),
        (" = 0.5", "relu", "`c=relu`: `c` must be a number"),
        (" = [1, 2]", 3, "`c=3`: `c` must be a list"),
        (" = yes", "1", "`c=1`: `c` must be `yes` or `no`"),
        (" = relu", "1", "`c=1`: `c` must be a layer, block or op"),
        (' = "a"', "1", "`c=1`: `c` must be a string"),
    ],
)
def test_settings_that_are_refused(declared: str, setting: Setting, message: str) -> None:
    with pytest.raises(UsageError) as error:
        examined(f"param c{declared}\n" + net("relu"), {"c": setting})
    assert error.value.message == message
    assert (error.value.help or "").startswith("its default is ")


def test_a_number_with_a_point_may_be_any() -> None:
    text = "param slope = 1.0\n" + net("leaky_relu(slope)")
    assert not examined(text, {"slope": 0.25}).diagnostics


@pytest.mark.parametrize(
    ("declared", "message", "place"),
    [
        ("8..512 = 4", "`c` must be a whole number from 8 to 512, its default is the number 4", "4"),
        ("[1, 2] = 3", "`c` must be one of 1, 2, its default is the number 3", "3"),
        ("layer = 3", "`c` must be a layer, block or op, its default is the number 3", "3"),
        ("512..8 = 64", "the type of `c` is none: `512..8`", "512..8"),
        ("3 = 64", "the type of `c` is none: the number 3", "3"),
        ("[] = 64", "the type of `c` is none: the list []", "[]"),
    ],
)
def test_declarations_that_are_wrong(declared: str, message: str, place: str) -> None:
    """Used or not."""
    text = f"param c: {declared}\n" + net("relu")
    error = only_error(text)
    assert (error.code, error.message, at(error, text)) == ("E0106", message, place)


def test_a_type_that_is_no_word() -> None:
    assert only_error("param c: wole = 3\n" + net("relu")).code == "E0102"
