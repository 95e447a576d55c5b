"""Sizes that are not known before a net is compiled: `H`, `H/2`, `(T - 13)//4`. They stand where shape rules expect an int.

A size is a polynomial with whole coefficients in symbols and floors. What is known of `H` is known exactly: from `H % 16 == 0` follows
H = 16 u with a whole u, so H/2 is 8 u, and 2*(H//2) is H. A comparison is decided by bounds that hold for every allowed value, or raises
Undecidable, which names the fact that is missing: nothing is guessed. Whatever needs a number (a loop, a list, a float) raises it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cached_property
from math import gcd, inf, prod
from typing import NoReturn, TypeGuard, cast

from netspec.graph.bounds import lower
from netspec.graph.polynomials import Atom, Floor, Monomial, Most, Symbol, Terms, added, multiplied, names_in, weight_of
from netspec.graph.types import ShapeError
from netspec.kernels.scalar import Expr, RuntimeScalar
from netspec.records import record
from netspec.schema import Whole

HEAVIEST = 400
"""Terms of a size: nobody reads more, and floors of sums of floors double with each layer."""


class Undecidable(ShapeError):
    """Nothing that is known of the symbols decides this. What fact is missing is found out when it is asked for."""

    def __init__(self, message: str, find: Callable[[], str]) -> None:
        super().__init__(message, code="E0207")
        self._find = find

    @property
    def help(self) -> str:
        """The fact to add."""
        return self._find()

    @help.setter
    def help(self, _: str | None) -> None:
        pass


@record
class Known:
    """What is known of a symbol: its bounds, and its remainder by a modulus."""

    low: int = 1
    high: int | None = None
    modulus: int = 1
    residue: int = 0


class Facts:
    """The symbols of a net: what is known of each, and sizes that are not negative."""

    def __init__(self, known: Mapping[str, Known]) -> None:
        self.known = dict(known)
        self.relations: list[Size] = []

    def size(self, name: str) -> int:
        """The size of this name; an int to all who calculate with it."""
        known = self.known[name]
        terms: Terms = {(Symbol(name),): known.modulus, (): known.residue}
        return _whole(terms, self)

    def smallest(self) -> dict[str, int]:
        """The smallest value of each symbol."""
        return {name: known.low + (known.residue - known.low) % known.modulus for name, known in self.known.items()}

    def interval(self, atom: Atom) -> tuple[float | int, float | int]:
        """The bounds of an atom."""
        match atom:
            case Symbol(name):
                known = self.known[name]
                low = -((known.residue - known.low) // known.modulus)
                return low, inf if known.high is None else (known.high - known.residue) // known.modulus
            case Floor(value, divisor):
                low, high = value.bounds
                return (low if low == -inf else low // divisor), (high if high == inf else high // divisor)
            case Most(values):
                return max(item.bounds[0] for item in values), max(item.bounds[1] for item in values)


class Size(Whole):
    """A size: a polynomial, with what is known of its symbols."""

    def __init__(self, terms: Mapping[Monomial, int], facts: Facts) -> None:
        self.terms, self.facts = dict(terms), facts
        self.weight = sum(1 + sum(map(weight_of, monomial)) for monomial in terms)
        """Atoms and products in all, those within floors too."""
        if self.weight > HEAVIEST:
            raise ShapeError(f"a size has more than {HEAVIEST} terms", code="E0505", help="bind the sizes of the input to numbers")

    # ── arithmetic ───────────────────────────────────────────────────────────────────────────────

    def __add__(self, other: object) -> int:
        return _whole(added(self.terms, _terms(other)), self.facts) if is_whole(other) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: object) -> int:
        return _whole(added(self.terms, _terms(other), -1), self.facts) if is_whole(other) else NotImplemented

    def __rsub__(self, other: object) -> int:
        return -self + other if is_whole(other) else NotImplemented

    def __neg__(self) -> int:
        return self * -1

    def __mul__(self, other: object) -> int:
        return _whole(multiplied(self.terms, _terms(other)), self.facts) if is_whole(other) else NotImplemented

    __rmul__ = __mul__

    def __pow__(self, exponent: object) -> int:
        return prod([cast("int", self)] * exponent) if isinstance(exponent, int) and exponent >= 0 else NotImplemented

    def __floordiv__(self, divisor: object) -> int:
        match divisor:
            case int() if divisor > 0:
                return _floor(self, divisor)
            case int() if divisor < 0:
                return -self // -divisor
            case Size():
                return _ratio(self, divisor)
            case _:
                return NotImplemented

    def __rfloordiv__(self, other: object) -> int:
        return 0 if isinstance(other, int) and other >= 0 and other < self else self.unknown()

    def __mod__(self, divisor: object) -> int:
        return self - self // divisor * divisor if isinstance(divisor, int) else self.unknown()

    def __rmod__(self, other: object) -> int:
        return other - other // self * self if isinstance(other, int) else NotImplemented

    def __truediv__(self, divisor: object) -> int:
        """The exact quotient."""
        if not isinstance(divisor, int) or not divisor:
            return self.unknown()
        quotient, rest = self // divisor, self % divisor
        if isinstance(rest, Size) and rest.is_zero() is None:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise Undecidable(f"cannot decide whether `{self}` divided by {divisor} is whole", lambda: fact_for(rest, "==", 0))
        if rest != 0:
            raise ShapeError(f"`{self}` divided by {divisor} is not whole", code="E0208", help="`//` rounds down")
        return quotient

    def __rtruediv__(self, other: float) -> Expr:
        """In a formula: the number that it will be."""
        return other / RuntimeScalar(str(self))

    def __abs__(self) -> int:
        return cast("int", self) if self >= 0 else -self

    def __floor__(self) -> Size:
        return self

    __ceil__ = __round__ = __trunc__ = __floor__

    # ── decisions ────────────────────────────────────────────────────────────────────────────────

    def __eq__(self, other: object) -> bool:
        if not is_whole(other):
            return False if isinstance(other, Fraction) else NotImplemented
        difference = self - other
        found = difference.is_zero() if isinstance(difference, Size) else difference == 0  # pyright: ignore[reportUnnecessaryIsInstance]
        return decided(found, self, "==", other)

    def __lt__(self, other: object) -> bool:
        return _compared(self, "<", other)

    def __le__(self, other: object) -> bool:
        return _compared(self, "<=", other)

    def __gt__(self, other: object) -> bool:
        return _compared(self, ">", other)

    def __ge__(self, other: object) -> bool:
        return _compared(self, ">=", other)

    def __bool__(self) -> bool:
        return self != 0

    def __hash__(self) -> int:
        return hash(frozenset((monomial, str(factor)) for monomial, factor in self.terms.items()))  # hash(-1) is hash(-2)

    def is_zero(self) -> bool | None:
        """Whether it is zero whatever the symbols are; None where that depends on them."""
        whole = gcd(*(factor for monomial, factor in self.terms.items() if monomial))
        low, high = self.bounds
        if self.terms.get((), 0) % whole or low > 0 or high < 0:
            return False
        return True if low == high else None

    def is_positive(self) -> bool | None:
        """Whether it is at least 0 whatever the symbols are, or never; None where that depends on them."""
        low, high = self.bounds
        return True if low >= 0 else False if high < 0 else None

    @cached_property
    def bounds(self) -> tuple[int | float, int | float]:
        """A whole number, or infinity, below and above all its values."""
        negative = {monomial: -factor for monomial, factor in self.terms.items()}
        return lower(self.terms, self.facts), -lower(negative, self.facts)

    def symbols(self) -> list[str]:
        """The names that occur, in order."""
        return list(dict.fromkeys(names_in(self)))

    # ── what needs a number ──────────────────────────────────────────────────────────────────────

    def unknown(self) -> NoReturn:
        """Raise Undecidable: here a number is needed."""
        names = " and ".join(f"`{name}`" for name in self.symbols())
        raise Undecidable(f"`{self}` is not known here", lambda: f"it depends on {names}, which `--set` or `load` binds")

    def __int__(self) -> int:
        self.unknown()

    def __float__(self) -> float:
        self.unknown()

    __index__ = __int__

    def __str__(self) -> str:
        return format(self, "")

    def __repr__(self) -> str:
        return format(self, "")

    def __format__(self, spec: str) -> str:
        from netspec.graph.size_text import text  # only for reports and errors

        return text(self, spec)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number, known or not."""
    return isinstance(value, int | Size) and not isinstance(value, bool)


