"""Which bracket belongs to which, in a text whose brackets may be wrong."""

from __future__ import annotations

from netspec.syntax.automaton import Token
from netspec.syntax.limits import MAX_NESTING
from netspec.syntax.tokens import CLOSERS, OPENERS, SEPARATORS


def pair(tokens: list[Token]) -> dict[int, int]:
    """Which closing token belongs to which opening character, as a reader would say it.

    A brace closes over brackets that were forgotten inside of it; a bracket of the wrong kind closes nothing unless one of
    its kind is open within the same braces.
    """
    pairs: dict[int, int] = {}
    open_: list[Token] = []
    for index, token in enumerate(tokens):
        if token.type in CLOSERS:
            open_.append(token)
        elif (wanted := OPENERS.get(token.type)) is not None:
            # as deep as sound text can be, so that wrong brackets do not make this quadratic
            for depth in range(len(open_) - 1, max(-1, len(open_) - 1 - MAX_NESTING), -1):
                if open_[depth].type == wanted:
                    pairs[open_[depth].start] = index
                    del open_[depth:]
                    break
                if wanted != "LBRACE" and open_[depth].type == "LBRACE":
                    break
    return pairs


def suspect(tokens: list[Token], pairs: dict[int, int]) -> tuple[Token, Token] | None:
    """The first `{` whose `}` begins a line that is not indented as the line of the `{`: probably another one's, and its own is missing."""
    indents: dict[int, int] = {}
    for token in tokens:
        if token.type not in SEPARATORS:
            indents.setdefault(token.line, token.column)
    for token in tokens:
        if token.type != "LBRACE" or (closing := pairs.get(token.start)) is None:
            continue
        closer = tokens[closing]
        first_of_its_line = indents[closer.line] == closer.column
        if first_of_its_line and closer.line != token.line and closer.column != indents[token.line]:
            return token, closer
    return None
