"""Training as a function."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from netspec import sources
from netspec.elaborate import Setting
from netspec.model import Net, model
from netspec.trainer.loop import Options, Training
from netspec.trainer.metrics import Progress, Result


@dataclass(frozen=True, slots=True)
class Trained:
    """A run that ended: its figures, the net with the weights that the plan keeps, and where it was saved."""

    result: Result
    net: Net
    folder: Path | None


def train(
    path_or_text: str,
    net: str | None = None,
    *,
    train: str | None = None,
    runs: str | Path | None = None,
    seed: int | None = None,
    threads: int | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
    target: str | None = None,
    max_epochs: int | None = None,
    progress: Progress | None = None,
    **params: Setting,
) -> Trained:
    """Train a net as its train block says, or the one named `train`; `params` set its parameters.

    `runs`: where to make a run folder, None for none. `seed` and `target` replace the spec's and this machine's. `progress`: a display,
    silent if left out. Raises SpecError with all errors of the spec; UserError for files and data, and for a step that is not finite.
    """
    found = sources.resolve(path_or_text)
    chosen = model(found.source, net or found.net, params, trained=True, block=train).seeded(seed)
    options = Options(None if runs is None else Path(runs), threads, device, target, max_epochs)
    training = Training(chosen, options, progress)
    return Trained(training.run(), training.net, training.folder)