def surely_equal(a: int, b: int) -> bool:
    """Whether two sizes are equal whatever the symbols are."""
    difference = a - b
    return difference.is_zero() is True if isinstance(difference, Size) else difference == 0  # pyright: ignore[reportUnnecessaryIsInstance]


def largest(*values: int) -> int:
    """The largest, which may depend on the symbols."""
    if all(type(value) is int for value in values):
        return max(values)
    kept: list[int] = []
    for value in dict.fromkeys(values):
        if any(_surely(other - value) for other in kept):
            continue
        kept = [other for other in kept if not _surely(value - other)] + [value]
    sizes = [item for item in kept if isinstance(item, Size)]  # pyright: ignore[reportUnnecessaryIsInstance]
    if len(kept) == 1 or not sizes:
        return kept[0]
    facts = sizes[0].facts
    return _whole({(Most(tuple(Size(_whole_terms(item), facts) for item in kept)),): 1}, facts)


def rebuilt(size: int, values: Mapping[str, int]) -> int:
    """The size where the symbols that have values are replaced: by numbers, or by sizes of other facts."""
    if not isinstance(size, Size):  # pyright: ignore[reportUnnecessaryIsInstance]
        return size
    total = 0
    for monomial, factor in size.terms.items():
        total += factor * prod(_value(atom, size.facts, values) for atom in monomial)
    return total


