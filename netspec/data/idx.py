"""IDX, the format of MNIST: two zero bytes, a type, the number of dimensions, the dimensions (32 bits, big-endian), the elements."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from netspec.data.dataset import Dataset, Samples, dataset
from netspec.data.files import fill, plausible, unreadable
from netspec.diagnostics import UserError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_NAME = re.compile(r"(?:.*-)?(train|t10k|test)-(images|labels)[-.]idx\d(?:-ubyte)?(?:\.gz)?")


def read_idx(path: Path) -> NDArray[Any]:
    """The array of an IDX file, packed when its name ends in .gz. Raises UserError: what is wrong, expected and found, the mend."""
    try:
        if path.suffix != ".gz":
            with path.open("rb") as stream:
                return _array(path, stream, path.stat().st_size)
        with gzip.open(path) as stream:
            return _array(path, cast("BinaryIO", stream), None)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: broken gzip file: {error}", "fetch the file again") from error
    except OSError as error:
        raise unreadable(path, error) from error


def _array(path: Path, stream: BinaryIO, size: int | None) -> NDArray[Any]:
    """`size`: the bytes of the file, None for a packed one."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] == 0:
        found = magic.hex(" ") or "nothing, the file is empty"
        raise UserError(f"{path}: not an IDX file: it starts with {found}, expected 00 00, a type and the number of dimensions")
    dtype, rank = np.dtype(_TYPES[magic[2]]), magic[3]
    dimensions = stream.read(4 * rank)
    if len(dimensions) < 4 * rank:
        raise UserError(f"{path}: truncated: {4 + len(dimensions)} bytes, its header of {rank} dimensions takes {4 + 4 * rank}")
    shape = tuple(int.from_bytes(dimensions[i : i + 4], "big") for i in range(0, 4 * rank, 4))
    announced, start = prod(shape) * dtype.itemsize, 4 + 4 * rank
    if rank > 4 or announced == 0:
        raise UserError(f"{path}: announces {'x'.join(map(str, shape[:5]))} elements, expected 1 to 4 dimensions, none of them 0")
    if size is None:
        plausible(path, "its header", announced, path.stat().st_size)
    elif size != start + announced:
        raise _wrong_size(path, shape, start + announced, size)
    array = np.empty(shape, dtype)
    read = fill(stream, array)
    if read < announced or stream.read(1):
        raise _wrong_size(path, shape, start + announced, start + read if read < announced else None)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _wrong_size(path: Path, shape: tuple[int, ...], expected: int, found: int | None) -> UserError:
    sizes = "x".join(map(str, shape))
    trouble = "truncated" if found is not None and found < expected else "longer than announced"
    bytes_found = f"{found:,} bytes" if found is not None else "more"
    return UserError(
        f"{path}: {trouble}: {sizes} elements take {expected:,} bytes with the header, found {bytes_found}", "fetch the file again"
    )


def read_folder(folder: Path, image: str, fields: Sequence[str], val: int | float | None, seed: int, source: str) -> Dataset:
    """The training set of a folder, and its test set where there is one: pictures for the input `image`, classes for each of the fields.

    Raises UserError.
    """
    files = _files(folder)
    for kind in ("images", "labels"):
        if ("train", kind) not in files:
            held = ", ".join(sorted(item.name for item in folder.iterdir())[:6]) or "nothing"
            raise UserError(
                f"{folder}: no training {kind}: looked for train-{kind}-idx*-ubyte, packed (.gz) or not", f"the folder holds {held}"
            )
    train = _samples(files["train", "images"], files["train", "labels"], image, fields)
    test = None
    if ("test", "images") in files and ("test", "labels") in files:
        test = _samples(files["test", "images"], files["test", "labels"], image, fields)
    return dataset(source, train, test, val, seed)


def _files(folder: Path) -> dict[tuple[str, str], Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}", f"looked in {folder.parent.absolute()}")
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):  # of a packed and an unpacked file, the unpacked one comes first
        if match := _NAME.fullmatch(path.name):
            key = ("train" if match[1] == "train" else "test", match[2])
            if key in found and found[key].name != path.name.removesuffix(".gz"):
                raise UserError(f"{folder}: two files hold {key[0]} {key[1]}: {found[key].name} and {path.name}", "keep one set per folder")
            found.setdefault(key, path)
    return found


def _samples(images: Path, labels: Path, image: str, fields: Sequence[str]) -> Samples:
    pixels, classes = read_idx(images), read_idx(labels)
    if pixels.ndim < 2 or classes.ndim != 1:
        wrong, found, wanted = (images, pixels, "at least 2") if pixels.ndim < 2 else (labels, classes, "1")
        raise UserError(f"{wrong}: {found.ndim} dimensions, expected {wanted}", "are images and labels exchanged?")
    if classes.dtype.kind not in "iu":
        raise UserError(f"{labels}: labels of type {classes.dtype}, expected whole numbers")
    if len(pixels) != len(classes):
        raise UserError(f"{labels.name} has {len(classes):,} labels, {images.name} {len(pixels):,} images", "both must be of one set")
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(np.float32)
    if pixels.ndim == 3:
        pixels = pixels[:, np.newaxis]
    numbers = classes.astype(np.int64)
    return Samples({image: pixels}, dict.fromkeys(fields, numbers), np.arange(len(numbers), dtype=np.int64))
