"""Sizes as the language writes them: `H/2`, `(T - 13)//4`, `64*H*W + 10`."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import lcm

from netspec.graph.polynomials import Atom, Floor, Most, Symbol
from netspec.graph.sizes import Facts, Size

Words = dict[tuple[str, ...], Fraction]
"""Coefficients by products of what is written."""


def text(size: Size, spec: str = "") -> str:
    """The size over the symbols themselves; `spec` is how numbers are written (`,` for thousands)."""
    match [(monomial, factor) for monomial, factor in size.terms.items() if monomial]:
        case [((Floor(value, divisor),), 1)]:  # (T - 3)//2 rather than (T + 1)//2 - 2
            return _floor(_words(Size(value.terms | {(): value.terms.get((), 0) + size.terms.get((), 0) * divisor}, size.facts)), divisor)
        case _:
            return _polynomial(_words(size), spec)


def _polynomial(words: Words, spec: str = "") -> str:
    common = lcm(*(factor.denominator for factor in words.values()))
    if words.get((), Fraction()).denominator > 1:  # (3*H - 1)/2: every part is halved
        return f"({_joined({names: factor * common for names, factor in words.items()}, spec)})/{common}"
    return _joined(words, spec)


def _floor(words: Words, divisor: int) -> str:
    """Of floor((H/16) / 2) one fraction: `H//32`."""
    common = lcm(*(factor.denominator for factor in words.values()))
    inner = _polynomial({names: factor * common for names, factor in words.items() if factor})
    return f"{inner if inner.isidentifier() else f'({inner})'}//{divisor * common}"


def _joined(words: Words, spec: str) -> str:
    found = ""
    for names, factor in sorted(words.items(), key=lambda item: (-len(item[0]), any(name.startswith("(") for name in item[0]), item[0])):
        sign = "-" if factor < 0 else "+"
        term = _term(names, abs(factor), spec)
        found += f" {sign} {term}" if found else term if factor > 0 else f"-{term}"
    return found


def _term(names: tuple[str, ...], factor: Fraction, spec: str) -> str:
    powers = [name if count == 1 else f"{name}**{count}" for name, count in Counter(names).items()]
    number = [format(factor.numerator, spec)] if factor.numerator != 1 or not powers else []
    below = f"/{format(factor.denominator, spec)}" if factor.denominator > 1 else ""
    return "*".join([*number, *powers]) + below


def _words(size: Size) -> Words:
    found: Words = {}
    for monomial, factor in size.terms.items():
        part: Words = {(): Fraction(factor)}
        for atom in monomial:
            part = _product(part, _atom(atom, size.facts))
        for names, value in part.items():
            found[names] = found.get(names, Fraction()) + value
    return {names: factor for names, factor in found.items() if factor}


def _atom(atom: Atom, facts: Facts) -> Words:
    match atom:
        case Symbol(name):
            known = facts.known[name]
            return {(name,): Fraction(1, known.modulus), (): Fraction(-known.residue, known.modulus)}
        case Floor(value, divisor):
            return {(f"({_floor(_words(value), divisor)})",): Fraction(1)}
        case Most(values):
            return {(f"max({', '.join(map(text, values))})",): Fraction(1)}


def _product(a: Words, b: Words) -> Words:
    found: Words = {}
    for x, p in a.items():
        for y, q in b.items():
            names = tuple(sorted((*x, *y)))
            found[names] = found.get(names, Fraction()) + p * q
    return found
