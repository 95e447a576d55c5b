"""netspec: a declarative network-spec compiler. `netspec.check(text)` gives a Report.

What is named here is imported when it is first used: a check needs neither numpy nor numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netspec.checking import check
    from netspec.report import Report

__all__ = ["Report", "check"]

_HOMES: Final = {"check": "netspec.checking", "Report": "netspec.report"}


def __getattr__(name: str) -> object:
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module 'netspec' has no attribute {name!r}")
    return getattr(import_module(home), name)
