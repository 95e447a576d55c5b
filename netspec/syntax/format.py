"""The canonical layout of a spec's text. It moves blanks alone: tokens, comments and the order of everything stay.

Two spaces for each level, one around operators, three before `::` and before a comment that ends a line, none inside of parentheses,
at most one blank line. What belongs to the author stays: where lines end, whether a product is written `4*k` or `4 * k`, and columns:
what stands in one column on neighbouring lines (`=`, `->`, `::`, `{`, what follows a label, comments) stands in one column again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from netspec.syntax.automaton import Token, lex
from netspec.syntax.tokens import CLOSERS, CONTINUES, OPENERS

STEP: Final = 2
APART: Final = 3
"""Spaces before `::` and before a comment at the end of a line."""

_TIGHT_BEFORE: Final = frozenset({"RPAR", "RSQB", "COMMA", "_SEMICOLON", "COLON", "DOT", "RANGE", "POWER"})
_TIGHT_AFTER: Final = frozenset({"LPAR", "LSQB", "DOT", "RANGE", "POWER"})
_VALUES: Final = frozenset({"NAME", "NUMBER", "DIMS", "STRING", "RPAR", "RSQB", "OUTPUT"})
"""What a value ends with: a `-` or `[` behind it belongs to it."""
_WIDE: Final = frozenset({"COMPARE", "PLUS", "AND", "OR", "NOT", "IF"})
_ANCHORS: Final = {"EQUAL": "=", "ARROW": "->", "ANNOTATE": "::", "LBRACE": "{"}
_FAR: Final = frozenset({"::", "#"})
"""Columns that lines without them do not interrupt."""
_UNIT: Final = re.compile(r"(?<=[0-9kMG])[ \t]+")


@dataclass(slots=True)
class _Word:
    """A token, or the comment that ends a line, behind `gap` spaces; `column` is where it stood. `anchor`: what it may be aligned as."""

    text: str
    column: int
    gap: int
    anchor: str = ""


@dataclass(slots=True)
class _Line:
    """A line of the text; `after_blank`: an empty one stands before it."""

    words: list[_Word] = field(default_factory=list["_Word"])
    indent: int = 0
    after_blank: bool = False


def layout(text: str) -> str:
    """The text in canonical layout. It must be one that parses; then its tree is the same, and a second time changes nothing."""
    if text.startswith("\ufeff"):
        text = " " + text[1:]
    lines = _Writer(text).lines()
    _align(lines)
    return "".join(_render(line) for line in lines)


def _render(line: _Line) -> str:
    parts = [" " * word.gap + word.text if k else word.text for k, word in enumerate(line.words)]
    return ("\n" if line.after_blank else "") + " " * line.indent + "".join(parts) + "\n"


# ── from tokens to lines ──


def _pieces(text: str) -> Iterator[tuple[Token, str]]:
    """Each token with the blanks and comments before it; a `;` that ends nothing is left out."""
    tokens = [token for token in lex(text) if token.type != "_NL"]
    gap, end, previous = "", 0, ""
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        gap += text[end : token.start]
        end = token.end
        behind = text[end : following.start] if following else "\n"
        closes = following is not None and following.type in ("RBRACE", "VBAR", "_SEMICOLON")
        if token.type == "_SEMICOLON" and (closes or "\n" in gap + behind or previous in ("", "LBRACE")):
            continue
        yield token, gap
        gap, previous = "", token.type
    yield Token("$END", "", len(text), len(text), 0, 0), gap + text[end:]


@dataclass(slots=True)
class _Bracket:
    """An open bracket: the indent of the line that it opened on, and of the lines in it. `merges`: of branches."""

    type: str
    outside: int
    inside: int
    merges: bool = False


class _Writer:
    """Puts tokens on lines, with the spaces between them and the indent before them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._pieces = list(_pieces(text))
        self._lines: list[_Line] = []
        self._open: list[_Bracket] = []
        self._level = 0  # the indent of what is opened on this line
        self._previous: Token | None = None
        self._tight = False  # whether nothing stands between the previous token and the next, whatever that is

    def lines(self) -> list[_Line]:
        """The lines of the text."""
        for index, (token, gap) in enumerate(self._pieces):
            if "\n" in gap or self._previous is None:
                self._break(index, gap)
            if token.type != "$END":
                self._put(index)
        return [line for line in self._lines if line.words]

    def _break(self, index: int, gap: str) -> None:
        """End the line, with its comment; write the comments that have lines of their own; begin the next line."""
        first, *rest = gap.split("\n") if self._previous is not None else ["", *gap.split("\n")]
        if comment := first.strip():
            self._lines[-1].words.append(_Word(comment, self._column(self._text.index("#", self._end(index))), APART, "#"))
        token = self._pieces[index][0]
        indent, level = self._indent(token)
        blank = False
        for part in rest[:-1] if token.type != "$END" else rest:
            if comment := part.strip():
                inside = self._open[-1].inside if self._open and token.type in OPENERS else indent
                self._lines.append(_Line([_Word(comment, 0, 0)], inside, self._keeps(blank)))
            blank = not comment
        self._lines.append(_Line([], indent, self._keeps(blank) and token.type not in OPENERS))
        self._level = level

    def _end(self, index: int) -> int:
        """Where the token before this one ends."""
        return self._pieces[index - 1][0].end if index else 0

    def _column(self, offset: int) -> int:
        return offset - self._text.rfind("\n", 0, offset)

    def _keeps(self, blank: bool) -> bool:
        """Whether an empty line stays: not at the beginning of the text or of a body."""
        words = self._lines[-1].words if self._lines else []
        return blank and bool(self._lines) and not (words and words[-1].text in ("{", "(", "["))

    def _indent(self, token: Token) -> tuple[int, int]:
        """The indent of a line that begins with the token, and of what is opened on it."""
        around = self._open[-1] if self._open else None
        if around is None:
            base = 0
        elif token.type in OPENERS:
            return around.outside, around.outside
        else:
            base = around.inside + (STEP if around.merges and token.type != "VBAR" else 0)
        if token.type == "VBAR":
            return base, base + STEP
        if self._goes_on(token, around):
            base += STEP
        return base, base

    def _goes_on(self, token: Token, around: _Bracket | None) -> bool:
        """Whether the line continues a statement, and says so by its indent: not behind a body, nor in a list."""
        previous = self._previous
        if previous is None or previous.type in ("LBRACE", "VBAR", "RBRACE") or (around is not None and around.type != "LBRACE"):
            return False
        return previous.type in CONTINUES or token.type in ("ARROW", "ANNOTATE", "LBRACE", "ELSE")

    # ── tokens ──

    def _put(self, index: int) -> None:
        """Put the token at the end of the line."""
        token, line = self._pieces[index][0], self._lines[-1]
        before = self._space_before(index)
        gap = 0 if self._tight else before
        anchor = _ANCHORS.get(token.type, ":" if self._previous is not None and self._previous.type == "COLON" else "")
        if token.type == "EQUAL" and self._keyed():
            anchor = ""
        line.words.append(_Word(_UNIT.sub(" ", token.text) if token.type == "NUMBER" else token.text, token.column, gap, anchor))
        self._tight = token.type in _TIGHT_AFTER or (token.type in ("EQUAL", "TIMES") and before == 0)
        self._tight |= token.type == "MINUS" and not self._is_value(index - 1)
        if token.type in CLOSERS:
            self._push(index)
        elif token.type in OPENERS and self._open:
            self._open.pop()
        self._previous = token

    def _push(self, index: int) -> None:
        """Open a bracket; two on one line indent once."""
        following = self._pieces[index + 1][0]
        merges = following.type == "VBAR"
        self._open.append(_Bracket(self._pieces[index][0].type, self._level, self._level + STEP, merges))

    def _keyed(self) -> bool:
        return bool(self._open) and self._open[-1].type == "LPAR"

    def _space_before(self, index: int) -> int:
        token, previous = self._pieces[index][0], self._previous
        match token.type:
            case "ANNOTATE":
                return APART
            case "LPAR":
                return int(previous is None or previous.type != "NAME")
            case "LSQB":
                return int(not self._is_value(index - 1))
            case "EQUAL":
                return int(not self._keyed() or self._wide(index + 1))
            case "TIMES":
                return int(self._spaced(index))
            case kind:
                return int(kind not in _TIGHT_BEFORE)

    def _is_value(self, index: int) -> bool:
        """Whether a value ends with the token; `in` is one, but for that of `for a in list`, which follows a name."""
        kind = self._pieces[index][0].type if index >= 0 else ""
        return kind in _VALUES or (kind == "IN" and index > 0 and self._pieces[index - 1][0].type != "NAME")

    def _spaced(self, index: int) -> bool:
        """Whether a product has spaces: as it is written, but on both sides or on none."""
        token, gap = self._pieces[index]
        return token.text in ("//", "%") or bool(gap or self._pieces[index + 1][1])

    def _wide(self, index: int) -> bool:
        """Whether the argument that begins here has spaces outside of brackets: then its `=` has them too."""
        depth = 0
        for at in range(index, len(self._pieces)):
            kind = self._pieces[at][0].type
            depth += (kind in CLOSERS) - (kind in OPENERS)
            if depth < 0 or (depth == 0 and kind == "COMMA"):
                return False
            minus = kind == "MINUS" and self._is_value(at - 1)
            if depth == 0 and (kind in _WIDE or minus or (kind == "TIMES" and self._spaced(at))):
                return True
        return False


