"""From a GPU program's kernels to functions: the module is written to the private cache, named by its content, and imported."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from types import ModuleType

from netspec.diagnostics import UserError
from netspec.runtime.modules import import_generated
from netspec.schedule.cuda_program import CudaProgram
from netspec.targets.cuda.source import source

SIMULATE = "or run its kernels as Python, thousands of times slower: set NUMBA_ENABLE_CUDASIM=1"


def build(program: CudaProgram) -> ModuleType:
    """The module of a program's kernels, which numba compiles when each is first launched. Raises UserError where there is no GPU."""
    require_device()
    return import_kernels(program)


def require_device() -> None:
    """Raise UserError unless numba-cuda is installed and finds a GPU, or simulates one."""
    if find_spec("numba_cuda") is None:
        raise UserError("device cuda needs numba-cuda, which is not installed", "pip install 'netspec-compiler[cuda]'")
    from numba import cuda

    if not cuda.is_available():
        reason = " ".join(str(cuda.cuda_error() or "numba-cuda finds none").split())
        raise UserError(f"no CUDA device: {reason}", f"use device cpu, {SIMULATE}")


def import_kernels(program: CudaProgram) -> ModuleType:
    """The module, its functions not compiled yet: this takes numba-cuda but no GPU."""
    text = source(program)
    name = f"kernels_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return import_generated("cuda", name, text)
