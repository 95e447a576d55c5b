"""The parser's tables: built from the grammar by Lark, shipped as JSON so that a start does not build them again.

`python -m netspec.syntax.tables` writes `tables.json` beside the grammar; JSON, because loading a pickle runs code.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import lark
from lark import Lark, Token, Tree, UnexpectedToken
from lark.grammar import Rule
from lark.lexer import TerminalDef

__all__ = ["Machine", "Token", "build", "current", "folder", "is_tree", "lex", "load", "serialise"]

_KEPT_OPTIONS: Final = frozenset({"parser", "lexer", "start", "priority", "ambiguity", "propagate_positions", "maybe_placeholders"})

_SHIFT: Final = 0  # Lark's mark of an action that names a state; the other names a rule


class _KeepTerminals:
    """Makes Lark keep the terminals that no rule names: the parser must see them to explain them."""

    always_accept = ("STRAY", "OPEN_STRING")

    def process(self, stream: Any) -> Any:
        return stream


class Machine:
    """The LALR automaton, fed token by token; a token that it refuses leaves it as it was."""

    def __init__(self) -> None:
        self._parser: Any = _untyped(load()).parse_interactive()

    def feed(self, token: Token) -> bool:
        """Take the token; False when it is not allowed here."""
        before = self.snapshot()
        try:
            self.result = self._parser.feed_token(token)
        except UnexpectedToken:
            self.restore(before)
            return False
        return True

    result: Any = None
    """After the end token: the tree of the text."""

    def snapshot(self) -> Any:
        """The automaton's state, to `restore`; trees built after it may be shared, so a restored parse is for errors only."""
        state = self._parser.parser_state
        return type(state)(state.parse_conf, state.lexer, list(state.state_stack), list(state.value_stack))

    def restore(self, snapshot: Any) -> None:
        """Go back to where `snapshot` was taken."""
        self._parser.parser_state = snapshot
        self._parser.parser_state = self.snapshot()

    def accepts(self) -> frozenset[str]:
        """The types of token that may come next."""
        return frozenset(self._parser.accepts())

    def takes(self, *types: str) -> bool:
        """Whether tokens of these types may come next, one after the other; the state stays."""
        before = self.snapshot()
        taken = all(self.feed(Token(kind, "", 0, 1, 1, 1, 1, 0)) for kind in types)
        self.restore(before)
        return taken


def lex(text: str) -> list[Token]:
    """The tokens of a text, whatever it holds: STRAY and OPEN_STRING are what the language does not have."""
    return list(_untyped(load()).lex(text))


def is_tree(item: object) -> bool:
    """Whether this is a rule's tree rather than a token or an absent part."""
    return isinstance(item, Tree)


def folder() -> Path:
    """Where the grammar lies: the installed package `netspec.grammar`, or `grammar/` of a source tree that is not installed."""
    try:
        found = import_module("netspec.grammar").__file__
    except ModuleNotFoundError:
        found = None
    return Path(found).parent if found else Path(__file__).parents[2] / "grammar"


def build(grammar: str) -> Lark:
    """Lark's parser for the text of a grammar, tables computed; raises GrammarError on a reduce conflict."""
    return Lark(grammar, parser="lalr", lexer="basic", propagate_positions=True, maybe_placeholders=True, postlex=_KeepTerminals())


def serialise(parser: Lark, grammar: str) -> str:
    """The parser as JSON: Lark's own data, states numbered in the order in which they are reached."""
    data, memo = _untyped(parser).memo_serialize([TerminalDef, Rule])
    data["options"] = {name: value for name, value in data["options"].items() if name in _KEPT_OPTIONS}
    data["parser"]["parser"] = _canonical(data["parser"]["parser"])
    stamp = {"lark": _series(), "grammar": hashlib.sha256(grammar.encode()).hexdigest()}
    return json.dumps({**stamp, "data": data, "memo": memo}, default=list, separators=(",", ":"))


def current(tables: dict[str, Any], grammar: str) -> bool:
    """Whether the tables are those of this grammar, in the form of the Lark that is installed."""
    return tables.get("lark") == _series() and tables.get("grammar") == hashlib.sha256(grammar.encode()).hexdigest()


def _canonical(table: dict[str, Any]) -> dict[str, Any]:
    """The parse table with states in the order in which they are reached: Lark's own order changes from run to run."""
    names: dict[int, str] = table["tokens"]
    states = {old: sorted((names[key], action) for key, action in actions.items()) for old, actions in table["states"].items()}
    tokens = {name: number for number, name in enumerate(sorted(names.values()))}
    order = dict.fromkeys(table["start_states"].values())
    queue = list(order)
    for old in queue:  # grows while it is walked
        for _, (kind, target) in states[old]:
            if kind == _SHIFT and target not in order:
                order[target] = None
                queue.append(target)
    number = {old: new for new, old in enumerate(order)}
    return {
        "tokens": {index: name for name, index in tokens.items()},
        "states": {
            number[old]: {tokens[name]: (kind, number[target] if kind == _SHIFT else target) for name, (kind, target) in states[old]}
            for old in order
        },
        "start_states": {start: number[old] for start, old in table["start_states"].items()},
        "end_states": {start: number[old] for start, old in table["end_states"].items()},
    }


@cache
def load() -> Lark:
    """The parser, from the shipped tables; from the grammar (0.2 s) when Lark's form has changed since they were written."""
    grammar = (folder() / "netspec.lark").read_text(encoding="utf-8")
    path = folder() / "tables.json"
    tables: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    if not current(tables, grammar):
        return build(grammar)
    # JSON has made the numbers of states, tokens and memo entries into strings
    table = tables["data"]["parser"]["parser"]
    table["tokens"] = _numbered(table["tokens"])
    table["states"] = {int(state): _numbered(actions) for state, actions in table["states"].items()}
    return _untyped(Lark).load({"data": tables["data"], "memo": _numbered(tables["memo"])})


def _numbered(mapping: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in mapping.items()}


def _untyped(item: Any) -> Any:
    """Lark's annotations leave element types out, which strict checking refuses; the values are checked by use."""
    return item


def _series() -> str:
    return ".".join(lark.__version__.split(".")[:2])


def main() -> None:
    """Write the tables of the grammar."""
    grammar = (folder() / "netspec.lark").read_text(encoding="utf-8")
    (folder() / "tables.json").write_text(serialise(build(grammar), grammar) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