# ── columns ──


class _Ruler:
    """Measures a line from left to right."""

    __slots__ = ("_line", "_next", "_place")

    def __init__(self, line: _Line) -> None:
        self._line, self._next, self._place = line, 0, line.indent

    def place(self, number: int) -> int:
        """The column in which a word will stand; asked for words in their order."""
        for word in self._line.words[self._next : number]:
            self._place += (word.gap if self._next else 0) + len(word.text)
            self._next += 1
        return self._place + self._line.words[number].gap


def _align(lines: Sequence[_Line]) -> None:
    """Put words of one kind that stood in one column on neighbouring lines into one column again, from left to right."""
    columns: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for at, line in enumerate(lines):
        for number, word in enumerate(line.words[1:], 1):
            if word.anchor:
                columns.setdefault((word.column, word.anchor), []).append((at, number))
    rulers = [_Ruler(line) for line in lines]
    for (_, kind), members in sorted(columns.items()):
        for group in _neighbours(lines, kind, members):
            places = [rulers[at].place(number) for at, number in group]
            column = max(places)
            for (at, number), place in zip(group, places, strict=True):
                lines[at].words[number].gap += column - place


def _neighbours(lines: Sequence[_Line], kind: str, members: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Lines, with numbers of words on them, that follow each other: nothing empty between them, nor a column of the kind elsewhere."""
    group = [members[0]]
    for member in members[1:]:
        between = lines[group[-1][0] + 1 : member[0]]
        apart = any(line.after_blank or kind not in _FAR or any(word.anchor == kind for word in line.words[1:]) for line in between)
        if apart or lines[member[0]].after_blank:
            yield group
            group = []
        group.append(member)
    yield group
