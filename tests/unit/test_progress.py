"""What a run looks like in a terminal, in a pipe, and quietly."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from netspec.progress import ConsoleProgress, clock
from netspec.trainer.metrics import EpochRecord, Progress, Result, RunInfo, StepRecord

INFO = RunInfo("LeNet5", 20, 1420, 64, 4500, 61_706, "2 threads, avx512", Path("runs/LeNet5/1"))
EPOCH = EpochRecord(3, 213, 0.05, 0.123456, 0.9712, 0.2, 0.98, 45_678.9, 1.234)
RESULT = Result("LeNet5", "finished", 20, 1420, 17, 0.1, 0.99, 0.9871, 0.05, 10_000, 5e4, 2.5, 5.0, 8.25, 61_706, 7, 64, 2, "avx512", "abc")


def shown(terminal: bool, quiet: bool = False) -> str:
    out = io.StringIO()
    display: Progress = ConsoleProgress(
        Console(file=out, force_terminal=terminal, width=120, color_system=None, legacy_windows=False), quiet
    )
    display.start(INFO)
    display.step(StepRecord(3, 200, 0.125, 0.9712, 50_000.0))
    display.epoch(EPOCH)
    display.warn("the disk is full [nearly]")
    display.finish(RESULT)
    display.close()
    return out.getvalue()


def test_plain_lines_where_there_is_no_terminal() -> None:
    text = shown(terminal=False)
    assert text.splitlines() == [
        "training LeNet5 (61,706 parameters) on 4,500 samples for 20 epochs, 2 threads, avx512, into runs/LeNet5/1",
        "epoch   3  loss 0.1235  accuracy 97.12%  val loss 0.2000  val accuracy 98.00%  lr 0.05  45,679 images/s  1.2 s",
        "warning: the disk is full [nearly]",
        "finished after 20 epochs in 8.2 s (compiling 2.5 s), best epoch 17, test accuracy 98.71% on 10,000 samples",
    ]
    assert "\r" not in text and "\x1b" not in text


def test_quiet_keeps_what_must_be_known() -> None:
    for terminal in (False, True):
        text = shown(terminal, quiet=True)
        assert [line.split()[0] for line in text.splitlines()] == ["warning:", "finished"]
        assert "\r" not in text


def test_a_terminal_gets_a_bar_and_the_same_lines() -> None:
    text = shown(terminal=True)
    for words in ("epoch 3/20", "14%", "loss 0.1250", "accuracy 97.12%", "50,000 images/s", "0:02 left"):
        assert words in text
    assert "val accuracy 98.00%" in text
    assert text.rstrip().endswith("test accuracy 98.71% on 10,000 samples")


def test_a_run_shorter_than_an_epoch() -> None:
    out = io.StringIO()
    display = ConsoleProgress(Console(file=out, width=120))
    display.start(RunInfo("A", 0.5, 35, 64, 4500, 10, "1 thread", None))
    assert out.getvalue() == "training A (10 parameters) on 4,500 samples for 35 steps, 1 thread\n"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (6.6, "0:07"), (750, "12:30"), (3723, "1:02:03"), (-1, "0:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
