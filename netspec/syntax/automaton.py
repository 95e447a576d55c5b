"""Tokens, and the LALR automaton that takes them one by one, from tables that are data.

The tables are shipped as JSON beside the grammar (netspec.syntax.tables builds them, by Lark), so that a start builds nothing and loads no
parser library; JSON, because loading a pickle runs code.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from netspec.records import record

END: Final = "$END"


class Token(NamedTuple):
    """The characters [start, end) of a text, all on one line unless they end it; `line` and `column`, from 1, are those of the first."""

    type: str
    text: str
    start: int
    end: int
    line: int
    column: int

    def __str__(self) -> str:
        return self.text


@record
class Rule:
    """A rule of the grammar: so many symbols become one, of the name `origin`.

    Its children are some of the symbols' values: in `take`, number k is that of symbol k, ~k all of those that symbol k has gathered, None
    an optional part that is absent. `node` is what they make; without it they are gathered for the rule around. With `single`, an only
    child is taken as it is.
    """

    origin: str
    size: int
    take: tuple[int | None, ...]
    node: str | None
    single: bool

    @property
    def passes(self) -> bool:
        """Whether it only gives a value another name, as most rules of expressions do."""
        return self.size == 1 and self.single and self.take == (0,)

    def children(self, values: list[Any]) -> list[Any]:
        """The children among the values of the symbols. A list that was gathered grows in place: a long body takes linear time."""
        found: list[Any] = []
        for k in self.take:
            if k is None or k >= 0:
                found.append(None if k is None else values[k])
            elif found:
                found += values[~k]
            else:
                found = values[~k]
        return found


@record
class Tables:
    """A lexer and an automaton.

    `keywords`: of a kind of token, the texts that are of a kind of their own. A state maps kinds of tokens to the state after one (>= 0)
    or to the rule that is complete before it (~rule), and origins of rules to the state after them. `passes`: the rules that pass.
    """

    lexer: re.Pattern[str]
    ignored: frozenset[str]
    keywords: dict[str, dict[str, str]]
    rules: tuple[Rule, ...]
    passes: frozenset[int]
    states: list[dict[str, int]]
    start: int
    end: int


def folder() -> Path:
    """Where the grammar lies: the installed package `netspec.grammar`, or `grammar/` of a source tree that is not installed."""
    try:
        found = import_module("netspec.grammar").__file__
    except ModuleNotFoundError:
        found = None
    return Path(found).parent if found else Path(__file__).parents[2] / "grammar"


@cache
def load() -> Tables:
    """The tables: the shipped ones, if they are those of the grammar that lies beside them; else they are built (0.3 s)."""
    grammar = (folder() / "netspec.lark").read_text(encoding="utf-8")
    path = folder() / "tables.json"
    data: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    if data.get("grammar") != grammar:
        from netspec.syntax.tables import build

        data = build(grammar)
    rules = tuple(Rule(origin, size, tuple(take), node, single) for origin, size, take, node, single in data["rules"])
    return Tables(
        re.compile(data["lexer"]),
        frozenset(data["ignored"]),
        data["keywords"],
        rules,
        frozenset(number for number, rule in enumerate(rules) if rule.passes),
        data["states"],
        data["start"],
        data["end"],
    )


def lex(text: str) -> list[Token]:
    """The tokens of a text, whatever it holds: STRAY and OPEN_STRING are what the language does not have."""
    tables = load()
    ignored, keywords = tables.ignored, tables.keywords
    tokens: list[Token] = []
    line, line_start = 1, 0
    for match in tables.lexer.finditer(text):
        kind = match.lastgroup or ""
        start, end = match.span()
        if kind not in ignored:
            word = match[0]
            if kind in keywords:
                kind = keywords[kind].get(word, kind)
            tokens.append(Token(kind, word, start, end, line, start - line_start + 1))
        if text[end - 1] == "\n":  # only what ends a line holds newlines
            line += text.count("\n", start, end)
            line_start = end
    return tokens


@cache
def _renamed(below: int, state: int, kind: str) -> int:
    """The state after all the rules that only rename the value on top, before a token of this kind: a number has a dozen names."""
    tables = load()
    while (action := tables.states[state].get(kind, 0)) < 0 and ~action in tables.passes:
        state = tables.states[below][tables.rules[~action].origin]
    return state


class Builder(Protocol):
    """Makes a tree of tokens and nodes."""

    def leaf(self, token: Token) -> object:
        """What stands for a token."""
        ...

    def node(self, name: str, children: list[Any], first: Token | None, last: Token | None) -> object:
        """What stands for the children of a rule, which reaches from one token to another; None where it has no tokens."""
        ...


class Machine:
    """The automaton, fed token by token; a token that it refuses leaves it as it was.

    It builds the tree until the first token is refused: what follows is read for its errors alone.
    """

    def __init__(self, builder: Builder) -> None:
        self._tables = load()
        self._builder: Builder | None = builder
        self._states = [self._tables.start]
        self._values: list[Any] = []
        self._firsts: list[Token | None] = []  # of each value: the token that it begins with
        self._last: Token | None = None

    @property
    def result(self) -> Any:
        """After the end token: what the builder made of the text."""
        return self._values[0]

    def feed(self, token: Token) -> bool:
        """Take the token; False when it is not allowed here."""
        states = self._states.copy()
        complete = self._advance(states, token.type)
        if complete is None:
            self._builder = None
            return False
        self._states = states
        if (builder := self._builder) is not None:
            for rule in complete:
                self._reduce(rule, builder)
            self._values.append(builder.leaf(token))
            self._firsts.append(token)
            self._last = token
        return True

    def _advance(self, states: list[int], kind: str) -> list[Rule] | None:
        """Move to the state after a token of this kind; the rules that are complete before it, None when it is not allowed."""
        table, rules, passes = self._tables.states, self._tables.rules, self._tables.passes
        complete: list[Rule] = []
        while (action := table[states[-1]].get(kind)) is not None:
            if action >= 0:
                states.append(action)
                return complete
            if ~action in passes:
                states[-1] = _renamed(states[-2], states[-1], kind)
                continue
            rule = rules[~action]
            complete.append(rule)
            if rule.size:
                del states[-rule.size :]
            states.append(table[states[-1]][rule.origin])
            if states[-1] == self._tables.end:
                return complete
        return None

    def _reduce(self, rule: Rule, builder: Builder) -> None:
        """Put the value of a rule in the place of those of its symbols."""
        values, firsts = self._values, self._firsts
        place = len(values) - rule.size
        first = firsts[place] if rule.size else None
        found: Any = rule.children(values[place:])
        if rule.single and len(found) == 1:
            found = found[0]
        elif rule.node is not None:
            found = builder.node(rule.node, found, first, self._last)
        if rule.size == 1:  # it begins with the same token
            values[place] = found
        else:
            values[place:], firsts[place:] = [found], [first]

    def snapshot(self) -> list[int]:
        """The automaton's state, to `restore`."""
        return self._states.copy()

    def restore(self, snapshot: list[int]) -> None:
        """Go back to where `snapshot` was taken; after an error only."""
        self._states = snapshot.copy()

    def accepts(self) -> frozenset[str]:
        """The types of token that may come next."""
        return frozenset(kind for kind in self._tables.states[self._states[-1]] if kind.isupper() and self.takes(kind))

    def takes(self, *types: str) -> bool:
        """Whether tokens of these types may come next, one after the other; the state stays."""
        states = self._states.copy()
        return all(self._advance(states, kind) is not None for kind in types)
