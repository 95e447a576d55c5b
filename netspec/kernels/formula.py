"""A layer is a formula: `y[n, c, h, w] = sum x[n, i, h*2 + a - 1, w*2 + b - 1] * weight[c, i, a, b]` is all a convolution says of itself.

Axes that the result does not use are reduced. Every index is affine. From this follow the value, the multiplications, both gradients
(netspec.kernels.gradient), and, given the strides of any layout, the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from netspec.kernels.affine import Affine, Axis, Extent, affine, size_of
from netspec.kernels.scalar import Access, AxisIndex, Call, Expr, Outside, Random, accesses, expression, transform
from netspec.records import record

Combine = Literal["none", "sum", "max"]


@record
class Formula:
    """out = combine of `body` over the axes that `out` does not use.

    `argument`, with `max` only: a second result at the same indices, the row-major position of the first maximum in the reduced axes.
    """

    out: Access
    body: Expr
    combine: Combine = "none"
    argument: Access | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All axes, those of the result first, in order of writing."""
        seen = dict.fromkeys(axis for index in self.out.indices for axis in index.axes)
        seen.update(dict.fromkeys(_axes_of(self.body)))
        return tuple(seen)

    @property
    def kept(self) -> tuple[Axis, ...]:
        """The axes of the result."""
        return tuple(dict.fromkeys(axis for index in self.out.indices for axis in index.axes))

    @property
    def reduced(self) -> tuple[Axis, ...]:
        """The axes that are combined."""
        kept = set(self.kept)
        return tuple(axis for axis in self.axes if axis not in kept)

    @property
    def accesses(self) -> tuple[Access, ...]:
        """The result, what the body reads (with repetitions), and the argument of the maximum."""
        return (self.out, *accesses(self.body), *([self.argument] if self.argument else []))

    @property
    def reads(self) -> tuple[str, ...]:
        """The tensors that the body reads, once each, in order."""
        return tuple(dict.fromkeys(access.tensor for access in accesses(self.body)))

    @property
    def writes(self) -> tuple[str, ...]:
        """The tensors written: the result and, where there is one, the argument of the maximum."""
        return (self.out.tensor,) if self.argument is None else (self.out.tensor, self.argument.tensor)

    @property
    def factors(self) -> tuple[Access, Access] | None:
        """The two accesses whose products are summed, when this is a contraction."""
        match self.combine, self.body:
            case "sum", Call("mul", (Access() as left, Access() as right)):
                return left, right
            case _:
                return None

    def multiplications(self, batch: int = 1) -> int:
        """How many products a contraction takes, border included; 0 for what is no contraction."""
        return size_of(tuple(axis.extent for axis in self.axes), batch) if self.factors else 0

    def substitute(self, values: Mapping[Axis, Affine]) -> Formula:
        """Replace axes by affine values everywhere."""

        def change(leaf: Expr) -> Expr:
            match leaf:
                case Access():
                    return replace(leaf, indices=tuple(index.substitute(values) for index in leaf.indices))
                case AxisIndex(index):
                    return AxisIndex(index.substitute(values))
                case Random(stream, position):
                    return Random(stream, position.substitute(values))
                case _:
                    return leaf

        return self._map(change)

    def rename(self, names: Callable[[str], str]) -> Formula:
        """Rename every tensor."""
        return self._map(lambda leaf: replace(leaf, tensor=names(leaf.tensor)) if isinstance(leaf, Access) else leaf)

    def turned(self, matrices: Collection[str]) -> Formula:
        """See these matrices with rows as columns."""

        def change(leaf: Expr) -> Expr:
            if not isinstance(leaf, Access) or leaf.tensor not in matrices:
                return leaf
            assert len(leaf.indices) == 2, f"{leaf} is no matrix"
            return replace(leaf, indices=leaf.indices[::-1])

        return self._map(change) if matrices else self

    def _map(self, change: Callable[[Expr], Expr]) -> Formula:
        out, argument = change(self.out), None if self.argument is None else change(self.argument)
        assert isinstance(out, Access)
        assert argument is None or isinstance(argument, Access)
        return replace(self, out=out, body=transform(self.body, change), argument=argument)

    def __str__(self) -> str:
        over = ", ".join(f"{axis}<{axis.extent}" for axis in self.reduced)
        combine = "" if self.combine == "none" else f"{self.combine}({over}) "
        argument = "" if self.argument is None else f", {self.argument}"
        return f"{self.out}{argument} = {combine}{self.body}"


def _axes_of(body: Expr) -> Iterator[Axis]:
    match body:
        case Access(_, indices):
            for index in indices:
                yield from index.axes
        case AxisIndex(index) | Random(_, index):
            yield from index.axes
        case Call(_, arguments):
            for item in arguments:
                yield from _axes_of(item)
        case _:
            return


@record
class Tensor:
    """A name to index: `x = Tensor("x"); x[n, i, h*2 + a - 1]`. Without `outside`, nothing beyond the tensor is ever read."""

    name: str
    outside: Outside = "never"
    shape: tuple[Extent, ...] | None = None

    def view(self, *shape: Extent) -> Tensor:
        """The same tensor with some dimensions split in two or more: `weight.view(groups, k, i, 3, 3)`."""
        return replace(self, shape=shape)

    def __getitem__(self, indices: Axis | Affine | int | tuple[Axis | Affine | int, ...]) -> Access:
        items = indices if isinstance(indices, tuple) else (indices,)
        return Access(self.name, tuple(affine(item) for item in items), self.outside, self.shape)


def total(out: Access, body: Expr) -> Formula:
    """out = sum of body over the axes that out does not use."""
    return Formula(out, expression(body), "sum")


def largest(out: Access, body: Expr, argument: Access | None = None) -> Formula:
    """out = maximum of body over the axes that out does not use, and where it stands."""
    return Formula(out, expression(body), "max", argument)


def each(out: Access, body: Expr) -> Formula:
    """out = body, element by element."""
    return Formula(out, expression(body))


def d(tensor: str) -> str:
    """The name of the loss's gradient by a tensor. A label has no colon, so no name of a spec can be one of these."""
    return f"d:{tensor}"
