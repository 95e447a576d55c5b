"""The folder of a run: the spec, a line per epoch, the best and the last weights, the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from netspec.diagnostics import UserError
from netspec.trainer.checkpoint import Checkpoint, load, save
from netspec.trainer.files import Json, create_run, write
from netspec.trainer.metrics import EpochRecord, MetricsFile, Result

BEST, LAST = "best.safetensors", "last.safetensors"
Tensors = Mapping[str, NDArray[Any]]


class RunFolder:
    """Files that are always whole. A disk that fills up while a net trains is a warning, not the end: what was saved before stays."""

    def __init__(self, path: Path, about: Mapping[str, Json], metrics: MetricsFile, warn: Callable[[str], None]) -> None:
        """`about`: what a checkpoint says of its run beside where that stands."""
        self.path, self.about, self.metrics, self.warn = path, about, metrics, warn

    @classmethod
    def create(cls, root: Path, net: str, spec: str, about: Mapping[str, Json], warn: Callable[[str], None]) -> RunFolder:
        """The next free folder `root/net/n` with the spec in it. Raises UserError where it cannot be written."""
        path = create_run(root, net)
        write(path / "spec.net", spec.encode())
        return cls(path, about, MetricsFile(path / "metrics.csv"), warn)

    @classmethod
    def reopen(cls, path: Path, epochs: int, about: Mapping[str, Json], warn: Callable[[str], None]) -> RunFolder:
        """A folder to go on in after so many epochs. Raises UserError where that cannot be."""
        return cls(path, about, MetricsFile(path / "metrics.csv", kept=epochs), warn)

    def append(self, record: EpochRecord) -> None:
        """A line of metrics.csv."""
        self._attempt(lambda: self.metrics.append(record))

    def save(self, name: str, tensors: Tensors, state: Mapping[str, Json]) -> None:
        """A checkpoint."""
        self._attempt(lambda: save(self.path / name, tensors, {**self.about, "state": dict(state)}))

    def finish(self, result: Result) -> None:
        """result.json."""
        self._attempt(lambda: result.write(self.path / "result.json"))

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except UserError as error:
            self.warn(f"{error.message}; the run goes on, what was saved before stays")


def last_checkpoint(folder: Path, now: Mapping[str, Json]) -> Checkpoint:
    """Where a run is gone on with. Raises UserError when it was made with another plan, target or data than `now`."""
    found = load(folder / LAST)
    for name in ("data", "plan", "target"):
        was, wanted = (str(about.get(name)).splitlines() for about in (found.metadata, now))
        if was != wanted:
            before, after = ("; ".join(line.strip() for line in a if line not in b) for a, b in ((was, wanted), (wanted, was)))
            raise UserError(f"{folder}: the run was made with another {name}", f"it was {before}, now it is {after}")
    return found
