"""One trained LeNet-5 for all tests that need one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.process import netspec


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of three epochs of the bundled LeNet-5, trained by a command."""
    folder = tmp_path_factory.mktemp("trained")
    done = netspec("train", "--max-epochs", "3", "--threads", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "output.txt").write_text(done.stdout)
    return folder / "runs" / "LeNet5" / "1"
