"""Where a run stands: with the tensors of the net and its optimizer all that it takes to go on with the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import cast

from netspec.trainer.files import Json
from netspec.trainer.metrics import EpochRecord
from netspec.training import TrainPlan
from netspec.training.control import Best, Metric, Patience, rises
from netspec.training.schedules import Plateau, Watch


@dataclass(slots=True)
class State:
    """`step` counts within the epoch, `steps` from the start; `sums` are those of the epoch so far; `since` epochs without improvement.

    `plateau`: what a schedule that looks at a metric remembers, the rate first.
    """

    epoch: int = 0
    step: int = 0
    steps: int = 0
    sums: tuple[float, ...] = (0.0, 0.0, 0.0)
    best: tuple[float, ...] | None = None
    best_epoch: int | None = None
    watched: tuple[float, ...] | None = None
    since: int = 0
    plateau: tuple[float, ...] | None = None

    def as_json(self) -> dict[str, Json]:
        """For the checkpoint's metadata."""
        return cast("dict[str, Json]", {item.name: _listed(getattr(self, item.name)) for item in fields(self)})

    @classmethod
    def from_json(cls, kept: Mapping[str, Json]) -> State:
        """What `as_json` gave."""
        values = {name: tuple(cast("list[float]", value)) if isinstance(value, list) else value for name, value in kept.items()}
        return cls(**values)  # pyright: ignore[reportArgumentType]

    def judge(self, record: EpochRecord, plan: TrainPlan) -> bool:
        """Count the epochs without improvement; whether this one is the best so far, and its weights are to be kept."""
        if isinstance(plan.stop, Patience) and (watched := merit(record, plan.stop.on)) is not None:
            improved = self.watched is None or watched > self.watched
            self.since = 0 if improved else self.since + 1
            self.watched = watched if improved else self.watched
        found = merit(record, plan.save.on) if isinstance(plan.save, Best) else None
        if found is None or (self.best is not None and found <= self.best):
            return False
        self.best, self.best_epoch = found, record.epoch
        return True

    def watch(self, record: EpochRecord, phase: Plateau, start: float) -> None:
        """Show a phase that began with the rate `start` an epoch's metric; nothing, where that is not known."""
        if (value := record.metric(phase.on)) is not None:
            self.plateau = phase.judge(cast("Watch | None", self.plateau), start, value)

    def out_of_patience(self, plan: TrainPlan) -> bool:
        """Whether the metric that the plan watches has not improved for long enough."""
        return plan.stop is not None and self.since >= int(plan.stop.epochs.value)


def _listed(value: object) -> object:
    return list(cast("tuple[float, ...]", value)) if isinstance(value, tuple) else value


def merit(record: EpochRecord, metric: Metric) -> tuple[float, ...] | None:
    """How good an epoch is, larger is better; of equally accurate ones that with the smaller loss."""
    value = record.metric(metric)
    if value is None:
        return None
    if not rises(metric):
        return (-value,)
    loss = record.val_loss if metric.startswith("val") else record.train_loss
    return (value, -(loss or 0.0))
