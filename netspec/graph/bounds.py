"""Bounds of polynomials that hold for every value of their symbols."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import inf, prod
from typing import TYPE_CHECKING

from netspec.graph.polynomials import Floor, Monomial, Number, Terms, added, multiplied

if TYPE_CHECKING:
    from netspec.graph.sizes import Facts


def lower(terms: Mapping[Monomial, Number], facts: Facts) -> int | float:
    """A bound from below: floors as numbers of their own, or between what they round, the heaviest first; with what relations add."""
    best: float | Fraction = -inf
    for known in ({}, *(relation.terms for relation in facts.relations)):
        rest = added(terms, known, -1)
        best = max(best, _simple(rest, facts))
        for floor in _floors(rest):
            rest = _without(rest, floor, facts)
            best = max(best, _simple(rest, facts))
    return best if isinstance(best, float) else -(-best.numerator // best.denominator)


def _floors(terms: Terms) -> list[Floor]:
    """Those in the terms, and those in what these round."""
    found: dict[Floor, int] = {}
    pending = [atom for monomial in terms for atom in monomial]
    while pending:
        atom = pending.pop()
        if isinstance(atom, Floor) and atom not in found:
            found[atom] = atom.value.weight
            pending += [inner for monomial in atom.value.terms for inner in monomial]
    return sorted(found, key=lambda atom: -found[atom])


def _without(terms: Terms, floor: Floor, facts: Facts) -> Terms:
    """Something that is never larger: (value - divisor + 1) / divisor <= floor <= value / divisor."""
    found: Terms = {}
    for monomial, factor in terms.items():
        rest = list(monomial)
        if floor in rest:
            rest.remove(floor)
        if len(rest) == len(monomial) or any(facts.interval(atom)[0] < 0 for atom in rest):
            found = added(found, {monomial: factor})
        else:
            bound = added(floor.value.terms, {(): floor.divisor - 1} if factor > 0 else {}, -1)
            found = added(found, multiplied({tuple(rest): Fraction(factor) / floor.divisor}, bound))
    return found


def _simple(terms: Terms, facts: Facts) -> Fraction | float:
    """The constant when every atom is written as its lower bound + t with t >= 0, less what terms with a minus can come to."""
    lows = {atom: facts.interval(atom) for monomial in terms for atom in monomial}
    if any(low == -inf for low, _ in lows.values()):
        return -inf
    shifted: Terms = {}
    for monomial, factor in terms.items():
        part: Terms = {(): factor}
        for atom in monomial:
            part = multiplied(part, {(atom,): 1, (): int(lows[atom][0])} if lows[atom][0] else {(atom,): 1})
        shifted = added(shifted, part)
    total = Fraction(shifted.pop((), 0))
    for monomial, factor in shifted.items():
        if factor < 0:
            reach = [lows[atom][1] - lows[atom][0] for atom in monomial]
            if inf in reach:
                return -inf
            total += factor * prod(int(item) for item in reach)
    return total
