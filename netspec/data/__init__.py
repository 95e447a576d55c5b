"""Readers: from what a train block declares to samples in memory. Everything wrong with a file is a UserError."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from netspec.data.checks import check_input, check_sizes, check_targets
from netspec.data.dataset import Dataset, Samples
from netspec.data.idx import read_folder
from netspec.data.npz import read_npz
from netspec.training.readers import Idx, Mnist5k, Npz, Reader

__all__ = ["Dataset", "Samples", "check_input", "check_sizes", "check_targets", "read"]


def read(reader: Reader, image: str, target: str | None, seed: int, base: Path | None = None) -> Dataset:
    """Read what a train block declares. `image`: the net's input; `target`: the field that the loss compares with, None for none.

    Relative paths start at `base`, by default the working folder. Raises UserError.
    """
    base = Path() if base is None else base
    match reader:
        case Mnist5k(val=val):
            data = read_folder(Path(__file__).parent / "mnist5k", val, seed, "mnist5k")
        case Idx(folder=folder, val=val):
            data = read_folder(base / folder, val, seed, folder)
        case Npz(path=path, val=val):
            fields = reader.fields
            target = None if target is None else fields.get(target, target)
            data = read_npz(base / path, fields.get(image, image), target, val=val, seed=seed, source=path)
        case _:
            assert_never(reader)
    check_sizes(data, reader.val)
    return data
