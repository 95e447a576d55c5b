"""What a generated module may not hold."""

from __future__ import annotations

import pytest

from netspec.runtime.modules import check
from netspec.schedule.program import Kind, Slot, Tile
from netspec.targets.cpu.source import module_source


def test_drivers_pass() -> None:
    check(module_source([Tile(16, 1, 4, (Kind(lane="vector", vectors=True), Kind()), ((0, Slot(1)),))]))


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from os import system",
        "from . import cli",
        "open('x')",
        "x = eval('1')",
        "x = (1).__class__",
        "x = __builtins__",
        "f = lambda: 1",
        "class A: pass",
        "with x: pass",
        "from numba import cfunc\ncfunc.system()",
    ],
)
def test_what_no_generator_writes_is_refused(text: str) -> None:
    with pytest.raises(AssertionError):
        check(text)
