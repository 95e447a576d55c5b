"""Limits that are checked before the parser sees the text, by one linear scan: no text can exhaust a later stage.

Later stages walk the tree recursively, so what is bounded is its depth: open brackets, and the operators, `if`s and
subscripts that hang from each other between two of them. Whatever separates (`,` `->` a new line) starts afresh.
"""

from __future__ import annotations

import re
from typing import Final

from netspec.diagnostics import Diagnostic, Source, Span, SpecError

MAX_BYTES: Final = 256 * 1024
MAX_TOKENS: Final = 150_000
MAX_NESTING: Final = 200
MAX_BODIES: Final = 64
MAX_DIGITS: Final = 18
MAX_EXPONENT_DIGITS: Final = 2

_EVENT = re.compile(
    r"""
    (?P<word>[A-Za-z_]\w*)
  | (?P<comment>\#[^\n]*)
  | (?P<newline>\n)
  | (?P<reset>->|::|[,;|:]|=(?!=))
  | (?P<operator>\*\*|//|\.\.|[=!<>]=|[-+*/%<>])
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<number>[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\w*)
  | (?P<dot>\.)
  | (?P<operand>"[^"\n]*"?)
    """,
    re.VERBOSE | re.ASCII,
)
_SHORTER: Final = "move blocks into files of their own and `use` them"
_WORD_OPERATORS: Final = frozenset({"and", "or", "not", "if"})


def check_limits(source: Source) -> None:
    """Raise SpecError with an E05xx diagnostic at the first place that exceeds a limit."""
    if (size := len(source.text.encode(errors="replace"))) > MAX_BYTES:
        message = f"the source has {size:,} bytes, the limit is {MAX_BYTES:,}"
        raise SpecError([Diagnostic("E0501", message, Span(source.file, 0, 0, 1, 1), help=_SHORTER)])
    scan, tokens = _Scan(), 0
    for match in _EVENT.finditer(source.text):
        kind = match.lastgroup or ""
        if kind == "comment":
            continue
        tokens += 1
        if tokens > MAX_TOKENS:
            message = f"the source has more than {MAX_TOKENS:,} words, numbers, signs and lines"
            raise SpecError([Diagnostic("E0501", message, _span(source, match.start(), match.end()), help=_SHORTER)], [source])
        scan.step(kind, match.group())
        if scan.depth > MAX_NESTING or scan.bodies > MAX_BODIES:
            raise SpecError([_too_deep(source, match.start(), match.end(), scan.bodies > MAX_BODIES)], [source])
        if kind == "number" and (problem := _too_long(match.group())):
            span = _span(source, match.start(), match.end())
            raise SpecError([Diagnostic("E0505", problem, span, help="round it: float32 keeps 7 digits, 1e-38 to 1e38")], [source])


class _Scan:
    """The depth of what is open at the current place; a level is what stands inside one bracket."""

    def __init__(self) -> None:
        self.depth = 0  # open brackets, and what `chain`, `postfix` and `else_ifs` hold, of all levels
        self.bodies = 0  # open braces, and `else if`s, each of which is a body in the tree
        self.levels: list[tuple[str, int, int, int]] = []
        self.bracket, self.chain, self.postfix, self.else_ifs = "", 0, 0, 0
        self.previous = ""  # the kind of the last event, newlines and comments aside
        self.text = ""
        self.after_body = False  # the last bracket closed a body, and nothing but `else` followed
        self.line_ended = False

    def step(self, kind: str, text: str) -> None:
        if kind == "newline":
            # the newline rule: it ends a statement unless in `(` or `[`, after what plainly goes on, or before `else`
            self.line_ended = self.bracket in ("", "{") and self.previous not in ("operator", "reset", "open")
            return
        if self.line_ended:
            self.line_ended = False
            if text != "else":
                self._separate()
                self._forget_else_ifs()
        self._count(kind, text)
        self.previous, self.text = ("operator" if kind == "word" and text in ("and", "or", "not") else kind), text

    def _count(self, kind: str, text: str) -> None:
        if kind == "word":
            if text in _WORD_OPERATORS:
                self._operator(body=text == "if" and self.text == "else" and self.after_body)
            self.after_body = self.after_body and text == "else"
            return
        self.after_body = kind == "close" and self.bracket == "{"
        if kind == "operator":
            self._operator(body=False)
        elif kind == "open":
            self._open(text)
        elif kind == "close":
            self._close()
        elif kind == "dot":
            self._postfix()
        elif kind == "reset":
            self._separate()
            if text == ";":
                self._forget_else_ifs()

    def _operator(self, body: bool) -> None:
        self.depth -= self.postfix
        self.postfix = 0
        self.depth += 1
        if body:
            self.else_ifs += 1
            self.bodies += 1
        else:
            self.chain += 1

    def _postfix(self) -> None:
        self.postfix += 1
        self.depth += 1

    def _open(self, text: str) -> None:
        if text == "[":
            self._postfix()
        self.levels.append((self.bracket, self.chain, self.postfix, self.else_ifs))
        self.bracket, self.chain, self.postfix, self.else_ifs = text, 0, 0, 0
        self.depth += 1
        self.bodies += text == "{"

    def _close(self) -> None:
        if not self.levels:
            return
        self._separate()
        self._forget_else_ifs()
        self.depth -= 1
        self.bodies -= self.bracket == "{"
        self.bracket, self.chain, self.postfix, self.else_ifs = self.levels.pop()

    def _separate(self) -> None:
        self.depth -= self.chain + self.postfix
        self.chain = self.postfix = 0

    def _forget_else_ifs(self) -> None:
        self.depth -= self.else_ifs
        self.bodies -= self.else_ifs
        self.else_ifs = 0


def _too_long(number: str) -> str | None:
    if len(number) <= MAX_EXPONENT_DIGITS + len("1e"):
        return None
    mantissa, _, exponent = number.lower().partition("e")
    digits = max(sum(c.isdigit() for c in part) for part in mantissa.split("x"))
    if digits > MAX_DIGITS:
        return f"a number of {digits} digits, the limit is {MAX_DIGITS}"
    if sum(c.isdigit() for c in exponent) > MAX_EXPONENT_DIGITS:
        return f"an exponent of more than {MAX_EXPONENT_DIGITS} digits"
    return None


def _too_deep(source: Source, start: int, end: int, bodies: bool) -> Diagnostic:
    span = _span(source, start, end)
    if bodies:
        message = f"bodies and `else if`s are nested more than {MAX_BODIES} deep"
        return Diagnostic("E0502", message, span, help="name the inner part as a `block` and call it")
    message = f"brackets and operators are nested more than {MAX_NESTING} deep"
    return Diagnostic("E0502", message, span, help="give parts of it names with `let`, or build a list and use `sum`")


def _span(source: Source, start: int, end: int) -> Span:
    line, column = source.locate(start)
    return Span(source.file, start, end, line, column)
