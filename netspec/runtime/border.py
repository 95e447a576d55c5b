"""What users pass to a net and get from it: one array, or several by name, checked and as compiled code takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netspec.diagnostics import UserError, did_you_mean
from netspec.graph.types import Shape

Floats = NDArray[np.float32]
Arrays: TypeAlias = "ArrayLike | Mapping[str, ArrayLike]"
"""One array, or several by name."""
Results: TypeAlias = Any
"""Of a net with one output an array, else arrays by the names of the outputs."""


class Border:
    """The inputs and outputs of a net by name, with the shapes of a sample; `outputs` also says what the program calls each."""

    def __init__(self, net: str, batch: int, inputs: Mapping[str, Shape], outputs: Mapping[str, tuple[str, Shape]]) -> None:
        self.net, self.batch, self.inputs, self.outputs = net, batch, dict(inputs), dict(outputs)
        self._only = next(iter(self.inputs.items())) if len(self.inputs) == 1 else None

    def samples(self, given: Sequence[Arrays], named: Mapping[str, ArrayLike]) -> tuple[dict[str, Floats], int]:
        """The inputs by name, and how many samples they hold. Raises UserError for what does not fit.

        `given`: arrays in the order of the inputs, or one mapping; `named`: arrays by name.
        """
        plain = len(given) == 1 and not named and (isinstance(given[0], np.ndarray) or not isinstance(given[0], Mapping))
        if plain and self._only is not None:
            name, shape = self._only
            array = self._array(given[0], shape, "")
            return {name: array}, len(array)
        arrays = {name: self._array(value, self.inputs[name], f" as `{name}`") for name, value in self._by_name(given, named).items()}
        return arrays, self._together(arrays, None)

    def _by_name(self, given: Sequence[Arrays], named: Mapping[str, ArrayLike]) -> Mapping[str, ArrayLike]:
        found = dict(named)
        names = list(self.inputs)
        if len(given) == 1 and isinstance(given[0], Mapping):
            found |= given[0]
        elif len(given) > len(names) or found.keys() & set(names[: len(given)]):
            raise UserError(f"{self.net} has the inputs {', '.join(names)}, each of which is given once", self._example())
        else:
            found |= {name: value for name, value in zip(names, given, strict=False) if not isinstance(value, Mapping)}
        for name in found:
            if name not in self.inputs:
                raise UserError(f"{self.net} has no input `{name}`", did_you_mean(name, names))
        if missing := [name for name in names if name not in found]:
            raise UserError(f"{self.net} needs the input{'s' * (len(missing) > 1)} {', '.join(missing)} too", self._example())
        return {name: found[name] for name in names}

    def _example(self) -> str:
        names = list(self.inputs)
        return f"`net({', '.join(names)})`, `net({', '.join(f'{name}={name}' for name in names)})`, or a mapping of these names"

    def targets(self, given: Arrays | None, fields: Mapping[str, Shape], count: int) -> dict[str, Floats]:
        """What the loss compares with, by the names of fields. Raises UserError for what does not fit to `count` samples."""
        if not isinstance(given, Mapping):
            if (given is None) != (not fields) or len(fields) > 1:
                raise UserError(*self._misgiven(given is None, list(fields)))
            given = {} if given is None else {next(iter(fields)): given}
        for name in given:
            if name not in fields:
                raise UserError(f"the loss of {self.net} reads no field `{name}`", did_you_mean(name, list(fields)))
        if missing := [name for name in fields if name not in given]:
            raise UserError(f"the loss of {self.net} also compares with {', '.join(f'`{name}`' for name in missing)}")
        arrays = {name: _target(given[name], shape) for name, shape in fields.items()}
        for name, array in arrays.items():
            if array.shape[1:] != fields[name]:
                raise UserError(f"`{name}` is {list(fields[name])} for each sample, got {list(array.shape[1:])}")
        self._together(arrays, count)
        return arrays

    def _misgiven(self, none: bool, fields: list[str]) -> tuple[str, str | None]:
        if not fields:
            return f"the loss of {self.net} compares with tensors of the net alone", "leave the labels out"
        example = ", ".join(f'"{name}": ..' for name in fields)
        needs = f"the loss of {self.net} compares with {', '.join(f'`{name}`' for name in fields)}"
        return needs, "pass the labels" if none and len(fields) == 1 else f"pass a mapping, {{{example}}}"

    def results(self, count: int) -> dict[str, Floats]:
        """Room for the results of so many samples, by the program's names."""
        return {value: np.empty((count, *shape), np.float32) for value, shape in self.outputs.values()}

    def named(self, results: Mapping[str, Floats]) -> Results:
        """The results as users get them."""
        if len(self.outputs) == 1:
            return next(iter(results.values()))
        return {name: results[value] for name, (value, _) in self.outputs.items()}

    def _array(self, value: Arrays, shape: Shape, what: str) -> Floats:
        array = np.ascontiguousarray(value, np.float32)
        if array.shape[1:] != shape or not 1 <= len(array) <= self.batch:
            wanted = ", ".join(map(str, shape))
            raise UserError(f"{self.net} takes [N, {wanted}]{what} with N from 1 to {self.batch}, got {list(array.shape)}")
        return array

    def _together(self, arrays: Mapping[str, Floats], count: int | None) -> int:
        counts = {name: len(array) for name, array in arrays.items()}
        if count is None:
            count = next(iter(counts.values()))
            if len(set(counts.values())) > 1:
                raise UserError(f"{self.net}: {', '.join(f'{number} samples of `{name}`' for name, number in counts.items())}")
        for number in counts.values():
            if number != count:
                raise UserError(f"{count} samples, but {number} labels")
        return count


def _target(value: ArrayLike, shape: Shape) -> Floats:
    """One number for each sample may be written as a vector of numbers, whatever shape the loss compares."""
    array = np.ascontiguousarray(value, np.float32)
    return array.reshape(-1, 1) if array.ndim == 1 and shape == (1,) else array
