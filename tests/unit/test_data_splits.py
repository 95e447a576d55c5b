"""Splits, orders and fingerprints are functions of the seed; and what is checked before the first step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netspec.data import check_input, check_sizes, check_targets
from netspec.data.dataset import Dataset, Samples, dataset
from netspec.diagnostics import UserError


def samples(labels: np.ndarray) -> Samples:
    inputs = np.arange(len(labels) * 4, dtype=np.uint8).reshape(-1, 1, 2, 2)
    return Samples({"image": inputs}, {"y": labels}, np.arange(len(labels), dtype=np.int64))


def digits(*labels: int, val: int | float | None = None, seed: int = 0) -> Dataset:
    return dataset("digits", samples(np.array(labels, dtype=np.int64)), None, val, seed)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 70), st.integers(0, 2**70))
def test_a_split_is_stratified_and_loses_nothing(labels: list[int], count: int, seed: int) -> None:
    data = digits(*labels, val=max(1, count), seed=seed)
    assert data.val is not None
    count = min(max(1, count), len(labels))
    assert len(data.val) == count
    assert sorted([*data.train.rows, *data.val.rows]) == list(range(len(labels)))
    held = np.array(labels)[data.val.rows]
    for item in set(labels):
        exact = labels.count(item) * count / len(labels)
        assert abs(int((held == item).sum()) - exact) < 1
    again = digits(*labels, val=count, seed=seed)
    assert again.val is not None
    np.testing.assert_array_equal(again.val.rows, data.val.rows)


def test_a_share_and_another_seed() -> None:
    labels = [0, 1] * 50
    one, other = digits(*labels, val=0.1, seed=1).val, digits(*labels, val=0.1, seed=2).val
    assert one is not None and other is not None
    assert len(one) == 10
    assert one.rows.tolist() != other.rows.tolist()


def test_targets_that_are_no_classes_are_split_at_random() -> None:
    whole = Samples({"x": np.zeros((10, 3), np.float32)}, {"y": np.zeros((10, 2), np.float32)}, np.arange(10, dtype=np.int64))
    data = dataset("values", whole, None, 3, 0)
    assert data.val is not None and len(data.val) == 3
    assert sorted([*data.train.rows, *data.val.rows]) == list(range(10))


def test_an_order_is_a_permutation_of_its_own_rows() -> None:
    part = digits(*[0, 1] * 30, val=20).train
    first, second = part.order(7, 0), part.order(7, 1)
    assert sorted(first) == sorted(second) == part.rows.tolist()
    assert first.tolist() != second.tolist() != part.order(8, 1).tolist()
    np.testing.assert_array_equal(second, part.order(7, 1))


def test_the_order_is_the_same_for_ever() -> None:
    """Philox's raw words do not change between NumPy versions; a shuffle method might."""
    assert digits(*[0] * 12).train.order(7, 3).tolist() == ORDER


ORDER = [6, 10, 8, 2, 3, 11, 9, 1, 0, 4, 5, 7]


def test_a_fingerprint_sees_contents_types_and_shapes() -> None:
    marks = {digits(0, 1, 2).fingerprint, digits(0, 1, 3).fingerprint}
    train = samples(np.array([0, 1, 2], dtype=np.int64))
    for other in (
        replace(train, inputs={"image": train.inputs["image"].astype(np.float32)}),
        replace(train, inputs={"image": train.inputs["image"].reshape(3, 1, 4, 1)}),
        replace(train, targets={}),
    ):
        marks.add(dataset("x", other, None, None, 0).fingerprint)
    assert len(marks) == 5
    assert dataset("other name", train, None, 1, 3).fingerprint == digits(0, 1, 2).fingerprint


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        (
            (0, 1, 9, 12, 25),
            10,
            "`cross_entropy` has 10 logits, the data 26 classes: 2 labels beyond, the first is training sample 3, class 12",
        ),
        ((1, 2, 3), 3, "the data 4 classes: 1 labels beyond, the first is training sample 2, class 3\n  = help: class numbers start at 0"),
        ((0, -1, 2), 3, "1 labels below 0: the first is training sample 1, class -1"),
    ],
)
def test_labels_beyond_the_net(labels: tuple[int, ...], classes: int, words: str) -> None:
    with pytest.raises(UserError) as caught:
        check_targets(digits(*labels), "y", "cross_entropy", "classes", (), classes)
    assert words in str(caught.value)


def test_labels_of_every_split_are_checked() -> None:
    whole = dataset("digits", samples(np.array([0, 1], dtype=np.int64)), samples(np.array([0, 5], dtype=np.int64)), None, 0)
    with pytest.raises(UserError, match="the first is test sample 1, class 5"):
        check_targets(whole, "y", "cross_entropy", "classes", (), 2)
    check_targets(whole, "y", "cross_entropy", "classes", (), 6)


def test_targets_of_the_wrong_kind() -> None:
    values = Samples({"x": np.zeros((4, 3), np.float32)}, {"y": np.zeros((4, 2), np.float32)}, np.arange(4, dtype=np.int64))
    data = dataset("values", values, None, None, 0)
    with pytest.raises(UserError, match="needs one class number per sample, values has float32"):
        check_targets(data, "y", "cross_entropy", "classes", (), 2)
    with pytest.raises(UserError, match=r"an output \[3\] with targets \[2\]"):
        check_targets(data, "y", "mse", "values", (3,), 3)
    check_targets(data, "y", "mse", "values", (2,), 2)


@pytest.mark.parametrize(
    ("wanted", "given", "help"),
    [
        ((1, 32, 32), (1, 28, 28), "add `pad(2)` to `prepare`"),
        ((1, 32, 30), (1, 28, 28), "change the net's input"),
        ((784,), (1, 28, 28), "declare `input image[1, 28, 28]` and start the net with `flatten`"),
        ((3, 28, 28), (1, 28, 28), "change the net's input"),
    ],
)
def test_samples_of_another_shape(wanted: tuple[int, ...], given: tuple[int, ...], help: str) -> None:
    with pytest.raises(UserError) as caught:
        check_input(digits(0), "image", wanted, given)
    assert caught.value.help is not None and caught.value.help.startswith(help)
    check_input(digits(0), "image", wanted, wanted)


def test_splits_that_hold_nothing() -> None:
    with pytest.raises(UserError, match="no training samples, since `val=3` of 3 takes all"):
        check_sizes(digits(0, 1, 1, val=3), 3)
    with pytest.raises(UserError, match="sets no sample aside"):
        check_sizes(digits(0, 1, 1, val=0.1), 0.1)
    other = replace(samples(np.zeros(3, np.int64)), inputs={"image": np.zeros((3, 1, 5, 5), np.uint8)})
    with pytest.raises(UserError, match=r"training samples are \[1, 2, 2\], test samples \[1, 5, 5\]"):
        check_sizes(dataset("digits", samples(np.zeros(3, np.int64)), other, None, 0), None)
