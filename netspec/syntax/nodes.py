"""From the parser's rules to the syntax tree: how the children of a rule of the grammar become a node.

A child is a node, a `Name`, another token, or None for an optional part that is absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from netspec.diagnostics import Span
from netspec.syntax import tree as t
from netspec.syntax.automaton import Token
from netspec.syntax.tokens import span_of

Children = list[Any]

_NAMES: Final = frozenset({"NAME", "KEY", "OPERATOR_KEY", "IN", "OUTPUT"})
_NUMBER: Final = re.compile(r"([0-9_.]+(?:[eE][+-]?[0-9]+)?)([%kMG]?)[ \t]*(\w*)")
_SCALES: Final = {"": Fraction(1), "%": Fraction(1, 100), "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9)}
_UNITS: Final = {"epoch": "epochs", "step": "steps"}

_PLAIN: Final[dict[str, Callable[..., object]]] = {
    "param": t.Param,
    "let": t.Let,
    "op": t.Op,
    "alias": t.Alias,
    "formal": t.Formal,
    "train": t.Train,
    "group": t.Group,
    "input": t.Input,
    "head": t.Head,
    "statement": t.Statement,
    "call": t.Call,
    "repeat": t.Repeat,
    "keyword": t.Argument,
    "conditional": t.Conditional,
    "attribute": t.Attribute,
    "index": t.Index,
    "application": t.Reference,
}
"""Rules whose children are the fields of a node, in order."""


class TreeBuilder:
    """Makes the syntax tree of a file, a node as soon as its rule is complete: children before parents, without recursion."""

    def __init__(self, file: str) -> None:
        self._file = file

    def leaf(self, token: Token) -> t.Name | Token:
        """A name, or the token itself where its kind says what it is."""
        return t.Name(token.text, span_of(token, self._file)) if token.type in _NAMES else token

    def node(self, name: str, children: Children, first: Token | None, last: Token | None) -> object:
        """The node, or the tuple of nodes, that a rule with these children stands for."""
        if first is None or last is None:  # a file or a group of settings without any; it has no place of its own
            span = Span(self._file, 0, 0, 1, 1)
        else:
            span = Span(self._file, first.start, last.end, first.line, first.column)
        if (kind := _PLAIN.get(name)) is not None:
            return kind(*children, span)
        return _COMPUTED[name](children, span)


def _present(children: Children) -> tuple[Any, ...]:
    return tuple(child for child in children if child is not None)


def _use(children: Children, span: Span) -> t.Use:
    source, *imports = children
    is_path = isinstance(source, t.String)
    return t.Use(() if is_path else source, source if is_path else None, tuple(imports), span)


def _definition(kind: type[t.Block] | type[t.Net]) -> Callable[[Children, Span], t.Block | t.Net]:
    def build(children: Children, span: Span) -> t.Block | t.Net:
        name, formals, body = children
        return kind(name, formals or (), body, span)

    return build


def _for(children: Children, span: Span) -> t.For:
    *names, values, body = children
    return t.For(tuple(names), values, body, span)


def _if(children: Children, span: Span) -> t.If:
    condition, then, otherwise = children
    if isinstance(otherwise, t.If):
        at = otherwise.span
        otherwise = t.Body((t.Statement(None, t.Chain(None, (otherwise,), at), None, at),), at)
    return t.If(condition, then, otherwise, span)


def _branch(children: Children, _: Span) -> t.Branch:
    guard, *items = children
    return t.Branch(guard, tuple(items), items[0].span.to(items[-1].span))


def _number(children: Children, span: Span) -> t.Number:
    text: str = children[0].text
    if text.isdecimal():
        return t.Number(int(text), None, text, span)
    match = _NUMBER.fullmatch(text)
    assert match, text  # the grammar's NUMBER is the same pattern
    digits, suffix, unit = match.groups()
    value = Fraction(digits.replace("_", "")) * _SCALES[suffix]
    whole = int(value) if value.denominator == 1 else value
    return t.Number(whole, _UNITS.get(unit, unit) or None, text, span)


_COMPUTED: Final[dict[str, Callable[[Children, Span], object]]] = {
    "start": lambda children, _: _present(children),
    "use": _use,
    "dotted": lambda children, _: tuple(children),
    "import": lambda children, _: t.Import(*children),
    "block": _definition(t.Block),
    "net": _definition(t.Net),
    "params": lambda children, _: _present(children),
    "settings": lambda children, _: tuple(children),
    "setting": lambda children, span: t.Setting(children[0], tuple(children[1:]), span),
    "expect": lambda children, span: t.Expect(children[0], tuple(children[1:]), span),
    "body": lambda children, span: t.Body(tuple(children), span),
    "output": lambda children, span: t.OutputNames(tuple(children), span),
    "chain": lambda children, span: t.Chain(None, tuple(children), span),
    "chain_from": lambda children, span: t.Chain(children[0], tuple(children[1:]), span),
    "for": _for,
    "if": _if,
    "merge": lambda children, _: tuple(children),
    "branch": _branch,
    "guard": lambda children, _: children[0],
    "shape": lambda children, span: t.Shape(_present(children), span),
    "args": lambda children, _: _present(children),
    "argument": lambda children, span: t.Argument(None, children[0], span),
    "binary": lambda children, span: t.Binary(children[1].text, children[0], children[2], span),
    "unary": lambda children, span: t.Unary(children[0].text, children[1], span),
    "reference": lambda children, span: t.Reference(children[0], None, span),
    "in": lambda children, span: t.Reference(children[0], None, span),
    "tuple": lambda children, span: t.Tuple(_present(children), span),
    "list": lambda children, span: t.List(_present(children), span),
    "dims": lambda children, span: t.Dims(tuple(int(side) for side in children[0].text.split("x")), span),
    "string": lambda children, span: t.String(children[0].text[1:-1], span),
    "number": _number,
}
"""Rules that collect, or compute; the rest is a tuple that its parent takes."""