def stand_in(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape at the smallest values that its symbols may have."""
    return tuple(rebuilt(item, item.facts.smallest()) if isinstance(item, Size) else item for item in shape)  # pyright: ignore[reportUnnecessaryIsInstance]


def _value(atom: Atom, facts: Facts, values: Mapping[str, int]) -> int:
    match atom:
        case Symbol(name):
            known = facts.known[name]
            if name not in values:
                return _whole({(atom,): 1}, facts)
            return (values[name] - known.residue) // known.modulus
        case Floor(value, divisor):
            return rebuilt(cast("int", value), values) // divisor
        case Most(items):
            return largest(*(rebuilt(cast("int", item), values) for item in items))


def decided(found: bool | None, left: object, operator: str, right: object) -> bool:
    """The decision; Undecidable, with the fact that would decide, where there is none."""
    if found is not None:
        return found
    raise Undecidable(f"cannot decide `{left} {operator} {right}`", lambda: fact_for(left, operator, right))


def fact_for(left: object, operator: str, right: object) -> str:
    """The help that names the missing fact."""
    from netspec.graph.missing import missing  # only when something is wrong

    return missing(left, operator, right)


def _compared(size: Size, operator: str, other: object) -> bool:
    """`size operator other`, of the orderings."""
    if isinstance(other, Fraction):
        return _compared(cast("Size", size * other.denominator), operator, other.numerator)
    if not is_whole(other):
        return NotImplemented
    difference = size - other if operator in (">", ">=") else other - size
    difference -= 1 if operator in ("<", ">") else 0
    found = difference.is_positive() if isinstance(difference, Size) else difference >= 0  # pyright: ignore[reportUnnecessaryIsInstance]
    return decided(found, size, operator, other)


def _surely(difference: int) -> bool:
    return difference.is_positive() is True if isinstance(difference, Size) else difference >= 0  # pyright: ignore[reportUnnecessaryIsInstance]


# ── polynomials ──────────────────────────────────────────────────────────────────────────────────


def _terms(value: object) -> Terms:
    return dict(value.terms) if isinstance(value, Size) else {(): cast("int", value)} if value else {}


def _whole_terms(value: int) -> dict[Monomial, int]:
    return cast("dict[Monomial, int]", _terms(value))


def _whole(terms: Terms, facts: Facts) -> int:
    """An int where nothing is unknown."""
    kept = {monomial: int(factor) for monomial, factor in terms.items() if factor}
    return cast("int", Size(kept, facts)) if any(kept) else kept.get((), 0)


def _floor(size: Size, divisor: int) -> int:
    """floor(size / divisor): whole parts are taken out, floors of floors become one."""
    quotient = {monomial: factor // divisor for monomial, factor in size.terms.items()}
    rest = {monomial: factor % divisor for monomial, factor in size.terms.items() if factor % divisor}
    common = gcd(divisor, *(factor for monomial, factor in rest.items() if monomial))
    rest = {monomial: factor // common for monomial, factor in rest.items() if factor // common}
    divisor //= common
    whole = _whole(dict(quotient), size.facts)
    match [monomial for monomial in rest if monomial]:
        case []:
            return whole  # what is left of a constant is less than the divisor
        case [(Floor(value, inner),) as single] if rest[single] == 1:
            return whole + (value + inner * rest.get((), 0)) // (inner * divisor)
        case _:
            return whole + _whole({(Floor(Size(rest, size.facts), divisor),): 1}, size.facts)


def _ratio(size: Size, divisor: Size) -> int:
    """floor(size / divisor) where that is one number."""
    for monomial, factor in divisor.terms.items():
        if monomial and (times := size.terms.get(monomial, 0) // factor):
            rest = cast("int", size) - times * cast("int", divisor)
            if _surely(rest) and _surely(divisor - rest - 1):
                return times
    return size.unknown()
