"""IDX and npz: what they hold, and one clear error for every way of being broken. Sizes are judged before anything is allocated."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.data import Kind, read
from netspec.data.idx import read_folder, read_idx
from netspec.data.npz import read_npz
from netspec.diagnostics import UserError
from netspec.training.readers import Idx, Mnist5k, Npz


def idx(array: np.ndarray, code: int = 0x08, shape: tuple[int, ...] | None = None) -> bytes:
    sizes = array.shape if shape is None else shape
    return bytes([0, 0, code, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes) + array.tobytes()


PIXELS = np.arange(5 * 3 * 4, dtype=np.uint8).reshape(5, 3, 4)
CLASSES = np.array([0, 1, 2, 1, 0], dtype=np.uint8)


IMAGE: dict[str, int] = {"image": 3}
LABELS: dict[str, Kind] = {"y": "classes"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(PIXELS)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(CLASSES))
    (tmp_path / "t10k-images.idx3-ubyte").write_bytes(idx(PIXELS[:2]))
    (tmp_path / "t10k-labels.idx1-ubyte.gz").write_bytes(gzip.compress(idx(CLASSES[:2])))
    return tmp_path


def test_a_folder_of_idx_files(folder: Path) -> None:
    data = read(Idx(folder=folder.name), IMAGE, LABELS, 0, folder.parent)
    np.testing.assert_array_equal(data.train.inputs["image"], PIXELS[:, np.newaxis])
    np.testing.assert_array_equal(data.train.targets["y"], CLASSES)
    assert data.train.targets["y"].dtype == np.int64
    assert data.test is not None and len(data.test) == 2
    assert data.val is None


@pytest.mark.parametrize(("code", "dtype"), [(0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_every_type_of_element(tmp_path: Path, code: int, dtype: str) -> None:
    values = np.array([[1, -2, 3], [100, 5, -6]])
    (tmp_path / "a").write_bytes(idx(values.astype(dtype), code))
    found = read_idx(tmp_path / "a")
    np.testing.assert_array_equal(found, values)
    assert found.dtype.isnative


BROKEN_IDX: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it starts with nothing, the file is empty"),
    "text": (b"<!DOCTYPE html>", "it starts with 3c 21 44 4f"),
    "type": (bytes([0, 0, 7, 1, 0, 0, 0, 1, 5]), "not an IDX file"),
    "rank": (bytes([0, 0, 8, 0]), "not an IDX file"),
    "header": (idx(PIXELS)[:10], "truncated: 10 bytes, its header of 3 dimensions takes 16"),
    "truncated": (idx(PIXELS)[:-7], "truncated: 5x3x4 elements take 76 bytes with the header, found 69"),
    "longer": (idx(PIXELS) + b"x", "longer than announced: 5x3x4 elements take 76 bytes with the header, found"),
    "bomb": (idx(PIXELS, shape=(2**32 - 1, 2**32 - 1, 28)), r"truncated: .* found 76 bytes|the limit is|more than its"),
    "none": (idx(PIXELS[:0]), "none of them 0"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("case", BROKEN_IDX)
def test_a_broken_idx_file(tmp_path: Path, case: str, packed: bool) -> None:
    content, words = BROKEN_IDX[case]
    path = tmp_path / ("a.gz" if packed else "a")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(UserError, match=words) as caught:
        read_idx(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:-9], "broken gzip file"),
        (lambda content: content[:40] + bytes([content[40] ^ 255]) + content[41:], "broken gzip file|truncated|longer"),
        (lambda content: b"PK" + content[2:], "broken gzip file: Not a gzipped file"),
    ],
)
def test_a_broken_gzip_file(tmp_path: Path, damage: Callable[[bytes], bytes], words: str) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(damage(gzip.compress(idx(np.random.default_rng(0).integers(0, 255, (50, 28, 28), np.uint8)))))
    with pytest.raises(UserError, match=words):
        read_idx(path)


@pytest.mark.parametrize("announced", [10_000, 40_000_000])
def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path, announced: int) -> None:
    """64 MB of zeros in 64 KB: what is read, and allocated, is what the header announces, and 1 byte."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx(np.zeros(64 << 20, np.uint8), shape=(announced, 1))))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=f"longer than announced: {announced}x1"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < announced + (8 << 20)
    finally:
        tracemalloc.stop()


