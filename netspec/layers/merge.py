"""Merges: several tensors become one. Their inputs are called x0, x1, .. in the order of the branches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import ClassVar

from netspec.graph.types import Computation, Example, Layer, Shape, ShapeError
from netspec.kernels.formula import Formula, Tensor, each
from netspec.kernels.scalar import Expr, maximum
from netspec.layers.arguments import Letter
from netspec.layers.inputs import DIMENSIONS, axes_of, dimension_of, show


class Elementwise(Layer):
    """Joins equal shapes, or repeats a small one over a large: [c], [c, 1, 1], [1, h, w] over [c, h, w], and [f] over [t, f]."""

    merge: ClassVar[bool] = True
    joined: ClassVar[str] = "branches"
    """What errors call its inputs."""
    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((3, 4, 5), (3, 4, 5))),
        Example({}, ((6,), (6,), (6,))),
        Example({}, ((3, 4, 5), (3,))),
        Example({}, ((3, 1, 1), (3, 4, 5), (1, 4, 5))),
        Example({}, ((3,), (4, 3))),
    )

    def join(self, a: Expr, b: Expr) -> Expr:
        """Two elements become one."""
        raise NotImplementedError

    def combined(self, operands: Sequence[Expr]) -> Expr:
        """All elements become one: x0 joined with x1, and so on, from the left."""
        return reduce(self.join, operands)

    def infer(self, *inputs: Shape) -> Shape:
        """The shape over which all the others can be repeated."""
        for whole in inputs:
            if all(_placed(shape, whole) is not None for shape in inputs):
                return whole
        raise _differing(self.name, inputs, except_for=None, joined=self.joined)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """y = the elements of x0, x1, .. combined."""
        whole = self.infer(*inputs)
        n, *rest = axes_of(whole)
        names = [f"x{k}" for k in range(len(inputs))] if self.merge else self.operands
        operands: list[Expr] = []
        for name, shape in zip(names, inputs, strict=True):
            places = _placed(shape, whole) or ()
            operands.append(Tensor(name)[(n, *(0 if place is None else rest[place] for place in places))])
        return Computation((each(Tensor("y")[(n, *rest)], self.combined(operands)),))


class Add(Elementwise):
    """The sum of the branches (He et al. 2015)."""

    name: ClassVar[str] = "add"

    def join(self, a: Expr, b: Expr) -> Expr:
        """a + b."""
        return a + b


class Mul(Elementwise):
    """The product of the branches; with a [c], channel attention (Hu et al. 2017)."""

    name: ClassVar[str] = "mul"

    def join(self, a: Expr, b: Expr) -> Expr:
        """a * b."""
        return a * b


class Max(Elementwise):
    """The largest of the branches; of equal ones the first gets the gradient (Goodfellow et al. 2013)."""

    name: ClassVar[str] = "max"

    def join(self, a: Expr, b: Expr) -> Expr:
        """The larger."""
        return maximum(a, b)


class Concat(Layer):
    """The branches one behind the other, along the channels unless `axis` names another dimension (Szegedy et al. 2014)."""

    name: ClassVar[str] = "concat"
    merge: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example({}, ((3, 4, 5), (2, 4, 5), (1, 4, 5))),
        Example({}, ((6,), (3,))),
        Example({"axis": "h"}, ((3, 4, 5), (3, 1, 5))),
        Example({}, ((4, 3), (4, 2))),
        Example({}, ((2, 2, 2),)),
    )

    axis: Letter | None = None

    def infer(self, *inputs: Shape) -> Shape:
        """The sum along the axis; every other dimension is the same in all branches."""
        dimension = dimension_of(inputs[0], self.axis, "E0201")
        if any(len(shape) != len(inputs[0]) or _but(shape, dimension) != _but(inputs[0], dimension) for shape in inputs):
            raise _differing(self.name, inputs, except_for=dimension)
        joined = sum(shape[dimension] for shape in inputs)
        return (*inputs[0][:dimension], joined, *inputs[0][dimension + 1 :])

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        """Each branch writes its own part of y: y[n, c + offset, h, w] = x0[n, c, h, w]."""
        dimension, offset = dimension_of(inputs[0], self.axis, "E0201"), 0
        formulas: list[Formula] = []
        for k, shape in enumerate(inputs):
            axes = axes_of(shape)
            place = [axis + offset if i == dimension + 1 else axis for i, axis in enumerate(axes)]
            formulas.append(each(Tensor("y")[tuple(place)], Tensor(f"x{k}")[axes]))
            offset += shape[dimension]
        return Computation(tuple(formulas))


def _placed(shape: Shape, whole: Shape) -> tuple[int | None, ...] | None:
    """Along which dimension of `whole` each dimension of `shape` runs (None: it is a single element), None if it cannot be repeated so."""
    match shape, whole:
        case _ if shape == whole:
            return tuple(range(len(shape)))
        case (c,), (d, _, _) if c == d:
            return (0,)
        case (f,), (_, g) if f == g:
            return (1,)
        case (c, h, w), (d, *plane) if c in (1, d) and [h, w] in ([1, 1], plane):
            return (0 if c == d else None, *((1, 2) if [h, w] == plane else (None, None)))
        case _:
            return None


def _but(shape: Shape, dimension: int) -> Shape:
    return shape[:dimension] + shape[dimension + 1 :]


def _differing(layer: str, inputs: tuple[Shape, ...], except_for: int | None, joined: str = "branches") -> ShapeError:
    """The error at the first branch that does not go with those before it; `argument` is its local name, `x1`."""
    whole, k = inputs[0], 1
    while not (conflict := _conflict(inputs[k], whole, except_for)):
        whole, k = max(whole, inputs[k], key=lambda shape: (len(shape), prod(shape))), k + 1
    notes = (f"the {joined} are {', '.join(show(shape) for shape in inputs)}",) if len(inputs) > 2 else ()
    message, help = f"{joined} of `{layer}` differ in {conflict}", _mend(inputs[k], whole, except_for)
    return ShapeError(message, code="E0201", argument=f"x{k}", label=show(inputs[k]), notes=notes, help=help)


def _conflict(shape: Shape, first: Shape, except_for: int | None) -> str:
    """What two shapes differ in, in words; empty when they go together."""
    if except_for is None and (_placed(shape, first) is not None or _placed(first, shape) is not None):
        return ""
    if len(shape) != len(first):
        return "their number of dimensions"
    names = [name for i, name in enumerate(DIMENSIONS[len(shape)]) if i != except_for and shape[i] != first[i]]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _mend(shape: Shape, wanted: Shape, except_for: int | None) -> str | None:
    """A convolution that brings a branch to the wanted shape, where one does."""
    if len(shape) != 3 or len(wanted) != 3:
        return None
    strides = {-(-have // want) for have, want in zip(shape[1:], wanted[1:], strict=True)}
    stride = strides.pop()
    if strides or any(-(-have // stride) != want for have, want in zip(shape[1:], wanted[1:], strict=True)):
        return None
    channels = shape[0] if except_for == 0 else wanted[0]
    step = f", stride={stride}" if stride > 1 else ""
    guard = f", or guard it: `| when in.c == {wanted[0]}: skip`" if shape[0] != wanted[0] and except_for is None else ""
    return f"project the branch: `| conv({channels}, 1x1{step})`{guard}"
