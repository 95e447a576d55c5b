"""What a run starts from, beside weights drawn by the seed."""

from __future__ import annotations

from typing import ClassVar

from netspec.training.declaration import Declaration
from netspec.training.patterns import Patterns


class Load(Declaration):
    """Weights from a safetensors file, by name; `into` stands before the file's names, weights that `except` matches are left as drawn.

    The path starts at the spec's folder and stays inside its project. Resuming a run does not load them again.
    """

    name: ClassVar[str] = "load"
    path: str
    into: str | None = None
    except_: Patterns = ()
