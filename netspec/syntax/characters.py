"""Explanations of characters that the language does not know, or not there: quotes and fractions."""

from __future__ import annotations

from typing import Final

from netspec.diagnostics import Diagnostic, Fix, Span
from netspec.syntax.automaton import Token
from netspec.syntax.situation import BLANK, Explanation, Repair, Situation
from netspec.syntax.tokens import called, span_of, spelt

_MEANT: Final = {
    "×": "x",
    "→": "->",
    "“": '"',
    "”": '"',
    "„": '"',
    "'": '"',
    "‘": '"',
    "’": '"',
    "−": "-",
    "–": "-",
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
    "\u00a0": " ",
    "&": "and",
    "&&": "and",
    "!": "not",
    "^": "**",
    "÷": "/",
    "·": "*",
    "…": "..",
    "\ufeff": "",
}
_TAKEN_AS: Final = {"→": "ARROW", "−": "MINUS", "–": "MINUS", "≥": "COMPARE", "≤": "COMPARE", "≠": "COMPARE", "^": "POWER", "&": "AND"}


def stray_character(s: Situation) -> Explanation | None:
    """A character of no token: what was probably meant, and how it is typed."""
    if s.found.type != "STRAY":
        return None
    text = s.found.text
    name = called(s.found) if text.isprintable() else f"the character U+{ord(text[0]):04X}"
    meant = _MEANT.get(text)
    help = fix = None
    if text == "'":
        help, fix = _single_quotes(s)
    elif meant is not None:
        help = f"write `{meant}`" if meant.strip() else "write an ordinary space"
        fix = Fix(s.span, meant)
    elif text[0].isalnum():
        help = "names are made of the letters a to z, digits and `_`"
    diagnostic = Diagnostic("E0003", f"{name} means nothing here", s.span, help=help, fix=fix)
    return diagnostic, Repair(replace=_TAKEN_AS.get(text, ""), drop=not text[0].isalnum() and text != "'")


def _single_quotes(s: Situation) -> tuple[str, Fix | None]:
    """`'same'`: the whole of it, where it ends on its line."""
    inner: list[Token] = []
    for token in s.rest:
        if token.text == "'":
            text = f'"{spelt(inner)}"'
            return f"strings stand in double quotes: `{text}`", Fix(s.span.to(span_of(token, s.file)), text)
        inner.append(token)
    return 'strings stand in double quotes: `"text"`', None


def open_string(s: Situation) -> Explanation | None:
    """A string without its closing quote."""
    if s.found.type != "OPEN_STRING":
        return None
    message, help = 'this string has no closing `"`', 'a string ends on the line where it starts: add the `"`'
    return Diagnostic("E0002", message, s.span, label="starts here", help=help), BLANK


def bare_fraction(s: Situation) -> Explanation | None:
    """`.5` for `0.5`."""
    number = s.following
    if s.found.type != "DOT" or "NUMBER" not in s.accepts or number is None or number.start != s.found.end:
        return None
    help, fix = f"write `0.{number}`", Fix(Span(s.file, s.span.start, s.span.start, s.span.line, s.span.column), "0")
    return Diagnostic("E0001", "a number starts with a digit", s.span, help=help, fix=fix), Repair(drop=True)
