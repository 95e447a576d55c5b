"""From a GPU program's kernels to functions: the module is written to the private cache, named by its content, and imported."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from importlib.util import find_spec
from types import ModuleType

from netspec import settings
from netspec.diagnostics import UserError
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
    folder = settings.cache_folder() / "cuda"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{name}.py"
    if not path.exists() or path.read_text() != text:
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False) as file:
            file.write(text)
        os.replace(file.name, path)
    spec = importlib.util.spec_from_file_location(f"netspec_cuda_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
