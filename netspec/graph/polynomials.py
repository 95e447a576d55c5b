"""Polynomials in symbols and floors: what sizes that are not known yet are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from netspec.records import record

if TYPE_CHECKING:
    from netspec.graph.sizes import Size

Number = int | Fraction


@record
class Symbol:
    """The u of H = modulus*u + residue."""

    name: str


@record
class Floor:
    """floor(value / divisor): no whole part can be taken out any more. Equal as it is written: sizes themselves are compared by value."""

    value: Size
    divisor: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Floor) and self.divisor == other.divisor and self.value.terms == other.value.terms

    def __hash__(self) -> int:
        return hash((self.value, self.divisor))


@record
class Most:
    """The largest of several sizes of which none is the largest for all values of the symbols. Equal as it is written."""

    values: tuple[Size, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Most) and [item.terms for item in self.values] == [item.terms for item in other.values]

    def __hash__(self) -> int:
        return hash(self.values)


Atom = Symbol | Floor | Most
Monomial = tuple[Atom, ...]
Terms = dict[Monomial, Number]
"""Coefficients by products of atoms; the constant's is the empty product. None is zero."""


def added(a: Mapping[Monomial, Number], b: Mapping[Monomial, Number], sign: int = 1) -> Terms:
    """a + b, or a - b with the sign -1."""
    found: Terms = dict(a)
    for monomial, factor in b.items():
        found[monomial] = found.get(monomial, 0) + sign * factor
    return {monomial: factor for monomial, factor in found.items() if factor}


def multiplied(a: Mapping[Monomial, Number], b: Mapping[Monomial, Number]) -> Terms:
    """a * b."""
    found: Terms = {}
    for x, p in a.items():
        for y, q in b.items():
            monomial = tuple(sorted((*x, *y), key=_order))
            found[monomial] = found.get(monomial, 0) + p * q
    return {monomial: factor for monomial, factor in found.items() if factor}


def _order(atom: Atom) -> tuple[int, str]:
    return (0, atom.name) if isinstance(atom, Symbol) else (1, repr(atom))


def weight_of(atom: Atom) -> int:
    """The terms within an atom, and itself."""
    match atom:
        case Symbol():
            return 1
        case Floor(value, _):
            return 1 + value.weight
        case Most(values):
            return 1 + sum(value.weight for value in values)


def names_in(size: Size) -> Iterator[str]:
    """Every symbol, as often as it occurs."""
    for monomial in size.terms:
        for atom in monomial:
            match atom:
                case Symbol(name):
                    yield name
                case Floor(value, _):
                    yield from names_in(value)
                case Most(values):
                    for value in values:
                        yield from names_in(value)
