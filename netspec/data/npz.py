"""NumPy archives, read without pickle: each array's header is compared with the archive's sizes before anything is allocated."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from netspec.data.dataset import Dataset, Kind, Pixels, Samples, Targets, dataset
from netspec.data.files import fill, plausible, unreadable
from netspec.diagnostics import UserError, did_you_mean

_HEADER = 10_000
_TEST = "_test"
"""`images_test` beside `images`: the test set."""


def read_npz(
    path: Path, names: Mapping[str, str], ranks: Mapping[str, int], fields: Mapping[str, Kind], *,
    val: int | float | None, seed: int, source: str,
) -> Dataset:  # fmt: skip
    """Arrays for inputs with so many dimensions and for the fields that losses compare with; `names` has those that are called otherwise.

    With `_test` behind their names the test set, where there is one. Raises UserError.
    """
    wanted = {item: names.get(item, item) for item in (*ranks, *fields)}
    try:
        with zipfile.ZipFile(path) as archive:
            train = _samples(_Archive(path, archive), wanted, ranks, fields)
            tested = {item: name + _TEST for item, name in wanted.items()}
            there = set(tested.values()) <= set(_names(archive))
            test = _samples(_Archive(path, archive), tested, ranks, fields) if there else None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{path}: broken npz archive: {error}", "write it with numpy.savez") from error
    except OSError as error:
        raise unreadable(path, error) from error
    return dataset(source, train, test, val, seed)


@dataclass(frozen=True)
class _Archive:
    """An open archive and its path for messages."""

    path: Path
    archive: zipfile.ZipFile

    def read(self, name: str) -> NDArray[Any]:
        return _read(self.path, self.archive, name)


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _samples(archive: _Archive, names: Mapping[str, str], ranks: Mapping[str, int], fields: Mapping[str, Kind]) -> Samples:
    inputs = {item: _inputs(archive.path, names[item], archive.read(names[item]), rank) for item, rank in ranks.items()}
    targets = {item: _targets(archive.path, names[item], archive.read(names[item]), kind) for item, kind in fields.items()}
    first, *others = [(names[item], len(array)) for item, array in (*inputs.items(), *targets.items())]
    for name, count in others:
        if count != first[1]:
            found = f"`{name}` has {count:,} entries, `{first[0]}` {first[1]:,}"
            raise UserError(f"{archive.path}: {found}", "both must hold one entry per sample")
    return Samples(inputs, targets, np.arange(first[1], dtype=np.int64))


def _inputs(path: Path, name: str, array: NDArray[Any], rank: int) -> Pixels:
    if array.ndim < 1 or (array.ndim < 2 and rank != 1):
        raise UserError(f"{path}: `{name}` has shape {list(array.shape)}, expected [samples, ..]")
    if array.ndim == 1:  # a number for each sample
        array = array[:, np.newaxis]
    if array.ndim == 3 and rank != 2:  # pictures of one channel
        array = array[:, np.newaxis]
    return np.ascontiguousarray(array) if array.dtype == np.uint8 else np.ascontiguousarray(array, dtype=np.float32)


def _targets(path: Path, name: str, array: NDArray[Any], kind: Kind) -> Targets:
    """Bytes in the form of pictures stand for [0, 1], as those of inputs do; one whole number for each sample stays what it is."""
    if array.ndim == 0:
        raise UserError(f"{path}: `{name}` is a single number, expected one entry per sample")
    if kind == "values" and array.dtype == np.uint8 and array.ndim > 2:
        return np.ascontiguousarray(array, np.float32) / np.float32(255)
    if array.dtype.kind != "f" and (kind == "classes" or array.ndim == 1):
        return np.ascontiguousarray(array, np.int64)
    return np.ascontiguousarray(array, np.float32)


def _read(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError:
        known = _names(archive)
        raise UserError(f"{path}: no array `{name}`", did_you_mean(name, known) or f"it holds {', '.join(known[:12]) or 'none'}") from None
    plausible(path, f"`{name}`", entry.file_size, entry.compress_size)
    with archive.open(entry) as opened:
        stream = cast("BinaryIO", opened)
        shape, fortran, dtype = _header(path, name, stream)
        size = prod(shape) * dtype.itemsize
        if size != entry.file_size - stream.tell():
            sizes = "x".join(map(str, shape)) or "1"
            found = entry.file_size - stream.tell()
            raise UserError(f"{path}: `{name}` announces {sizes} {dtype} = {size:,} bytes, the archive holds {found:,}", "write it again")
        array = np.empty(shape[::-1] if fortran else shape, dtype)
        if fill(stream, array) < size or stream.read(1):
            raise UserError(f"{path}: `{name}` is truncated", "write it again")
    return (array.transpose() if fortran else array).astype(dtype.newbyteorder("="), copy=False)


def _header(path: Path, name: str, stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = npy.read_magic(stream)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read(stream, max_header_size=_HEADER)
    except Exception as error:  # the parser behind it lets through whatever ast and tokenize raise
        raise UserError(f"{path}: `{name}` has a header that is not NumPy's", "write plain arrays with numpy.savez") from error
    if 0 in shape:
        raise UserError(f"{path}: `{name}` is empty, its shape is {list(shape)}")
    if dtype.kind not in "buif":
        kind = "objects, which only pickle can read" if dtype.hasobject else str(dtype)
        raise UserError(f"{path}: `{name}` holds {kind}, expected numbers", "write bytes (uint8) or floats (float32)")
    return shape, fortran, dtype
