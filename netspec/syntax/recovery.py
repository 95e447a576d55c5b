"""Parsing that goes on after an error: every faulty statement is reported once, and what follows it is read as if it were sound.

After an error the text is mended as `explain` says: a token is put in, left out or replaced. Where that is not enough,
the statement is blanked: the parser goes back to where it began and takes a placeholder for it. A faulty header
(`net in {`, `repeat {`) gets a sound one in its place, so that the braces stay balanced and its body is checked too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netspec.diagnostics import Diagnostic
from netspec.syntax.automaton import END, Builder, Machine, Token
from netspec.syntax.tokens import CLOSERS, CONTINUES, DECLARATIONS, OPENERS, SEPARATORS, SPELLING, after

if TYPE_CHECKING:
    from netspec.syntax.situation import Repair, Situation

MAX_ERRORS: Final = 20
_STOPS: Final = frozenset({"LBRACE", "RBRACE", "VBAR", "_SEMICOLON"})


@dataclass(slots=True)
class _Mark:
    """The place where a statement begins, to come back to."""

    snapshot: list[int]
    index: int
    depth: int
    faulty: bool = False


class Recovery:
    """One pass over the tokens of a file; `run` gives the errors."""

    def __init__(self, tokens: list[Token], file: str, builder: Builder) -> None:
        last = next((token for token in reversed(tokens) if token.type not in SEPARATORS), None)
        place = after(last, file)
        self.tokens = [*tokens, Token(END, "", place.start, place.end, place.line, place.column)]
        self.file = file
        self.machine = Machine(builder)
        self.index = 0
        self.previous: Token | None = None
        self.opened: list[Token] = []
        self.marks = [_Mark(self.machine.snapshot(), 0, 0)]
        self.errors: list[Diagnostic] = []
        self._pairs: dict[int, int] | None = None

    def run(self) -> list[Diagnostic]:
        """Read the file; what is wrong with it, in the order of the text. If nothing is, `machine.result` is its tree."""
        while self.index < len(self.tokens) and len(self.errors) < MAX_ERRORS:
            token = self.tokens[self.index]
            if (token.type == "_NL" and self._goes_on()) or self._feed(token, self.index + 1):
                self.index += 1
            else:
                self._fault(token)
        return sorted(self.errors, key=lambda error: error.span.start)

    def _goes_on(self) -> bool:
        """Whether a newline here ends no statement."""
        inside = bool(self.opened) and self.opened[-1].type != "LBRACE"
        return inside or (self.previous is not None and self.previous.type in CONTINUES)

    def _feed(self, token: Token, next_index: int) -> bool:
        """Give the token to the parser; a statement that begins behind it begins at `next_index`."""
        if not self.machine.feed(token):
            return False
        kind = token.type
        self.previous = token
        if kind in CLOSERS:
            self.opened.append(token)
        elif kind in OPENERS:
            self.opened.pop()
        if kind == "LBRACE":
            self.marks.append(_Mark(self.machine.snapshot(), next_index, len(self.opened)))
        elif kind == "RBRACE":
            self.marks.pop()
        elif kind in SEPARATORS or kind == "VBAR":
            self.marks[-1] = _Mark(self.machine.snapshot(), next_index, len(self.opened))
        return True

    def _put_in(self, *kinds: str) -> bool:
        """Feed tokens that the text does not hold; all of them or none."""
        if not self.machine.takes(*kinds):
            return False
        here = self.tokens[self.index]
        for kind in kinds:
            self._feed(here._replace(type=kind, text=SPELLING.get(kind, kind.lower())), self.index)
        return True

    # ── after an error ──

    def _fault(self, found: Token) -> None:
        mark = self.marks[-1]
        if mark.faulty and not (found.type == END and any(token.type == "LBRACE" for token in self._unclosed())):
            self._blank()  # one statement, one error: the rest would be consequences
            return
        mark.faulty = True
        from netspec.syntax.explain import explain  # a sound file does not wait for it

        diagnostic, repair = explain(self._situation(found))
        self.errors.append(diagnostic)
        self._repair(found, repair)

    def _situation(self, found: Token) -> Situation:
        from netspec.syntax.brackets import suspect
        from netspec.syntax.situation import Situation

        following = next((token for token in self.tokens[self.index + 1 : self.index + 3] if token.type != "_NL"), None)
        before = (self.tokens[at] for at in range(self.index - 1, -1, -1))
        mark = self.marks[-1]
        return Situation(
            file=self.file,
            found=found,
            following=following,
            previous=next((token for token in before if token.type != "_NL"), None),
            accepts=self.machine.accepts(),
            opened=tuple(self.opened),
            unclosed=self._unclosed(),
            statement=tuple(token for token in self.tokens[mark.index : self.index] if token.type != "_NL"),
            rest=self._rest_of_line(),
            fresh_line=self.index > 0 and self.tokens[self.index - 1].type == "_NL",
            at_top=len(self.marks) == 1,
            suspect=suspect(self.tokens, self._closing()) if found.type in DECLARATIONS or found.type == END else None,
        )

    def _rest_of_line(self) -> tuple[Token, ...]:
        ends = (at for at in range(self.index, len(self.tokens)) if self.tokens[at].type in ("_NL", END))
        return tuple(self.tokens[self.index + 1 : next(ends)])

    def _repair(self, found: Token, repair: Repair) -> None:
        if repair.replace and self._put_in(repair.replace):
            self.index += 1
        elif repair.insert and self.machine.takes(*repair.insert):
            closes = repair.insert[0] in ("RPAR", "RSQB")
            self._put_in(*repair.insert)
            if closes and self.index and self.tokens[self.index - 1].type == "_NL":
                self.index -= 1  # with its bracket closed, the newline before the found token ends the statement
        elif repair.drop and found.type != END:
            self.index += 1
        else:
            self._blank(repair.body)

    def _blank(self, body: bool = False) -> None:
        """Go on after the faulty statement as if a sound one stood there; with `body`, after all that follows at the top of the file."""
        mark = self.marks[-1]
        self.machine.restore(mark.snapshot)
        closing = [self._closing().get(token.start, -1) for token in self.opened[mark.depth :]]
        del self.opened[mark.depth :]
        self.previous = None
        orphan = len(self.marks) == 1 and (body or not self._declares(mark.index))
        self.index = self._end_of_statement(max([self.index, *(place + 1 for place in closing)]), orphan)
        while self.tokens[self.index].type == "LBRACE" and not self._put_in_header(mark):
            self.index = self._end_of_statement(self._behind(self.index), orphan)
        kind = self.tokens[self.index].type
        if kind not in ("LBRACE", END) and self.machine.takes("NAME", kind):
            self._put_in("NAME")
        self._skip_refused(mark)

    def _behind(self, index: int) -> int:
        """The token behind this one, or behind the bracket that this one opens."""
        kind = self.tokens[index].type
        closing = self._closing().get(self.tokens[index].start) if kind in CLOSERS else None
        return (index if closing is None else closing) + 1

    def _skip_refused(self, mark: _Mark) -> None:
        """Make progress: leave out what the parser does not take even after a sound statement."""
        if self.tokens[self.index].type == END:
            if not self.machine.takes(END):
                self.index += 1  # the text ends inside of braces, which has been said or is a consequence
            return
        if not self.machine.takes(self.tokens[self.index].type):
            mark.faulty = True
            self.index += 1

    def _declares(self, index: int) -> bool:
        """Whether the statement there is a declaration, or a mistyped one: two names, and then a body."""
        ahead = [token.type for token in self.tokens[index : index + 3]]
        return ahead[0] in DECLARATIONS or (ahead[:2] == ["NAME", "NAME"] and ahead[2:] in (["LPAR"], ["LBRACE"]))

    def _end_of_statement(self, index: int, orphan: bool) -> int:
        """Where the statement ends whose fault stands before `index`: its separator, or the brace that opens its body."""
        previous = self.tokens[index - 1].type if index else ""
        while (kind := self.tokens[index].type) != END:
            if orphan:  # a body's statements without the body: the next declaration is what makes sense again
                if kind in DECLARATIONS and previous in SEPARATORS:
                    return index - 1
                index += 1
            elif kind in _STOPS or (kind == "_NL" and previous not in CONTINUES):
                return index
            else:
                index = self._behind(index)
            previous = kind
        return index

    def _put_in_header(self, mark: _Mark) -> bool:
        """Feed a sound header for the body that opens here."""
        first = self.tokens[mark.index].type
        ahead = next((token.type for token in self.tokens[self.index + 1 :] if token.type != "_NL"), END)
        for header in (
            (first if first in ("TRAIN", "EXPECT") else "NET", "NAME"),
            ("NAME",) if ahead == "VBAR" else ("REPEAT", "NUMBER"),
            ("NAME",),
        ):
            if self.machine.takes(*header, "LBRACE"):
                return self._put_in(*header)
        return False

    def _unclosed(self) -> tuple[Token, ...]:
        return tuple(token for token in self.opened if token.start not in self._closing())

    def _closing(self) -> dict[int, int]:
        """For each bracket that is closed, by the place of its character: the index of the token that closes it."""
        if self._pairs is None:
            from netspec.syntax.brackets import pair

            self._pairs = pair(self.tokens)
        return self._pairs
