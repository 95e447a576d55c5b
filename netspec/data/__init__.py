"""Readers: from what a train block declares to samples in memory. Everything wrong with a file is a UserError."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from netspec.data.checks import check_input, check_sizes, check_targets
from netspec.data.dataset import Dataset, Kind, Samples
from netspec.data.idx import read_folder
from netspec.data.npz import read_npz
from netspec.training.readers import Idx, Mnist5k, Npz, Reader

__all__ = ["Dataset", "Kind", "Samples", "check_input", "check_sizes", "check_targets", "read"]


def read(reader: Reader, ranks: Mapping[str, int], fields: Mapping[str, Kind], seed: int, base: Path | None = None) -> Dataset:
    """Read what a train block declares. `ranks`: the net's inputs, with the dimensions of each; `fields`: what losses compare with.

    Relative paths start at `base`, by default the working folder. Raises UserError.
    """
    base = Path() if base is None else base
    match reader:
        case Mnist5k(val=val):
            data = read_folder(Path(__file__).parent / "mnist5k", next(iter(ranks)), tuple(fields), val, seed, "mnist5k")
        case Idx(folder=folder, val=val):
            data = read_folder(base / folder, next(iter(ranks)), tuple(fields), val, seed, folder)
        case Npz(path=path, val=val):
            data = read_npz(base / path, reader.fields, ranks, fields, val=val, seed=seed, source=path)
        case _:
            assert_never(reader)
    check_sizes(data, reader.val)
    return data
