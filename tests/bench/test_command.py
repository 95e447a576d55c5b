"""`netspec bench`: its arguments, its errors, its files."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from netspec.bench.status import Status
from tests.e2e.process import netspec

SPEC = "net A { input image[1, 6, 6]; conv(2, 3x3) -> relu -> flatten -> dense(3) }\n"
TWO = "net A { input image[1, 6, 6]; flatten; output a: dense(2); output b: dense(3) }\n"


@pytest.mark.parametrize(
    ("spec", "arguments", "code", "message"),
    [
        (SPEC, ("--against", "toch"), 2, "unknown peer `toch`"),
        (SPEC, ("--batch", "1,0"), 2, "'0' is not a number of at least 1"),
        (SPEC, ("--mode", "train"), 1, "A has no `train` block"),
        (SPEC, ("--target", "cuda_sm90"), 1, "the bench runs on the CPU, not on cuda_sm90"),
        (TWO, (), 1, "A has 1 inputs and 2 outputs"),
    ],
)
def test_what_cannot_be_run_is_said_at_once(spec: str, arguments: tuple[str, ...], code: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(spec)
    done = netspec("bench", "a.net", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_run_is_told_and_written(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "a.net").write_text(SPEC)
    done = netspec("bench", "a.net", "--batch", "2", "--against", "torch", "--pairs", "1", "--out", "found.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("A, inference, batch 2, ")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["command"].startswith("netspec bench a.net --batch 2 ")
    assert found["method"]["rounds"] == 1
    assert found["machine"]["cores"] >= 1 and found["machine"]["cpu"]
    (case,) = found["cases"]
    assert [entry["name"] for entry in case["entries"]] == ["netspec", "torch"]
    assert case["ratio_to_best"] > 0


def test_the_line_of_status_leaves_standard_output_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    output, line = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    status = Status(Console(file=line, force_terminal=True, width=60))
    status.say("round 1 of 9: torch [eager]")
    sys.stdout.write("a table")
    status.stop()
    assert output.getvalue() == "a table"
    assert "round 1 of 9: torch [eager]" in line.getvalue()


def test_no_line_without_a_terminal() -> None:
    line = io.StringIO()
    status = Status(Console(file=line, force_terminal=False))
    status.say("round 1")
    status.stop()
    assert line.getvalue() == ""
