"""What a user's `op` becomes: a layer like any other, whose formula is the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol, cast

from netspec.kernels.scalar import Access, Expr, transform
from netspec.layers.merge import Elementwise
from netspec.schema import Argument


class Definition(Protocol):
    """What an `op` says: its name, its tensors, its numbers, and its formula once those have values."""

    @property
    def name(self) -> str:
        """As steps call it."""
        ...

    @property
    def tensors(self) -> tuple[str, ...]:
        """The parameters without default: the current tensor first."""
        ...

    def arguments(self) -> Mapping[str, Argument]:
        """The parameters with default."""
        ...

    def body(self, values: Mapping[str, float]) -> Expr:
        """The formula over `operand(0)`, `operand(1)`, .."""
        ...


class Custom(Elementwise):
    """A formula of each element, over tensors of equal shapes, or repeated as `add` repeats them. `layer_of` makes the classes."""

    definition: ClassVar[Definition]
    joined: ClassVar[str] = "inputs"

    @classmethod
    def arguments(cls) -> Mapping[str, Argument]:
        """The numbers of the op."""
        return cls.definition.arguments()

    def combined(self, operands: Sequence[Expr]) -> Expr:
        """The user's formula."""
        elements = {operand(k): item for k, item in enumerate(operands)}
        return transform(self._body, lambda leaf: elements[leaf] if isinstance(leaf, Access) else leaf)

    @property
    def _body(self) -> Expr:
        return self.definition.body({name: vars(self)[argument.attribute] for name, argument in self.arguments().items()})

    def __eq__(self, other: object) -> bool:
        """What is read twice is the same twice."""
        return isinstance(other, Custom) and (self.name, vars(self), self._body) == (other.name, vars(other), other._body)

    def __hash__(self) -> int:
        return hash((self.name, *vars(self).values()))


def operand(number: int) -> Access:
    """The place of a tensor's element in a formula."""
    return Access(f"x{number}", ())


def layer_of(definition: Definition) -> type[Custom]:
    """The layer that an op is."""
    attributes = {"name": definition.name, "merge": len(definition.tensors) > 1, "definition": definition}
    return cast("type[Custom]", type(definition.name, (Custom,), {**attributes, "__module__": __name__}))
