"""What all tests share: golden files, rewritten by `pytest --update-golden`, and one cache of compiled code, whose additions are counted.

Every process of a run compiles into one folder, new unless NETSPEC_CACHE names it: what one test compiles, the others load.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

COMPILATIONS = 250
"""How often one run of the suite may compile: a change that makes kernels less alike shows here."""
_KNOWN = pytest.StashKey[int]()
_OWN = pytest.StashKey[str]()


def _compiled() -> int:
    """What Numba compiled to fill the cache: it keeps a file of each."""
    return sum(1 for _ in Path(os.environ["NETSPEC_CACHE"]).rglob("*.nbc"))


def pytest_configure(config: pytest.Config) -> None:
    """Give the run its cache."""
    if "NETSPEC_CACHE" not in os.environ:
        config.stash[_OWN] = os.environ["NETSPEC_CACHE"] = tempfile.mkdtemp(prefix="netspec-tests-")
    config.stash[_KNOWN] = _compiled()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the cache, where it was made for this run."""
    if own := config.stash.get(_OWN, None):
        shutil.rmtree(own, ignore_errors=True)
        del os.environ["NETSPEC_CACHE"]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that compiles more than it may has failed."""
    if exitstatus == pytest.ExitCode.OK and _compiled() - session.config.stash[_KNOWN] > COMPILATIONS:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how often was compiled."""
    count = _compiled() - config.stash[_KNOWN]
    if count:
        terminalreporter.write_line(f"compiled {count} times, at most {COMPILATIONS} allowed", red=count > COMPILATIONS)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-golden`."""
    parser.addoption("--update-golden", action="store_true", help="write the golden files instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with the golden file at a path, or write it there."""

    def check(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: write it with pytest --update-golden"
        assert text == path.read_text(encoding="utf-8")

    return check