def test_a_header_beyond_what_the_packed_bytes_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx(PIXELS, shape=(60_000_000, 28))))
    with pytest.raises(UserError, match=r"announces 1,680,000,000 bytes, more than its \d+ packed bytes can hold"):
        read_idx(path)


def test_errors_of_a_folder(folder: Path) -> None:
    def fails(words: str) -> None:
        with pytest.raises(UserError, match=words):
            read_folder(folder, "image", ["y"], None, 0, "digits")

    (folder / "train-labels-idx1-ubyte").write_bytes(idx(CLASSES[:4]))
    fails("train-labels-idx1-ubyte has 4 labels, train-images-idx3-ubyte.gz 5 images")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(PIXELS))
    fails("3 dimensions, expected 1")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(5, ">f4"), 0x0D))
    fails("labels of type float32, expected whole numbers")
    (folder / "train-labels-idx1-ubyte").unlink()
    fails("no training labels: looked for train-labels-idx")
    (folder / "emnist-train-images-idx3-ubyte").write_bytes(idx(PIXELS))
    fails("two files hold train images")


def test_missing_folders_and_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read(Idx(folder="nowhere"), IMAGE, LABELS, 0, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="not a folder"):
        read(Idx(folder="file"), IMAGE, LABELS, 0, tmp_path)
    with pytest.raises(UserError, match="no such file"):
        read(Npz(path="nowhere.npz"), IMAGE, LABELS, 0, tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        read_idx(tmp_path)


def test_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    columns = np.asfortranarray(np.arange(24, dtype=">f8").reshape(2, 3, 4))
    np.savez_compressed(
        path, pictures=PIXELS, labels=CLASSES.astype(np.int16), pictures_test=PIXELS[:2], labels_test=CLASSES[:2], columns=columns
    )
    reader = Npz(path="a.npz", image="pictures", y="labels")
    data = read(reader, IMAGE, LABELS, 0, tmp_path)
    np.testing.assert_array_equal(data.train.inputs["image"], PIXELS[:, np.newaxis])
    np.testing.assert_array_equal(data.train.targets["y"], CLASSES)
    assert data.test is not None and len(data.test) == 2
    whole = read_npz(path, {}, {"columns": 3}, {}, val=None, seed=0, source="a.npz")
    np.testing.assert_array_equal(whole.train.inputs["columns"], columns[:, np.newaxis])
    assert whole.train.inputs["columns"].dtype == np.float32
    assert not whole.train.targets and whole.test is None


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return out.getvalue()


def npy(array: Any, shape: tuple[int, ...] | None = None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array), allow_pickle=True)
    if shape is None:
        return out.getvalue()
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": np.asarray(array).dtype.str, "fortran_order": False, "shape": shape})
    return head.getvalue() + np.asarray(array).tobytes()


