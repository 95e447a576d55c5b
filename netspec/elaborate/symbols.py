"""Symbolic dimensions: the names in the shapes of a net's inputs that nothing defines, and what `where` says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import gcd
from typing import Final, cast

from netspec.elaborate.elements import references
from netspec.elaborate.evaluate import evaluate, evaluate_truth
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import POISON
from netspec.graph.polynomials import Symbol
from netspec.graph.sizes import Facts, Known, Size, is_whole, rebuilt, stand_in
from netspec.syntax import tree

_FORMS: Final = "facts are `H >= 64`, `H % 16 == 0`, `H == W`, joined by `and`"


def names_of(body: tree.Body, scope: Scope) -> list[str]:
    """The symbolic dimensions of a net: names alone in the shape of an input, which nothing else defines."""
    inputs = [item for item in body.items if isinstance(item, tree.Input)]
    local = {item.name.text for item in body.items if isinstance(item, tree.Let)}
    dims = [dim.name.text for item in inputs for dim in item.shape.dims if isinstance(dim, tree.Reference) and dim.arguments is None]
    return [name for name in dict.fromkeys(dims) if name not in local and scope.find(name) is None]


def declare(body: tree.Body, scope: Scope) -> dict[str, int]:
    """Define the symbolic dimensions of a net in its scope, bound to numbers where settings say so; those that are not bound."""
    names = names_of(body, scope)
    settings = scope.context.settings
    bound = {name: value for name in names if is_whole(value := settings.get(name))}
    facts = _Learned(scope, [name for name in names if name not in bound], bound)
    before = scope.context.problems.errors
    conditions = [item.where for item in body.items if isinstance(item, tree.Input) and item.where is not None]
    parts = [part for condition in conditions for part in _parts(condition)]
    for part in parts:
        facts.unite(part)
    for part in parts:
        facts.learn(part)
    if scope.context.problems.errors > before:
        scope.values.update(dict.fromkeys(names, POISON))
        return {}
    sizes = facts.sizes()
    scope.values.update(bound | sizes)
    return {name: size for name, size in sizes.items() if isinstance(size, Size)}  # pyright: ignore[reportUnnecessaryIsInstance]


def smallest(sizes: Mapping[str, int]) -> dict[str, int]:
    """The smallest values that the dimensions may have."""
    return dict(zip(sizes, stand_in(tuple(sizes.values())), strict=True))


def _parts(condition: tree.Expr) -> Iterator[tree.Expr]:
    """Of `a and b` both."""
    if isinstance(condition, tree.Binary) and condition.operator == "and":
        yield from _parts(condition.left)
        yield from _parts(condition.right)
    else:
        yield condition


class _Learned:
    """What facts say of symbols, one after the other. Nothing is known of the sizes that they are evaluated with."""

    def __init__(self, scope: Scope, names: list[str], bound: Mapping[str, int]) -> None:
        self.same = {name: name for name in names}
        """Names that are equal stand for one symbol."""
        self.known = {name: Known() for name in names}
        self.relations: list[Size] = []
        self.scope = scope.inner()
        self.plain = Facts(self.known)
        self.scope.values.update({**bound, **{name: self.plain.size(name) for name in names}})

    def unite(self, part: tree.Expr) -> None:
        """`H == W`."""
        match part:
            case tree.Binary("==", tree.Reference(tree.Name(a), None), tree.Reference(tree.Name(b), None)) if {a, b} <= set(self.same):
                first, second = sorted((self.same[a], self.same[b]), key=list(self.known).index)
                self.same = {name: first if symbol == second else symbol for name, symbol in self.same.items()}
                self.scope.values.update({name: self.plain.size(symbol) for name, symbol in self.same.items()})
            case _:
                pass

    def learn(self, part: tree.Expr) -> None:
        """Add a fact; one that does not hold, or that has another form, is reported."""
        match part:
            case tree.Binary("==", tree.Binary("%", value, divisor), residue):
                a, d, r = (self._side(side) for side in (value, divisor, residue))
                if isinstance(a, Size) and isinstance(d, int) and isinstance(r, int) and d > 0:
                    self._remainder(a, d, r, part)
                    return
            case tree.Binary("==" | "<" | "<=" | ">" | ">=" as operator, left, right):
                a, b = self._side(left), self._side(right)
                if a is not None and b is not None and isinstance(a - b, Size):
                    self._compared(cast("Size", a - b), operator, part)
                    return
            case _ if set(references(part)) & set(self.same):
                self._refuse(part, f"`{self.scope.text(part.span)}` is no fact that is understood")
                return
            case _:
                pass
        if evaluate_truth(part, self.scope, "a fact") is False:
            self._refuse(part, f"`{self.scope.text(part.span)}` does not hold")

    def _side(self, expr: tree.Expr) -> int | None:
        value = evaluate(expr, self.scope)
        return value if is_whole(value) else None

    def _refuse(self, part: tree.Expr, message: str) -> None:
        values = [f"{name} is {value}" for name, value in self.scope.context.settings.items() if is_whole(value)]
        self.scope.report("E0213", message, part.span, label=", ".join(values), help=_FORMS if not values else None)

    def _remainder(self, value: Size, divisor: int, residue: int, part: tree.Expr) -> None:
        """a*H + b = residue (mod divisor), joined with what is known of H by the Chinese remainder theorem."""
        affine = _affine(value)
        if affine is None:
            self._refuse(part, f"`{self.scope.text(part.span)}` is no fact about one dimension")
            return
        name, factor, constant = affine
        known, common = self.known[name], gcd(factor, divisor)
        wanted = residue - constant
        divisor //= common
        first = wanted // common * pow(factor // common, -1, divisor) % divisor
        shared = gcd(divisor, known.modulus)
        if wanted % common or not 0 <= residue < divisor * common or (first - known.residue) % shared:
            self._refuse(part, f"`{self.scope.text(part.span)}` never holds")
            return
        modulus = known.modulus // shared * divisor
        step = (first - known.residue) // shared * pow(known.modulus // shared, -1, divisor // shared) % (divisor // shared)
        self.known[name] = replace(known, modulus=modulus, residue=(known.residue + known.modulus * step) % modulus)

    def _compared(self, difference: Size, operator: str, part: tree.Expr) -> None:
        """difference operator 0."""
        sides = {"<": (-1, 1), "<=": (-1, 0), ">": (1, 1), ">=": (1, 0)}
        for sign, margin in [(1, 0), (-1, 0)] if operator == "==" else [sides[operator]]:
            size = difference * sign - margin
            assert isinstance(size, Size)
            affine = _affine(size)
            if affine is None:
                self.relations.append(size)
                continue
            name, factor, constant = affine
            known = self.known[name]
            if factor > 0:
                known = replace(known, low=max(known.low, -(constant // factor)))
            else:
                high = constant // -factor
                known = replace(known, high=high if known.high is None else min(high, known.high))
            self.known[name] = known
            if known.high is not None and Facts({name: known}).smallest()[name] > known.high:
                self._refuse(part, f"`{self.scope.text(part.span)}` never holds, with the other facts about `{name}`")

    def sizes(self) -> dict[str, int]:
        """The size of each name, with all that is known."""
        facts = Facts(self.known)
        values = {name: known.low if known.low == known.high else facts.size(name) for name, known in self.known.items()}
        facts.relations += [size for item in self.relations if isinstance(size := rebuilt(cast("int", item), values), Size)]
        return {name: values[symbol] for name, symbol in self.same.items()}


def _affine(size: Size) -> tuple[str, int, int] | None:
    """(H, a, b) of a*H + b."""
    match [(monomial, factor) for monomial, factor in size.terms.items() if monomial]:
        case [((Symbol(name),), factor)]:
            return name, factor, size.terms.get((), 0)
        case _:
            return None
