"""Ctrl-C and SIGTERM while a net trains: the first asks the run to end after the step it is in, the second ends it at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


class Interrupted(BaseException):
    """A second signal came: the run is left where it stands. Not an Exception, as KeyboardInterrupt is none."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"signal {number}")


@contextmanager
def stopping(stop: Callable[[int], None]) -> Generator[None]:
    """Call `stop` with the first signal's number, raise Interrupted at the second. Elsewhere than in the main thread: nothing."""
    first = True

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        if not first:
            raise Interrupted(number)
        first = False
        stop(number)

    try:
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: signals are somebody else's
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
