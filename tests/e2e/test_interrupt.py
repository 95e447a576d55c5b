"""Ctrl-C and SIGTERM while a compiled epoch runs: what is saved goes on with the bits of the run that nobody interrupted."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.process import interrupt, last, netspec, read_until, same_bits, started

WIDE = """net A {
  input image[1, 28, 28]
  flatten
  for width in [500, 500] { dense(width) -> relu -> dropout(0.1) }
  dense(10)
}
train A {
  data      = mnist5k(val=500)
  augment   = shift(2)
  prepare   = normalize(0.1307, 0.3081)
  loss      = cross_entropy
  optimizer = sgd(lr=0.05, momentum=0.9)
  batch  = 32
  epochs = 2
  seed   = 3
  save   = best("val.accuracy")
}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "a.net").write_text(WIDE)
    done = netspec("train", "a.net", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "A" / "1"


def halfway(folder: Path, number: signal.Signals, code: int) -> Path:
    """A run that a signal ended in the middle of its second epoch; tried again where the signal came too late."""
    (folder / "a.net").write_text(WIDE)
    for attempt in range(1, 6):
        with started("train", "a.net", cwd=folder) as process:
            read_until(process, "epoch   1")
            out, err = interrupt(process, number, after=0.15 / attempt)
        assert err == ""
        run = folder / "runs" / "A" / str(attempt)
        if process.returncode == code and last(run).metadata["state"]["step"]:  # type: ignore[index, call-overload]
            assert f"interrupted; go on with: netspec train --resume runs/A/{attempt}\n" in out
            return run
    raise AssertionError("no signal came in the middle of an epoch")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_the_first_signal_saves_and_ends(whole: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    run = halfway(tmp_path, number, code)
    state = last(run).metadata["state"]
    assert isinstance(state, dict)
    assert state["epoch"] == 1
    assert 0 < state["step"] < 141  # type: ignore[operator]
    result = json.loads((run / "result.json").read_text())
    assert (result["ended"], result["epochs"], result["test_accuracy"]) == ("interrupted", 1, None)
    assert netspec("eval", run, cwd=tmp_path).returncode == 0
    done = netspec("train", "--resume", run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert same_bits(run, whole)
    assert json.loads((run / "result.json").read_text())["ended"] == "finished"


def test_the_second_signal_ends_at_once(tmp_path: Path) -> None:
    """A step of all samples takes longer than is waited for here: nothing of it is saved, and nothing says that the run ended."""
    (tmp_path / "a.net").write_text(WIDE.replace("batch  = 32", "batch  = 4500").replace("[500, 500]", "[2000, 2000]"))
    with started("train", "a.net", cwd=tmp_path) as process:
        read_until(process, "training A")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        out, err = interrupt(process, signal.SIGINT, after=0.05)
    assert process.returncode == 130
    assert time.monotonic() - begin < 1.5
    assert err == ""
    assert "interrupted" not in out
    assert sorted(item.name for item in (tmp_path / "runs/A/1").iterdir()) == ["metrics.csv", "spec.net"]


def test_a_signal_while_compiling_ends_too(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(WIDE)
    with started("train", "a.net", cwd=tmp_path) as process:
        while not (tmp_path / "runs" / "A").exists():
            time.sleep(0.01)
            assert process.poll() is None
        out, err = interrupt(process, signal.SIGINT, after=0)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert not list((tmp_path / "runs" / "A").iterdir())
