"""What is measured while training: records, the file they go to, and what a display is told."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Protocol, cast

from netspec.diagnostics import UserError
from netspec.trainer.files import Json, write, write_json
from netspec.training.control import Metric


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run that begins. `total` steps in all; `folder` is None when nothing is saved."""

    net: str
    epochs: float
    total: int
    batch: int
    samples: int
    params: int
    device: str
    folder: Path | None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """Where a run stands: `done` steps of the run; loss and accuracy are means over the epoch so far; `rate` in images/s."""

    epoch: int
    done: int
    loss: float
    accuracy: float | None
    rate: float


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One line of metrics.csv. `epoch` counts from 1. All but the last two columns are the same bits in every equal run."""

    epoch: int
    step: int
    lr: float
    train_loss: float
    train_accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    images_per_second: float
    seconds: float

    def metric(self, name: Metric) -> float | None:
        """The value of `val.accuracy` and its like."""
        values = {
            "train.loss": self.train_loss,
            "train.accuracy": self.train_accuracy,
            "val.loss": self.val_loss,
            "val.accuracy": self.val_accuracy,
        }
        return values[name]


@dataclass(frozen=True, slots=True)
class Result:
    """A run that ended, as result.json has it. `ended`: finished, patience or interrupted. Test figures are None without a test set."""

    net: str
    ended: str
    epochs: int
    steps: int
    best_epoch: int | None
    train_loss: float | None
    val_accuracy: float | None
    test_accuracy: float | None
    test_loss: float | None
    test_samples: int | None
    train_images_per_second: float
    compile_seconds: float
    train_seconds: float
    total_seconds: float
    params: int
    seed: int
    batch: int
    threads: int
    target: str
    data_fingerprint: str

    def write(self, path: Path) -> None:
        """As JSON, whole or not at all. Raises UserError."""
        write_json(path, cast("dict[str, Json]", asdict(self)))


class Progress(Protocol):
    """A display. The training loop calls it from one thread and prints nothing itself."""

    def start(self, info: RunInfo) -> None:
        """A run begins, compiled and with its data in memory."""

    def step(self, record: StepRecord) -> None:
        """It moved on; called a few times a second."""

    def epoch(self, record: EpochRecord) -> None:
        """An epoch ended."""

    def warn(self, message: str) -> None:
        """Something went wrong that does not stop the run."""

    def finish(self, result: Result) -> None:
        """The run ended."""

    def close(self) -> None:
        """No more is coming, also after an error. May be called twice."""


class Silent(Progress):
    """A display that shows nothing."""


_COLUMNS = tuple(item.name for item in fields(EpochRecord))


class MetricsFile:
    """metrics.csv: a header, then a line per epoch, on disk as soon as it is written."""

    def __init__(self, path: Path, kept: int = 0) -> None:
        """Begin the file, or go on after its first `kept` epochs, which a resumed run does not repeat. Raises UserError."""
        self.path = path
        self.rows = _rows(path)[:kept] if kept else []
        if len(self.rows) < kept:
            raise UserError(
                f"{path}: {len(self.rows)} epochs, the checkpoint stands after {kept}", "resume from the checkpoint that belongs to it"
            )
        self._write()

    def append(self, record: EpochRecord) -> None:
        """Add an epoch. Raises UserError where it cannot be written now; the next one that can be writes it too."""
        self.rows.append(["" if value is None else repr(value) for value in astuple(record)])
        self._write()

    def last(self) -> EpochRecord | None:
        """The last epoch, None before the first. Raises UserError for what `append` did not write."""
        if not self.rows:
            return None
        epoch, step, *rest = self.rows[-1]
        try:
            return EpochRecord(int(epoch), int(step), *(float(value) if value else None for value in rest))  # pyright: ignore[reportArgumentType]
        except (ValueError, TypeError) as error:
            raise UserError(f"{self.path}: line {len(self.rows) + 1} is no epoch: {error}") from error

    def _write(self) -> None:
        write(self.path, _text([_COLUMNS, *self.rows]).encode())


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot go on with it: {error}") from error
    if tuple(header) != _COLUMNS:
        raise UserError(f"{path}: columns {', '.join(header)}, expected {', '.join(_COLUMNS)}", "it was written by another version")
    return rows


def _text(rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
