"""Samples in memory: their splits, the order of an epoch, a fingerprint, and the checks that come before the first step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.float32]
Targets = NDArray[np.int64] | NDArray[np.float32]
Kind = Literal["classes", "values"]
"""What a loss compares with: class numbers, or numbers in a shape of its own."""

_WORD = (1 << 64) - 1
_SPLIT, _ORDER = 1, 2
"""Streams of the generator: what is drawn for one use says nothing about another."""


@dataclass(frozen=True)
class Samples:
    """Some rows of arrays: `inputs` by name [n, *shape], bytes that stand for [0, 1] or floats; `targets` by field, classes [n] or values
    [n, ..].

    Splits of one source share its arrays; `rows` (int64) says which are theirs, so a sample keeps its number whatever the split.
    """

    inputs: Mapping[str, Pixels]
    targets: Mapping[str, Targets]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of one sample's inputs."""
        return {name: array.shape[1:] for name, array in self.inputs.items()}

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """The rows in the order of an epoch, a function of seed and epoch alone: any epoch can be resumed without the ones before it."""
        return self.rows[_shuffle(len(self.rows), seed, _ORDER, epoch)]


@dataclass(frozen=True)
class Dataset:
    """What a reader gives. `source` names it in messages; `fingerprint` is the same exactly when all samples are."""

    source: str
    train: Samples
    val: Samples | None
    test: Samples | None
    fingerprint: str


def dataset(source: str, train: Samples, test: Samples | None, val: int | float | None, seed: int) -> Dataset:
    """Set `val` training samples (a number, or a share) aside, as many of each class as its share, chosen by the seed."""
    mark = fingerprint(train, test)
    if val is None:
        return Dataset(source, train, None, test, mark)
    count = round(val * len(train)) if isinstance(val, float) else val
    kept, held = _divided(train, count, seed)
    return Dataset(source, kept, held, test, mark)


def _divided(samples: Samples, count: int, seed: int) -> tuple[Samples, Samples]:
    """`count` samples apart, stratified by class where targets are classes. Both parts keep the order of the rows."""
    chosen = np.zeros(len(samples), dtype=np.bool_)
    for members, share in _strata(samples, count):
        chosen[members[_shuffle(len(members), seed, _SPLIT, int(members[0]))[:share]]] = True
    return replace(samples, rows=samples.rows[~chosen]), replace(samples, rows=samples.rows[chosen])


def _strata(samples: Samples, count: int) -> Iterator[tuple[NDArray[np.int64], int]]:
    """The members of each class and how many of them to take: shares by largest remainder, which add up to `count`.

    Of several targets that are whole numbers, the first tells the classes.
    """
    classes = next((item for item in samples.targets.values() if item.dtype == np.int64 and item.ndim == 1), None)
    if classes is None:
        yield np.arange(len(samples), dtype=np.int64), count
        return
    labels = classes[samples.rows]
    numbers, sizes = np.unique(labels, return_counts=True)
    exact = sizes * count
    shares, rest = exact // len(samples), exact % len(samples)
    shares[np.argsort(-rest, kind="stable")[: count - int(shares.sum())]] += 1
    for item, share in zip(numbers, shares, strict=True):
        yield np.flatnonzero(labels == item), int(share)


def _shuffle(count: int, seed: int, stream: int, counter: int) -> NDArray[np.int64]:
    """A permutation, keyed. Sorting raw words keeps it the same in all NumPy versions, which `permutation` does not promise."""
    key = np.array([seed & _WORD, (stream << 56) ^ counter], dtype=np.uint64)
    return np.argsort(np.random.Philox(key=key).random_raw(count), kind="stable").astype(np.int64, copy=False)


def fingerprint(*parts: Samples | None) -> str:
    """SHA-256 over types, shapes and contents."""
    digest = hashlib.sha256()
    for part in parts:
        arrays = (None, None) if part is None else (*part.inputs.values(), *(part.targets.values() or (None,)))
        for array in arrays:
            digest.update(b"none" if array is None else f"{array.dtype.str}{array.shape}".encode())
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
