"""`netspec fmt` as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.process import ROOT, netspec

UGLY = "net N {\ninput x[4]\n dense(3)->relu # last\n}\n"
NEAT = "net N {\n  input x[4]\n  dense(3) -> relu   # last\n}\n"
BROKEN = "net N {\n  input x[4\n}\n"


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    for name, text in {"ugly.net": UGLY, "neat.net": NEAT, "broken.net": BROKEN}.items():
        (tmp_path / "specs" / name).write_text(text)
    done = netspec("fmt", "specs", "--check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "would reformat specs/ugly.net\n")
    assert done.stderr.startswith("error[E0001]")
    assert (tmp_path / "specs" / "ugly.net").read_text() == UGLY
    done = netspec("fmt", "specs/ugly.net", "specs/neat.net", "--annotate", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "reformatted specs/ugly.net\nreformatted specs/neat.net\n", "")
    assert (tmp_path / "specs" / "ugly.net").read_text() == NEAT.replace("relu ", "relu   :: [3] ")
    assert netspec("fmt", "specs/ugly.net", "--check", cwd=tmp_path).returncode == 0
    assert netspec("fmt", "specs/broken.net", cwd=tmp_path).returncode == 1
    assert (tmp_path / "specs" / "broken.net").read_text() == BROKEN
    assert sorted(path.name for path in (tmp_path / "specs").iterdir()) == ["broken.net", "neat.net", "ugly.net"]
    assert netspec("fmt", "nothing.net", cwd=tmp_path).stderr == "error: no such file: nothing.net\n"


def test_line_ends_and_modes_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(UGLY.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    assert netspec("fmt", "a.net", cwd=tmp_path).returncode == 0
    assert path.read_bytes() == NEAT.replace("\n", "\r\n").encode()
    assert path.stat().st_mode & 0o777 == 0o640


def test_standard_input() -> None:
    command = [sys.executable, "-m", "netspec", "fmt", "-"]
    done = subprocess.run(command, input=UGLY, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, NEAT)
