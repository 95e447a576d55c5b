"""What is known where the parser stopped, and what an explanation answers."""

from __future__ import annotations

from typing import Final

from netspec.diagnostics import Diagnostic, Span
from netspec.records import record
from netspec.syntax.automaton import END, Token
from netspec.syntax.tokens import after, span_of


@record
class Situation:
    """Where the parser stopped: before `found`, of which `accepts` has the types it would have taken."""

    file: str
    found: Token
    following: Token | None
    previous: Token | None
    accepts: frozenset[str]
    opened: tuple[Token, ...]
    """Brackets open here, outermost first; `unclosed` are those that nothing closes further down."""
    unclosed: tuple[Token, ...]
    statement: tuple[Token, ...]
    """The tokens of this statement before `found`."""
    rest: tuple[Token, ...]
    """The tokens of its line behind `found`."""
    fresh_line: bool
    """Whether `found` is the first of its line."""
    at_top: bool
    suspect: tuple[Token, Token] | None = None
    """A `{` and the `}` that closes it, indented unlike its line."""

    @property
    def span(self) -> Span:
        """Where `found` stands; what ends a line or the file stands right behind the text before it."""
        return after(self.previous, self.file) if self.found.type in ("_NL", END) else span_of(self.found, self.file)

    @property
    def bracket(self) -> Token | None:
        """The innermost open bracket, if it is one of `(` and `[`."""
        return self.opened[-1] if self.opened and self.opened[-1].type != "LBRACE" else None


@record
class Repair:
    """How the parser goes on: put tokens in, leave the found one out, or take it for another; else blank the statement.

    `body`: at the top of a file, blank all up to the next declaration: the body of the faulty one, without its braces.
    """

    insert: tuple[str, ...] = ()
    drop: bool = False
    replace: str = ""
    body: bool = False


Explanation = tuple[Diagnostic, Repair]
BLANK: Final = Repair()
