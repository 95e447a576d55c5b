"""NumPy archives, read without pickle: each array's header is compared with the archive's sizes before anything is allocated."""

from __future__ import annotations

import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from netspec.data.dataset import Dataset, Pixels, Samples, Targets, dataset
from netspec.data.files import fill, plausible, unreadable
from netspec.diagnostics import UserError, did_you_mean

_HEADER = 10_000
_TEST = "_test"
"""`images_test` beside `images`: the test set."""


def read_npz(path: Path, image: str, target: str | None, *, val: int | float | None, seed: int, source: str) -> Dataset:
    """The arrays `image` and, unless None, `target`; with `_test` behind their names the test set, where there is one. Raises UserError."""
    try:
        with zipfile.ZipFile(path) as archive:
            train = _samples(path, archive, image, target)
            names = _names(archive)
            tested = image + _TEST in names and (target is None or target + _TEST in names)
            test = _samples(path, archive, image + _TEST, None if target is None else target + _TEST) if tested else None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{path}: broken npz archive: {error}", "write it with numpy.savez") from error
    except OSError as error:
        raise unreadable(path, error) from error
    return dataset(source, train, test, val, seed)


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _samples(path: Path, archive: zipfile.ZipFile, image: str, target: str | None) -> Samples:
    inputs = _inputs(path, image, _read(path, archive, image))
    targets = None if target is None else _targets(path, target, _read(path, archive, target))
    if targets is not None and len(targets) != len(inputs):
        raise UserError(
            f"{path}: `{target}` has {len(targets):,} entries, `{image}` {len(inputs):,}", "both must hold one entry per sample"
        )
    return Samples(inputs, targets, np.arange(len(inputs), dtype=np.int64))


def _inputs(path: Path, name: str, array: NDArray[Any]) -> Pixels:
    if array.ndim < 2:
        raise UserError(f"{path}: `{name}` has shape {list(array.shape)}, expected [samples, ..]")
    if array.ndim == 3:  # pictures of one channel
        array = array[:, np.newaxis]
    return np.ascontiguousarray(array) if array.dtype == np.uint8 else np.ascontiguousarray(array, dtype=np.float32)


def _targets(path: Path, name: str, array: NDArray[Any]) -> Targets:
    if array.ndim == 0:
        raise UserError(f"{path}: `{name}` is a single number, expected one entry per sample")
    return np.ascontiguousarray(array, np.float32) if array.dtype.kind == "f" else np.ascontiguousarray(array, np.int64)


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
