"""The parser's tables, computed from the grammar by Lark. `python -m netspec.syntax.tables` writes `tables.json` beside the grammar."""

from __future__ import annotations

import json
from typing import Any

import lark
from lark import Lark
from lark.grammar import Rule
from lark.parsers.lalr_analysis import Shift

from netspec.syntax.automaton import folder


class _KeepTerminals:
    """Makes Lark keep the terminals that no rule names: the parser must see them to explain them."""

    always_accept = ("STRAY", "OPEN_STRING")

    def process(self, stream: Any) -> Any:
        return stream


def build(grammar: str) -> dict[str, Any]:
    """The tables of a grammar's text, as netspec.syntax.automaton reads them; raises GrammarError on a reduce conflict."""
    parser: Any = Lark(grammar, parser="lalr", lexer="basic", maybe_placeholders=True, postlex=_KeepTerminals())
    lexer = parser.parser.lexer.lexer
    scanner = lexer.scanner
    return {
        "grammar": grammar,
        "lark": series(),
        "lexer": "|".join(f"(?P<{item.name}>{item.pattern.to_regexp()})" for item in scanner.terminals),
        "ignored": sorted(lexer.ignore_types),
        "keywords": {
            kind: {item.pattern.value: item.name for item in callback.scanner.terminals} for kind, callback in lexer.callback.items()
        },
        "rules": [_rule(rule) for rule in parser.rules],
        **_states(parser.parser.parser.parser.parse_table, {rule: number for number, rule in enumerate(parser.rules)}),
    }


def series() -> str:
    """The series of Lark that is installed: another one may number rules otherwise."""
    return ".".join(lark.__version__.split(".")[:2])


def _rule(rule: Rule) -> tuple[str, int, list[int | None], str | None, bool]:
    """The fields of an automaton's Rule, by Lark's conventions: `_rule` is gathered, `?rule` single, anonymous tokens are left out."""
    absent = list(rule.options.empty_indices) or [False] * len(rule.expansion)
    take: list[int | None] = []
    symbol = 0
    for missing in absent:
        if missing:
            take.append(None)
            continue
        item, k, symbol = rule.expansion[symbol], symbol, symbol + 1
        if not (item.is_term and getattr(item, "filter_out", False)):
            take.append(~k if not item.is_term and item.name.startswith("_") else k)
    name = str(rule.origin.name)
    single = rule.options.expand1 and not rule.alias
    return name, len(rule.expansion), take, rule.alias or (None if name.startswith("_") else name), single


def _states(table: Any, rules: dict[Rule, int]) -> dict[str, Any]:
    """The states in the order in which they are reached: Lark's own order changes from run to run."""
    states = {old: sorted(actions.items()) for old, actions in table.states.items()}
    start, end = table.start_states["start"], table.end_states["start"]
    order = {start: 0}
    queue = [start]
    for old in queue:  # grows while it is walked
        for _, (action, target) in states[old]:
            if action is Shift and target not in order:
                order[target] = len(order)
                queue.append(target)
    numbered = [
        {str(name): order[target] if action is Shift else ~rules[target] for name, (action, target) in states[old]} for old in queue
    ]
    return {"states": numbered, "start": order[start], "end": order[end]}


def main() -> None:
    """Write the tables of the grammar."""
    grammar = (folder() / "netspec.lark").read_text(encoding="utf-8")
    (folder() / "tables.json").write_text(json.dumps(build(grammar), separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
