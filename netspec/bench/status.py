"""The line that tells what a long run is doing, where there is a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn


class Status:
    """A line on standard error that is gone when it is stopped; nothing at all where that is no terminal.

    Standard output stays as it is: rich would otherwise lead it to the console of the line.
    """

    def __init__(self, console: Console) -> None:
        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False)
        self._line = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal, redirect_stdout=False, redirect_stderr=False
        )  # fmt: skip
        self._task = self._line.add_task("")

    def say(self, text: str) -> None:
        """Show what is being done now."""
        self._line.start()
        self._line.update(self._task, description=text)

    def stop(self) -> None:
        """Take the line away, until there is something to say again."""
        self._line.stop()
