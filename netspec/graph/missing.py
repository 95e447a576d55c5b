"""The fact that a comparison lacks: found by trying facts of the kinds that nets need, until one decides it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import gcd, lcm
from typing import cast

from netspec.graph.polynomials import Floor, Symbol
from netspec.graph.sizes import Facts, Known, Size, rebuilt

FARTHEST = 1 << 24
"""The largest bound that is tried."""
MODULI, REMAINDERS = 4096, 16
"""The largest modulus that is tried, and how many of its remainders."""


def missing(left: object, operator: str, right: object) -> str:
    """What to add to `where`, for a comparison that the facts do not decide."""
    size = _difference(cast("int", left), operator, cast("int", right))
    symbols = size.symbols()
    fact = next((text for text, known, wanted in _trials(size, operator) if _decides(size, known, operator, wanted)), None)
    if fact is None and len(symbols) > 1:
        fact = f"{left} {'==' if operator == '==' else '>='} {right}"
    names = " and ".join(f"`{name}`" for name in symbols)
    return f"add `where {fact}`" if fact else f"add a fact about {names} to `where`, or bind it with `--set`"


def _difference(left: int, operator: str, right: int) -> Size:
    """What is compared with zero."""
    found = {"==": left - right, ">=": left - right, ">": left - right - 1, "<": right - left - 1, "<=": right - left}[operator]
    return cast("Size", found)


def _trials(size: Size, operator: str) -> Iterator[tuple[str, dict[str, Known], bool]]:
    """Facts in words, what would be known with them, and whether they must make the comparison true."""
    if operator == "==":
        yield from _moduli(size)
    for name in size.symbols():
        if (bound := _bound(size, name, operator)) is not None:
            yield f"{name} >= {bound}", {name: replace(size.facts.known[name], low=bound)}, False


def _moduli(size: Size) -> Iterator[tuple[str, dict[str, Known], bool]]:
    """Remainders that make what is rounded whole, of one symbol or of all."""
    wanted = {name: modulus for name, modulus in _wanted(size, size.facts).items() if modulus <= MODULI}
    for names in [*([name] for name in wanted), *([list(wanted)] if len(wanted) > 1 else [])]:
        known = [size.facts.known[name] for name in names]
        choices = [range(item.residue, wanted[name], item.modulus)[:REMAINDERS] for name, item in zip(names, known, strict=True)]
        for residues in product(*choices) if len(names) == 1 else [tuple(choice[0] for choice in choices)]:
            trial = {
                name: replace(item, modulus=wanted[name], residue=residue)
                for name, item, residue in zip(names, known, residues, strict=True)
            }
            text = " and ".join(f"{name} % {item.modulus} == {item.residue}" for name, item in trial.items())
            yield text, trial, True


def _wanted(size: Size, facts: Facts) -> dict[str, int]:
    """By name, the modulus with which the floors have nothing to round."""
    found: dict[str, int] = {}
    for monomial in size.terms:
        for atom in monomial:
            if isinstance(atom, Floor):
                for inner, factor in atom.value.terms.items():
                    for name in [item.name for item in inner if isinstance(item, Symbol)]:
                        modulus = facts.known[name].modulus * (atom.divisor // gcd(factor, atom.divisor))
                        found[name] = lcm(found.get(name, 1), modulus)
    return found


def _bound(size: Size, name: str, operator: str) -> int | None:
    """The least lower bound of a symbol that decides the comparison, None where none does."""
    known = size.facts.known[name]

    def decides(low: int) -> bool:
        return _decides(size, {name: replace(known, low=low)}, operator, wanted=False)

    high = max(known.low, 1)
    while not decides(high):
        high *= 2
        if high > FARTHEST or (known.high is not None and high > known.high):
            return None
    low = known.low
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle + 1, high)
    return high + (known.residue - high) % known.modulus  # the first value that is allowed


def _decides(size: Size, trial: dict[str, Known], operator: str, wanted: bool) -> bool:
    """Whether the comparison has an answer with these facts; if it is wanted, the answer yes."""
    facts = Facts(size.facts.known | trial)
    found = rebuilt(cast("int", size), {name: facts.size(name) for name in facts.known})
    if isinstance(found, Size):  # pyright: ignore[reportUnnecessaryIsInstance]
        answer = found.is_zero() if operator == "==" else found.is_positive()
    else:
        answer = found == 0 if operator == "==" else found >= 0
    return answer is True or (answer is False and not wanted)
