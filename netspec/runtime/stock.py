"""The weights of a net, wherever they are: in the code of its stages, or still as they start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netspec.diagnostics import UserError, did_you_mean
from netspec.graph.types import Weight
from netspec.runtime.weights import initial

Floats = NDArray[np.float32]


class Code(Protocol):
    """What holds the weights that it computes with."""

    @property
    def program(self) -> Any:
        """With the `buffers` that it has."""
        ...

    def read(self, weight: Weight, shape: tuple[int, ...]) -> Floats:
        """A copy of a weight."""
        ...

    def write(self, name: str, value: Floats) -> None:
        """Set a weight."""
        ...


class Stock:
    """One set of weights for the code of all stages. Only training changes weights, and its code has all that it changes.

    A stage need not have every weight: deployed, a net may have fewer than in training, or others.
    """

    def __init__(self, weights: Iterable[Weight], seed: int) -> None:
        self.known = {weight.name: weight for weight in weights}
        self._codes: dict[str, Code] = {}
        self._current: dict[str, int] = {}
        self._version = 0
        self._initial = initial(self.known.values(), seed)

    def read(self) -> dict[str, Floats]:
        """All of them as they are now: copies in PyTorch's layout."""
        return {name: self._read(weight) for name, weight in self.known.items()}

    def load(self, net: str, weights: Mapping[str, ArrayLike]) -> None:
        """Replace weights by name. Raises UserError for an unknown name or a wrong shape; then nothing is changed."""
        values: dict[str, Floats] = {}
        for name, value in weights.items():
            if name not in self.known:
                raise UserError(f"{net} has no weight `{name}`", did_you_mean(name, list(self.known)))
            values[name], shape = np.asarray(value, np.float32), self.known[name].type.sample
            if values[name].shape != shape:
                raise UserError(f"weight `{name}` is {list(shape)}, got {list(values[name].shape)}")
        merged = self.read() | values
        self._initial = self._in_no_code(merged)
        self._version += 1
        for stage, code in self._codes.items():
            _write(code, merged)
            self._current[stage] = self._version

    def add(self, stage: str, code: Code) -> None:
        """A stage that has been compiled gets the weights."""
        _write(code, self.read() if self._codes else self._initial)
        self._codes[stage], self._current[stage] = code, self._version
        self._initial = self._in_no_code(self._initial)  # no second copy of what the code holds

    def refresh(self, stage: str) -> None:
        """Give a stage what another one has changed since."""
        if self._current[stage] != self._version:
            _write(self._codes[stage], self.read())
            self._current[stage] = self._version

    def changed(self, stage: str) -> None:
        """The code of this stage has changed its weights: they are the current ones."""
        self._version += 1
        self._current[stage] = self._version

    def _read(self, weight: Weight) -> Floats:
        holding = [stage for stage, code in self._codes.items() if weight.name in code.program.buffers]
        if not holding:
            return self._initial[weight.name].copy()
        return self._codes[max(holding, key=lambda stage: self._current[stage])].read(weight, weight.type.sample)

    def _in_no_code(self, values: Mapping[str, Floats]) -> dict[str, Floats]:
        return {name: value for name, value in values.items() if not any(name in code.program.buffers for code in self._codes.values())}


def _write(code: Code, values: Mapping[str, Floats]) -> None:
    for name, value in values.items():
        if name in code.program.buffers:
            code.write(name, value)
