"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.process import ROOT, netspec

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def block(beginning: str) -> str:
    """The block that begins with this."""
    (found,) = [text for _, text in BLOCKS if text.startswith(beginning)]
    return found


def test_the_spec_is_as_short_as_it_says_and_checks_as_shown(tmp_path: Path) -> None:
    (tmp_path / "lenet.net").write_text(block("net LeNet5 {"))
    done = netspec("check", "lenet.net", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == block("LeNet5  image")


def test_the_error_is_the_one_shown(tmp_path: Path) -> None:
    (tmp_path / "lenet.net").write_text(block("net LeNet5 {").replace("flatten -> ", ""))
    done = netspec("check", "lenet.net", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == block("error[E0202]")


def test_the_program_runs(tmp_path: Path) -> None:
    (text,) = (text for language, text in BLOCKS if language == "python")
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Result(net='LeNet5', ended='finished', epochs=1" in done.stdout


def test_the_resnets_are_as_short_as_it_says() -> None:
    found = re.search(r"reads `(.*?)`, (\w+)\s+ResNets in (\d+) lines", TEXT)
    assert found is not None
    text = (ROOT / found[1]).read_text()
    assert len(text.splitlines()) == int(found[3])
    assert len(re.findall(r"^net \w+ +=", text, re.MULTILINE)) == ["one", "two", "three", "four", "five"].index(found[2]) + 1


@pytest.mark.parametrize("name", re.findall(r"`((?:netspec|specs|tests|grammar)/[\w./]*)`", TEXT))
def test_what_is_named_exists(name: str) -> None:
    assert (ROOT / name).exists()
