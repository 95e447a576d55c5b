"""What bounds the work of elaboration, whatever the text says: depth, layers, passes, evaluation steps, numbers, lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAX_DEPTH: Final = 64
MAX_NESTED: Final = 1_000
MAX_LAYERS: Final = 100_000
MAX_BODIES: Final = 200_000
MANY_BODIES: Final = 500
MAX_PARTS: Final = 50_000
PARTS_OF_A_LAYER: Final = 32
MAX_STEPS: Final = 2_000_000
MAX_ITEMS: Final = 100_000
MAX_NUMBER: Final = 10**18
MAX_IMPORTED: Final = 64
MAX_IMPORT_DEPTH: Final = 16
MAX_IMPORTED_TEXT: Final = 1 << 20
MAX_DENOMINATOR: Final = 10**400
MAX_FORMULA: Final = 500
MAX_FORMULA_DEPTH: Final = 100


class LimitExceeded(Exception):
    """A limit was reached: the net, or the file, is not elaborated any further."""

    def __init__(self, code: str, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


class Budget:
    """Counts what one net, with the expressions that it evaluates, has used up."""

    __slots__ = ("bodies", "foresee", "layers", "parts", "steps")

    def __init__(self) -> None:
        self.layers = self.bodies = self.parts = self.steps = 0
        self.foresee: Callable[[], None] | None = None
        """What looks ahead once there are many bodies, and raises LimitExceeded where there will be too many."""

    def evaluate(self, steps: int = 1) -> None:
        """Count steps of evaluation, one for each expression and each element of a list that is looked at."""
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise LimitExceeded("E0506", f"the expressions take more than {MAX_STEPS:,} steps to evaluate")

    def enter(self) -> None:
        """Count a body: a pass of a loop, a call of a block."""
        self.bodies += 1
        if self.bodies == MANY_BODIES and self.foresee is not None:
            self.foresee()
        if self.bodies > MAX_BODIES:
            raise LimitExceeded("E0504", f"more than {MAX_BODIES:,} passes and calls of blocks")

    def loop(self, passes: int, outer: int) -> None:
        """Refuse loops whose passes multiply to far too many before the first is run."""
        if passes > MAX_LAYERS or passes * outer > 10 * MAX_BODIES:
            raise LimitExceeded("E0504", f"{passes * outer:,} passes, the limit is {MAX_LAYERS:,}", "a net has at most 100,000 layers")

    def layer(self, parts: int) -> None:
        """Count a layer, and of what its formulas read and write more than nearly all layers have."""
        self.layers += 1
        self.parts += max(0, parts - PARTS_OF_A_LAYER)
        if self.layers > MAX_LAYERS:
            raise LimitExceeded("E0504", f"more than {MAX_LAYERS:,} layers")
        if self.parts > MAX_PARTS:
            help = "a transposed convolution has one for each residue of its stride, a connection table one for each link"
            raise LimitExceeded("E0504", f"the formulas of the layers have more than {MAX_PARTS:,} parts", help)
