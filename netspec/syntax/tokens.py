"""Tokens by type: how messages call them, where they stand, and which of them let a statement go on over a newline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from netspec.diagnostics import Span
from netspec.syntax.automaton import END, Token

SEPARATORS: Final = frozenset({"_NL", "_SEMICOLON"})
CLOSERS: Final = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
OPENERS: Final = {closer: opener for opener, closer in CLOSERS.items()}
DECLARATIONS: Final = frozenset({"USE", "PARAM", "LET", "OP", "BLOCK", "NET", "TRAIN", "EXPECT"})
KEYWORDS: Final = DECLARATIONS | {
    *("INPUT", "OUTPUT", "WHERE", "FROM", "REPEAT", "AS", "FOR", "IN", "IF", "ELSE", "WHEN", "THEN", "AND", "OR", "NOT"),
    *("KEY", "OPERATOR_KEY"),
}
OPERATORS: Final = frozenset({"PLUS", "MINUS", "POWER", "TIMES", "COMPARE", "RANGE", "AND", "OR"})
CONTINUES: Final = OPERATORS | {"ARROW", "COMMA", "LBRACE", "VBAR", "COLON", "EQUAL", "NOT"}
"""After these a newline does not end a statement."""

SPELLING: Final = {
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "LBRACE": "{",
    "RBRACE": "}",
    "VBAR": "|",
    "COMMA": ",",
    "COLON": ":",
    "EQUAL": "=",
    "DOT": ".",
    "ARROW": "->",
    "ANNOTATE": "::",
    "NAME": "skip",
    "NUMBER": "1",
    "_NL": "\n",
    "STRING": '""',
    "COMPARE": ">=",
    "MINUS": "-",
    "POWER": "**",
    "TIMES": "*",
    "ELSE": "else",
    "TRAIN": "train",
    "EXPECT": "expect",
    "NET": "net",
    "REPEAT": "repeat",
}

_VALUES: Final = frozenset(
    {"OUTPUT", "NUMBER", "DIMS", "STRING", "NAME", "IN", "IF", "NOT", "MINUS", "LPAR", "LSQB", "KEY", "OPERATOR_KEY"}
)
_STEPS: Final = frozenset({"NAME", "REPEAT", "FOR", "IF", "FROM"})
_STATEMENTS: Final = _STEPS | {"INPUT", "OUTPUT", "LET"}
_GOES_ON: Final = OPERATORS | {"LPAR", "LSQB", "DOT", "LBRACE"}
_GROUPS: Final = (
    ("NUMBER", _VALUES, "a value"),
    ("NET", DECLARATIONS, "a declaration (`net`, `block`, `train`, ..)"),
    ("INPUT", _STATEMENTS, "a statement"),
    ("REPEAT", _STEPS, "a step"),
    ("NAME", frozenset({"NAME", "KEY", "OPERATOR_KEY"}), "a name"),
)


def span_of(token: Token, file: str) -> Span:
    """Where the token stands."""
    return Span(file, token.start, token.end, token.line, token.column)


def after(token: Token | None, file: str) -> Span:
    """The empty place right behind a token."""
    if token is None:
        return Span(file, 0, 0, 1, 1)
    return Span(file, token.end, token.end, token.line, token.column + token.end - token.start)


def spelt(tokens: Sequence[Token]) -> str:
    """The tokens of one line as they stand there."""
    text, end = "", tokens[0].start if tokens else 0
    for token in tokens:
        text += " " * (token.start - end) + token.text
        end = token.end
    return text


def called(token: Token) -> str:
    """The token as a message mentions it."""
    if token.type == END:
        return "end of the file"
    if token.type == "_NL":
        return "end of the line"
    return f"`{token.text if len(token.text) <= 40 else token.text[:37] + '...'}`"


def expected(types: Iterable[str]) -> str:
    """What may come next, in the language's terms: `,` or `)`; operators are left out where something else closes."""
    left = set(types) - {END, "_SEMICOLON"}
    begins = bool(left & {"NET", "INPUT"})
    phrases: list[str] = []
    for mark, members, phrase in _GROUPS:
        if mark in left:
            phrases.append(phrase)
            left -= members
    if left & SEPARATORS and not begins:
        phrases.append("a new line")
    if "ARROW" in left:  # a label or a shape may stand here too, but is rarely what is missing
        left -= {"COLON", "ANNOTATE"}
    marks = [kind for kind in sorted(left - SEPARATORS - _GOES_ON) if kind != "RBRACE" or not phrases]
    phrases = [f"`{SPELLING.get(kind, kind.lower())}`" for kind in marks] + phrases
    if not phrases:
        phrases = [f"`{SPELLING[kind]}`" for kind in ("LPAR", "LSQB", "LBRACE") if kind in left] or ["an operator"]
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} or {phrases[-1]}"
