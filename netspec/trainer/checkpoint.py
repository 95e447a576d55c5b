"""Checkpoints and weights: safetensors files whose metadata says what they belong to. Never pickle."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from netspec.diagnostics import UserError, nearest
from netspec.trainer.files import Json, write

_KEY = "netspec"
"""All metadata is one JSON text under this key: safetensors does not keep the order of several, and equal runs are to give equal files."""

_HEADER = 100 << 20
"""The longest header that the format allows."""

_AGAIN = "copy the file again, or take another checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """Named arrays, and the spec, plan, versions, cursor and so on that were saved with them."""

    tensors: dict[str, NDArray[Any]]
    metadata: dict[str, Json]


def save(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Json]) -> None:
    """Write a checkpoint; whatever happens meanwhile, `path` holds the previous one or this one. Raises UserError."""
    text = json.dumps(metadata, sort_keys=True, ensure_ascii=False)
    arrays = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    write(path, safetensors.save(arrays, metadata={_KEY: text}))


def load(path: Path) -> Checkpoint:
    """Read what `save` wrote. Raises UserError for a file that is missing, truncated, or not netspec's."""
    tensors, metadata = read(path)
    if not isinstance(metadata, dict):
        raise UserError(
            f"{path}: a safetensors file without netspec's description of the net", "a run can be opened only from what netspec saved"
        )
    return Checkpoint(tensors, cast("dict[str, Json]", metadata))


def read(path: Path) -> tuple[dict[str, NDArray[Any]], object]:
    """The arrays of a safetensors file, and netspec's description of them, None where there is none. Raises UserError."""
    try:
        described = _header(path).get("__metadata__", {}).get(_KEY)
        # copies: what the library maps into memory would change, or fault, with the file
        tensors = {name: np.array(value) for name, value in sorted(safetensors.load_file(str(path)).items())}  # pyright: ignore[reportUnknownMemberType]
        return tensors, None if described is None else json.loads(described)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file", f"looked in {path.parent.absolute()}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a safetensors file: {error}", _AGAIN) from error


def _header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file whose length is what the header says; raises UserError for a truncated one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(start - 8)) if 8 < start <= min(size, _HEADER) else None
    if header is None:
        raise UserError(f"{path}: truncated, or not a safetensors file: {size:,} bytes, of which the header would take {start:,}", _AGAIN)
    expected = start + max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
    if size != expected:
        trouble = "truncated" if size < expected else "longer than announced"
        raise UserError(f"{path}: {trouble}: {size:,} bytes, its header announces {expected:,}", _AGAIN)
    return header


def check_weights(path: Path, found: Mapping[str, NDArray[Any]], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """That a file holds exactly the wanted arrays. Raises UserError with all differences of names, else the first of shapes."""
    missing, unexpected = [name for name in wanted if name not in found], [name for name in found if name not in wanted]
    if missing or unexpected:
        parts = [f"{len(names)} {word} ({_some(names)})" for names, word in ((missing, "missing"), (unexpected, "unexpected")) if names]
        raise UserError(f"{path}: weights: {', '.join(parts)}", _rename(missing, unexpected))
    for name, shape in wanted.items():
        if found[name].shape != shape:
            raise UserError(
                f"{path}: `{name}` is {list(found[name].shape)}, the net needs {list(shape)}", "was the net changed since it was saved?"
            )


def _some(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:3]) + (", .." if len(names) > 3 else "")


def _rename(missing: list[str], unexpected: list[str]) -> str:
    pairs = [(close[0], name) for name in missing if (close := nearest(name, unexpected))]
    return f"looks like a rename: `{pairs[0][0]}` -> `{pairs[0][1]}`" if pairs else "was the net changed since it was saved?"


def versions() -> dict[str, Json]:
    """What the bits of a run depend on beside its spec, data and target."""
    found: dict[str, Json] = {"python": platform.python_version()}
    for name in ("netspec-compiler", "numpy", "numba", "llvmlite"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
