"""The meaning of a graph, in NumPy and float64: what every compiled kernel is compared with.

A formula is evaluated over the grid of its axes. An access is a strided window onto its tensor, padded where it reads beyond, so nothing is
gathered; a sum of products goes through einsum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from string import ascii_letters

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from netspec.graph.graph import Graph
from netspec.kernels.affine import Affine, Axis, Extent
from netspec.kernels.formula import Formula
from netspec.kernels.random import GOLDEN, key
from netspec.kernels.scalar import SCALARS, Access, AxisIndex, Call, Constant, Expr, Random, RuntimeScalar

Array = NDArray[np.float64]


def run(
    graph: Graph, tensors: Mapping[str, Array], scalars: Mapping[str, float] | None = None, batch: int | None = None
) -> dict[str, Array]:
    """Every tensor of a lowered graph, by name. `tensors` gives its inputs and weights, with `batch` samples (taken from the first input).

    `scalars` are what a step is called with: `N`, how many of the samples are real (all, if it is left out), `seed`, `step`, `lr`, ..
    """
    given = {item.name: np.ascontiguousarray(tensors[item.name], np.float64) for item in (*graph.inputs, *graph.weights)}
    batch = batch if batch is not None else len(given[graph.inputs[0].name])
    formulas = [formula for op in graph.ops for formula in op.formulas]
    shapes = {name: item.type.shape for name, item in graph.types.items()}
    return given | evaluate(formulas, given, shapes, scalars, batch)


def evaluate(
    formulas: Iterable[Formula],
    tensors: Mapping[str, Array],
    shapes: Mapping[str, tuple[Extent, ...]],
    scalars: Mapping[str, float] | None = None,
    batch: int = 1,
) -> dict[str, Array]:
    """What the formulas write, evaluated in order; `shapes` has the extents of all that they write. What none of them writes is zero."""
    machine = _Machine(dict(tensors), {**SCALARS, "N": batch, "seed": 0, **(scalars or {})}, batch)
    written: dict[str, Array] = {}
    with np.errstate(all="ignore"):  # a branch not taken may overflow
        for formula in formulas:
            for name in formula.writes:
                if name not in written:
                    written[name] = np.zeros([machine.length(extent) for extent in shapes[name]])
            machine.evaluate(formula, written)
            machine.tensors.update({name: written[name] for name in formula.writes})
    return written


@dataclass(frozen=True)
class _Machine:
    """What expressions are evaluated with: the tensors so far, the scalars of the step, and the number of samples that N stands for."""

    tensors: dict[str, Array]
    scalars: Mapping[str, float]
    batch: int

    def length(self, extent: Extent) -> int:
        return extent if isinstance(extent, int) else self.batch

    def evaluate(self, formula: Formula, written: dict[str, Array]) -> None:
        """Write the result of one formula, and the argument of its maximum."""
        kept, reduced = formula.kept, formula.reduced
        if formula.factors is not None:
            result = self._contraction(formula, *formula.factors)
        else:
            grid = kept + reduced
            shape = [self.length(axis.extent) for axis in grid]
            result = np.broadcast_to(self._value(formula.body, grid), shape)
        inner = tuple(range(len(kept), len(kept) + len(reduced)))
        if formula.combine == "max":
            if formula.argument is not None:
                flat = result.reshape(*result.shape[: len(kept)], -1)
                self._target(formula.argument, kept, written)[...] = flat.argmax(-1)
            result = result.max(inner)
        elif formula.combine == "sum" and formula.factors is None:
            result = result.sum(inner)
        self._target(formula.out, kept, written)[...] = result

    def _contraction(self, formula: Formula, left: Access, right: Access) -> Array:
        letters = dict(zip(formula.axes, ascii_letters, strict=False))
        used = [[axis for axis in formula.axes if _runs_along(access, axis)] for access in (left, right)]
        kept = [axis for axis in formula.kept if axis in used[0] + used[1]]
        terms = ["".join(letters[axis] for axis in axes) for axes in (*used, kept)]
        operands = [self._read(access, tuple(axes)) for access, axes in zip((left, right), used, strict=True)]
        result: Array = np.einsum(f"{terms[0]},{terms[1]}->{terms[2]}", *operands, optimize=True)
        return result.reshape([self.length(axis.extent) if axis in kept else 1 for axis in formula.kept])

    def _target(self, access: Access, axes: tuple[Axis, ...], written: dict[str, Array]) -> Array:
        array = written[access.tensor]
        viewed = array if access.view is None else array.reshape([self.length(extent) for extent in access.view])
        assert np.shares_memory(viewed, array) or array.size == 0
        return self._window(viewed, access.indices, [0] * viewed.ndim, axes)

    def _read(self, access: Access, axes: tuple[Axis, ...]) -> Array:
        """The access as an array over `axes`; length 1 along those that it does not use."""
        array = self.tensors[access.tensor]
        if access.view is not None:
            array = array.reshape([self.length(extent) for extent in access.view])
        padding: list[tuple[int, int]] = []
        for index, size in zip(access.indices, array.shape, strict=True):
            low, high = self._reach(index)
            padding.append((max(-low, 0), max(high - size + 1, 0)))
        if any(map(any, padding)):
            assert access.outside != "never", f"{access} leaves {array.shape}"
            array = np.pad(array, padding, constant_values=0.0 if access.outside == "zero" else -np.inf)
        return self._window(array, access.indices, [before for before, _ in padding], axes)

    def _reach(self, index: Affine) -> tuple[int, int]:
        ends = [factor * (self.length(axis.extent) - 1) for axis, factor in index.terms]
        return index.constant + sum(min(end, 0) for end in ends), index.constant + sum(max(end, 0) for end in ends)

    def _window(self, array: Array, indices: tuple[Affine, ...], origin: list[int], axes: tuple[Axis, ...]) -> Array:
        """array[indices + origin] as a view over the axes, in their order."""
        start = sum((index.constant + first) * step for index, first, step in zip(indices, origin, array.strides, strict=True))
        strides = [sum(index.coefficient(axis) * step for index, step in zip(indices, array.strides, strict=True)) for axis in axes]
        shape = [self.length(axis.extent) if any(index.coefficient(axis) for index in indices) else 1 for axis in axes]
        first = array.reshape(-1)[start // array.itemsize :]
        return as_strided(first, shape, strides)

    def _value(self, expr: Expr, grid: tuple[Axis, ...]) -> Array:
        match expr:
            case Constant(value):
                return np.float64(value) + np.zeros([1] * len(grid))
            case Access():
                return self._read(expr, grid)
            case AxisIndex(index):
                return self._positions(index, grid).astype(np.float64)
            case RuntimeScalar(name):
                return np.float64(self.scalars[name]) + np.zeros([1] * len(grid))
            case Random(stream, position):
                start = key(int(self.scalars["seed"]), int(self.scalars["step"]), stream)
                return uniform(start, self._positions(position, grid))
            case Call("select", (condition, a, b)):
                return np.where(self._value(condition, grid) != 0, self._value(a, grid), self._value(b, grid))
            case Call(function, (a,)):
                return UNARY[function](self._value(a, grid))
            case Call(function, (a, b)):
                return BINARY[function](self._value(a, grid), self._value(b, grid))
            case _:
                raise TypeError(expr)

    def _positions(self, index: Affine, grid: tuple[Axis, ...]) -> NDArray[np.int64]:
        result = np.full([1] * len(grid), index.constant, np.int64)
        for axis, factor in index.terms:
            shape = [-1 if item == axis else 1 for item in grid]
            result = result + factor * np.arange(self.length(axis.extent), dtype=np.int64).reshape(shape)
        return result


def _runs_along(access: Access, axis: Axis) -> bool:
    return any(index.coefficient(axis) for index in access.indices)


def uniform(key: int, positions: NDArray[np.int64]) -> Array:
    """netspec.kernels.random.uniform for many positions."""
    x = positions.astype(np.uint32) * np.uint32(GOLDEN) + np.uint32(key)
    x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * np.uint32(0x846CA68B)
    return ((x ^ (x >> 16)) >> 8).astype(np.float64) * 2.0**-24


def _truth(values: NDArray[np.bool_]) -> Array:
    return values.astype(np.float64)


def _sigmoid(a: Array) -> Array:
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1 / (1 + small), small / (1 + small))


def _erf(a: Array) -> Array:
    return np.array([math.erf(item) for item in a.ravel().tolist()]).reshape(a.shape)


UNARY: dict[str, Callable[[Array], Array]] = {
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "finite": lambda a: _truth(np.isfinite(a)),
    "sqrt": np.sqrt,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda a: np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a))),
    "erf": _erf,
}

BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": lambda a, b: np.where(a >= b, a, b),
    "minimum": lambda a, b: np.where(a <= b, a, b),
    "gt": lambda a, b: _truth(a > b),
    "ge": lambda a, b: _truth(a >= b),
    "lt": lambda a, b: _truth(a < b),
    "le": lambda a, b: _truth(a <= b),
    "eq": lambda a, b: _truth(a == b),
}
