"""How a run looks in the console: a bar where there is a terminal, plain lines where there is none, and a line for each epoch in both."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from netspec.trainer.metrics import EpochRecord, Result, RunInfo, StepRecord


class ConsoleProgress:
    """Draws what the training loop tells. The bar lives on the console's last line and is gone when the run ends; `quiet` leaves it out."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._live = console.is_terminal and not quiet
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._info: RunInfo | None = None

    def start(self, info: RunInfo) -> None:
        """Say what runs, and put up the bar."""
        self._info = info
        where = "" if info.folder is None else f", into {info.folder}"
        lasting = f"{info.epochs:g} epochs" if info.epochs >= 1 else f"{info.total} steps"
        self._line(f"training {info.net} ({info.params:,} parameters) on {info.samples:,} samples for {lasting}, {info.device}{where}")
        if self._live:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[figures]}"),
            )
            self._bar = Progress(*columns, console=self._console, transient=True, refresh_per_second=8)
            self._task = self._bar.add_task("starting", total=info.total, figures="")
            self._bar.start()

    def step(self, record: StepRecord) -> None:
        """Move the bar."""
        if self._bar is None or self._task is None or self._info is None:
            return
        figures = [f"loss {record.loss:.4f}"]
        if record.accuracy is not None:
            figures.append(f"accuracy {record.accuracy:.2%}")
        figures.append(f"{record.rate:,.0f} images/s")
        if record.rate > 0:
            left = (self._info.total - record.done) * self._info.batch / record.rate
            figures.append(f"{clock(left)} left")
        description = f"epoch {record.epoch}/{self._info.epochs:g}" if self._info.epochs >= 1 else f"epoch {record.epoch}"
        self._bar.update(self._task, completed=record.done, description=description, figures="  ".join(figures))

    def epoch(self, record: EpochRecord) -> None:
        """One line."""
        parts = [f"epoch {record.epoch:>3}", f"loss {record.train_loss:.4f}"]
        if record.train_accuracy is not None:
            parts.append(f"accuracy {record.train_accuracy:.2%}")
        if record.val_loss is not None:
            parts.append(f"val loss {record.val_loss:.4f}")
        if record.val_accuracy is not None:
            parts.append(f"val accuracy {record.val_accuracy:.2%}")
        parts += [f"lr {record.lr:.3g}", f"{record.images_per_second:,.0f} images/s", f"{record.seconds:.1f} s"]
        self._line("  ".join(parts))

    def warn(self, message: str) -> None:
        """A line, also when quiet."""
        self._console.print(Text(f"warning: {message}", style="yellow"), soft_wrap=True)

    def finish(self, result: Result) -> None:
        """Take the bar away and say how it went, also when quiet."""
        self.close()
        ended = "out of patience" if result.ended == "patience" else result.ended
        parts = [f"{ended} after {result.epochs} epochs in {result.total_seconds:.1f} s (compiling {result.compile_seconds:.1f} s)"]
        if result.best_epoch is not None:
            parts.append(f"best epoch {result.best_epoch}")
        if result.test_accuracy is not None and result.test_samples is not None:
            parts.append(f"test accuracy {result.test_accuracy:.2%} on {result.test_samples:,} samples")
        elif result.test_loss is not None:
            parts.append(f"test loss {result.test_loss:.4f}")
        self._console.print(Text(", ".join(parts)), soft_wrap=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _line(self, text: str) -> None:
        if not self._quiet:
            # as it stands: rich would otherwise colour numbers, read brackets as markup and wrap where no terminal is
            self._console.print(Text(text), soft_wrap=True)


def clock(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:03`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
