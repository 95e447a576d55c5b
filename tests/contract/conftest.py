"""PyTorch, where it is there."""

from __future__ import annotations

from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    return pytest.importorskip("torch")