class Trap:
    """What unpickling this would do is seen in the test."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.exit, ("unpickled",))


BROKEN_NPZ: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "broken npz archive"),
    "text": (b"x,y\n1,2\n", "broken npz archive"),
    "no array": (archive(images=npy(PIXELS)), "no array `image`"),
    "objects": (archive(image=npy(np.array([Trap()], dtype=object))), "objects, which only pickle can read"),
    "fields": (archive(image=npy(np.zeros(2, "i4,f4"))), "expected numbers"),
    "text array": (archive(image=npy(np.array(["a", "b"]))), "holds <U1, expected numbers"),
    "complex": (archive(image=npy(np.zeros((2, 2), complex))), "holds complex128, expected numbers"),
    "header": (archive(image=b"\x93NUMPY\x01\x00\x10\x00{'descr':__import}"), "a header that is not NumPy's"),
    "magic": (archive(image=b"nothing of the kind"), "a header that is not NumPy's"),
    "cut": (archive(image=npy(PIXELS)[:-5]), "announces 5x3x4 uint8 = 60 bytes, the archive holds 55"),
    "longer": (archive(image=npy(PIXELS) + b"12"), "announces 5x3x4 uint8 = 60 bytes, the archive holds 62"),
    "huge": (archive(image=npy(PIXELS, (2**40, 2**40))), "the archive holds 60"),
    "no samples": (archive(image=npy(PIXELS[:0])), "`image` is empty"),
    "one number": (archive(image=npy(3.0)), r"`image` has shape \[\], expected \[samples, ..\]"),
}


@pytest.mark.parametrize("case", BROKEN_NPZ)
def test_a_broken_archive(tmp_path: Path, case: str) -> None:
    content, words = BROKEN_NPZ[case]
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        read_npz(path, {}, IMAGE, {}, val=None, seed=0, source="a.npz")
    assert str(path) in caught.value.message


def test_an_archive_truncated_anywhere(tmp_path: Path) -> None:
    content = archive(image=npy(PIXELS), y=npy(CLASSES))
    path = tmp_path / "a.npz"
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        with pytest.raises(UserError):
            read_npz(path, {}, IMAGE, LABELS, val=None, seed=0, source="a.npz")


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    content = archive(image=npy(np.zeros((1 << 16, 8), np.uint8)))
    forged = content.replace((128 + (1 << 19)).to_bytes(4, "little"), (1 << 30).to_bytes(4, "little"))
    assert forged != content
    path.write_bytes(forged)
    with pytest.raises(UserError, match="more than its"):
        read_npz(path, {}, IMAGE, {}, val=None, seed=0, source="a.npz")


def test_entries_must_match_in_number(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, image=PIXELS, y=CLASSES[:4])
    with pytest.raises(UserError, match="`y` has 4 entries, `image` 5"):
        read_npz(path, {}, IMAGE, LABELS, val=None, seed=0, source="a.npz")


def test_an_archive_of_several_inputs_and_fields(tmp_path: Path) -> None:
    """Sequences stay sequences, a number for each sample is a vector of one; bytes in the form of pictures stand for [0, 1]."""
    steps, ages = np.zeros((5, 7, 2), np.float64), np.arange(5, dtype=np.uint8)
    np.savez(tmp_path / "a.npz", p=PIXELS, steps=steps, age=ages, same=ages % 2, mask=PIXELS, value=ages / 2)
    reader = Npz(path="a.npz", image="p")
    ranks = {"image": 3, "steps": 2, "age": 1}
    data = read(reader, ranks, {"same": "values", "mask": "values", "value": "values"}, 0, tmp_path).train
    assert data.shapes == {"image": (1, 3, 4), "steps": (7, 2), "age": (1,)}
    assert [array.dtype for array in data.inputs.values()] == [np.uint8, np.float32, np.uint8]
    np.testing.assert_array_equal(data.targets["same"], ages % 2)
    np.testing.assert_array_equal(data.targets["mask"], PIXELS / np.float32(255))
    np.testing.assert_array_equal(data.targets["value"], ages / np.float32(2))
    with pytest.raises(UserError, match="no array `imge`"):
        read(Npz(path="a.npz"), {"imge": 3}, {}, 0, tmp_path)


def test_the_bundled_digits() -> None:
    data = read(Mnist5k(val=500), IMAGE, LABELS, 7)
    assert (len(data.train), data.val and len(data.val), data.test and len(data.test)) == (4500, 500, 10000)
    assert data.train.shapes == {"image": (1, 28, 28)}
    assert np.bincount(data.train.targets["y"]).tolist() == [500] * 10
    assert data.fingerprint == "f1b38ab7fe7398866e2b43151d7667f7c4b7db4bf2a5745412157f11cde2ad7b"
