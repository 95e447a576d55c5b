"""netspec: a declarative network-spec compiler.

`check` a spec, `load` and compile a net, `train` one. What is named here is imported when it is first used: a check needs neither numpy nor
numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netspec.api import Trained, train
    from netspec.checking import check
    from netspec.diagnostics import Diagnostic, SpecError, UsageError, UserError
    from netspec.model import Model, Net, load
    from netspec.report import Report
    from netspec.trainer.metrics import Result
    from netspec.trainer.run import Run, open_run

__all__ = [
    "Diagnostic",
    "Model",
    "Net",
    "Report",
    "Result",
    "Run",
    "SpecError",
    "Trained",
    "UsageError",
    "UserError",
    "check",
    "load",
    "open_run",
    "train",
]

_HOMES: Final = {
    "Diagnostic": "netspec.diagnostics",
    "Model": "netspec.model",
    "Net": "netspec.model",
    "Report": "netspec.report",
    "Result": "netspec.trainer.metrics",
    "Run": "netspec.trainer.run",
    "SpecError": "netspec.diagnostics",
    "Trained": "netspec.api",
    "UsageError": "netspec.diagnostics",
    "UserError": "netspec.diagnostics",
    "check": "netspec.checking",
    "load": "netspec.model",
    "open_run": "netspec.trainer.run",
    "train": "netspec.api",
}


def __getattr__(name: str) -> object:
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module 'netspec' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
