"""What a syntax error means: from the place where the parser stopped to a message, and to the mend with which it goes on.

Each explanation knows one mistake that people make, and answers None for all others; the first that answers is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from netspec.diagnostics import Diagnostic, Fix, Label, Span, nearest
from netspec.syntax import habits
from netspec.syntax.automaton import END, Token
from netspec.syntax.characters import bare_fraction, open_string, stray_character
from netspec.syntax.situation import BLANK, Explanation, Repair, Situation
from netspec.syntax.tokens import CLOSERS, DECLARATIONS, KEYWORDS, OPENERS, SEPARATORS, SPELLING, after, called, expected, span_of, spelt


def explain(situation: Situation) -> Explanation:
    """The error at this place, and the mend."""
    for explanation in _EXPLANATIONS:
        if (answer := explanation(situation)) is not None:
            return answer
    return _unexpected(situation)


# ── brackets ──


def _stray_closer(s: Situation) -> Explanation | None:
    wanted = OPENERS.get(s.found.type)
    if wanted is None:
        return None
    inner = [bracket.type for bracket in s.opened]
    if "LBRACE" in inner:
        inner = inner[len(inner) - 1 - inner[::-1].index("LBRACE") :]
    if wanted in inner:
        return None
    if (bracket := s.bracket) is not None and s.found.type != "RBRACE":
        right = CLOSERS[bracket.type]
        message = f"{called(s.found)} does not close the {called(bracket)} opened at {_at(bracket)}"
        labels = (Label(span_of(bracket, s.file), "opened here"),)
        fix = Fix(s.span, SPELLING[right])
        diagnostic = Diagnostic("E0001", message, s.span, labels=labels, help=f"write `{SPELLING[right]}`", fix=fix)
        return diagnostic, Repair(replace=right)
    message = f"unexpected {called(s.found)}: no `{SPELLING[wanted]}` is open here"
    fix = Fix(s.span, "")
    return Diagnostic("E0001", message, s.span, help="remove it, or open the bracket before", fix=fix), Repair(drop=True)


_NEVER_INSIDE: Final = frozenset({"LBRACE", "RBRACE", "ARROW", "ANNOTATE", "VBAR", "_SEMICOLON", END, "LET", "OUTPUT", "REPEAT", "WHEN"})


def _still_open(s: Situation) -> Explanation | None:
    bracket = s.bracket
    if bracket is None or s.found.type == "STRAY":
        return None
    foreign = s.found.type in _NEVER_INSIDE | DECLARATIONS
    if not foreign and not (s.fresh_line and bracket in s.unclosed):
        return None
    inner: list[Token] = []
    for token in reversed(s.opened):
        if token.type == "LBRACE":
            break
        inner.append(token)
    closers = tuple(CLOSERS[token.type] for token in inner)
    text = "".join(SPELLING[kind] for kind in closers)
    place = after(s.previous, s.file)
    fix = Fix(place, text) if CLOSERS[bracket.type] in s.accepts else None
    help = f"close it: `{_line_end(s, place)}{text}`" if fix else f"close it with `{SPELLING[closers[0]]}`"
    return _open_error(s, bracket, help, fix), Repair(insert=closers)


def _open_brace(s: Situation) -> Explanation | None:
    """The file ends, or goes on with a declaration, inside of braces that nothing closes."""
    braces = [token for token in s.opened if token.type == "LBRACE"]
    unclosed = [token for token in braces if token in s.unclosed]
    declares = s.found.type in DECLARATIONS and not s.statement
    if not unclosed or not (s.found.type == END or declares):
        return None
    closers = ("RBRACE",) * len(braces)
    labels: tuple[Label, ...] = ()
    if s.suspect is not None and s.suspect[0].start > unclosed[-1].start:
        opener, closer = s.suspect
        labels = (
            Label(span_of(opener, s.file), "perhaps meant to be closed before"),
            Label(span_of(closer, s.file), "closes the `{` above, but is indented as another line"),
        )
    return _open_error(s, unclosed[-1], "close it with `}`", None, labels), Repair(insert=(*closers, "_NL"))


def _open_error(s: Situation, bracket: Token, help: str, fix: Fix | None, more: tuple[Label, ...] = ()) -> Diagnostic:
    message = f"unexpected {called(s.found)}: the {called(bracket)} opened at {_at(bracket)} is still open"
    labels = (Label(span_of(bracket, s.file), "opened here"), *more)
    return Diagnostic("E0001", message, s.span, label="not expected here", labels=labels, help=help, fix=fix)


def _at(token: Token) -> str:
    return f"{token.line}:{token.column}"


def _line_end(s: Situation, place: Span) -> str:
    """The text of the statement on the line of `place`, as far as it is short enough to be quoted."""
    text = spelt([token for token in s.statement if token.line == place.line])
    return text if len(text) <= 60 else ""


# ── words ──


def _keyword_as_name(s: Situation) -> Explanation | None:
    if s.found.type not in KEYWORDS or "NAME" not in s.accepts or ("REPEAT" in s.accepts and s.found.type in _NEVER_INSIDE):
        return None
    if "REPEAT" in s.accepts and s.found.type in DECLARATIONS:
        return None
    message = f"`{s.found}` is a keyword and cannot be a name"
    return Diagnostic("E0006", message, s.span, help=f"choose another name, such as `{s.found}_`"), Repair(replace="NAME")


def _keyword_as_value(s: Situation) -> Explanation | None:
    """`conv(repeat, 3x3)`: the bracket is closed further down, so it is the word that is wrong."""
    if s.bracket is None or s.bracket in s.unclosed or s.found.type not in KEYWORDS or s.fresh_line or "NAME" not in s.accepts:
        return None
    message = f"`{s.found}` is a keyword and cannot be a value"
    return Diagnostic("E0006", message, s.span, help="values have names of their own"), Repair(replace="NAME")


def _mistyped_keyword(s: Situation) -> Explanation | None:
    """`nett N {`, `} els {`, and `inptu image[..]`, which is taken for a layer until its second word."""
    word = s.found
    known = [kind.lower() for kind in s.accepts & (KEYWORDS - {"KEY", "OPERATOR_KEY"})]
    if word.type == "NAME" and (near := nearest(word.text, known)):
        return _did_you_mean(s, word, near[0], Repair(replace=near[0].upper()))
    if not s.at_top and word.type == "NAME" and len(s.statement) == 1 and s.statement[0].type == "NAME" and not s.fresh_line:
        first = s.statement[0]
        if near := nearest(first.text, ["input", "output", "repeat", "for", "if", "from", "let"]):
            return _did_you_mean(s, first, near[0], BLANK)
    return None


def _did_you_mean(s: Situation, word: Token, meant: str, repair: Repair) -> Explanation:
    span = span_of(word, s.file)
    message, help = f"unexpected {called(word)}", f"did you mean `{meant}`?"
    return Diagnostic("E0001", message, span, help=help, fix=Fix(span, meant)), repair


# ── something is missing, or stands in the wrong place ──


def _empty_branch(s: Situation) -> Explanation | None:
    ends = s.found.type in {"VBAR", "RBRACE", "_SEMICOLON"}
    if not ends or s.previous is None or s.previous.type not in ("VBAR", "COLON") or "REPEAT" not in s.accepts:
        return None
    if s.previous.type == "COLON" and not any(token.type == "WHEN" for token in s.statement):
        return None
    place = after(s.previous, s.file)
    help = "the identity is written `skip`: `| skip`" if s.previous.type == "VBAR" else "the identity is written `skip`"
    diagnostic = Diagnostic("E0005", "this branch is empty", span_of(s.previous, s.file), help=help, fix=Fix(place, " skip"))
    return diagnostic, Repair(insert=("NAME",))


def _bar_outside(s: Situation) -> Explanation | None:
    if s.found.type != "VBAR" or s.bracket is not None or s.statement:
        return None
    message = "unexpected `|`: a branch stands inside of a merge"
    return Diagnostic("E0001", message, s.span, help="merges are written `add { | a | b }`"), BLANK


def _missing_bar(s: Situation) -> Explanation | None:
    if s.accepts != frozenset({"VBAR"}):
        return None
    brace = span_of(s.opened[-1], s.file)
    if s.found.type == "RBRACE":
        return Diagnostic("E0005", "this merge has no branches", brace, help="write `{ | a | b }`"), Repair(insert=("VBAR", "NAME"))
    message, help = f"unexpected {called(s.found)}: a branch starts with `|`", f"write `| {s.found}`"
    place = Span(s.file, s.span.start, s.span.start, s.span.line, s.span.column)
    labels = (Label(brace, "the branches of a merge stand in here"),)
    return Diagnostic("E0001", message, s.span, labels=labels, help=help, fix=Fix(place, "| ")), Repair(insert=("VBAR",))


def _empty_argument(s: Situation) -> Explanation | None:
    if s.found.type != "COMMA" or s.previous is None or s.previous.type not in ("COMMA", "LPAR", "LSQB"):
        return None
    message = "unexpected `,`: a value is missing before it"
    diagnostic = Diagnostic("E0001", message, s.span, label="nothing before this", help="remove the `,`", fix=Fix(s.span, ""))
    return diagnostic, Repair(drop=True)


_STARTS: Final = frozenset({"NUMBER", "DIMS", "STRING", "NAME", "IN", "LPAR", "LSQB", "NOT", "IF", "KEY"})


def _missing_comma(s: Situation) -> Explanation | None:
    if s.bracket is None or "COMMA" not in s.accepts or s.found.type not in _STARTS or s.previous is None:
        return None
    help = f"separate them by a comma: `{s.previous}, {s.found}`"
    return _missing(s, f"unexpected {called(s.found)}: a `,` is missing before it", ",", help), Repair(insert=("COMMA",))


def _missing_arrow(s: Situation) -> Explanation | None:
    steps = {"NAME", "REPEAT", "FOR", "IF"}
    if "ARROW" not in s.accepts or s.found.type not in steps or s.fresh_line or s.previous is None:
        return None
    if "REPEAT" in s.accepts or not any(token.type in ("NAME", "RBRACE") for token in s.statement):
        return None
    help = f"steps on one line are joined by an arrow: `-> {s.found}`"
    return _missing(s, f"unexpected {called(s.found)}: a `->` is missing before it", " ->", help), Repair(insert=("ARROW",))


def _comma_for_semicolon(s: Situation) -> Explanation | None:
    if s.found.type != "COMMA" or s.bracket is not None or "_SEMICOLON" not in s.accepts or s.at_top:
        return None
    help = "what stands on one line is separated by `;`"
    return Diagnostic("E0001", "unexpected `,`", s.span, help=help, fix=Fix(s.span, ";")), Repair(replace="_SEMICOLON")


def _missing(s: Situation, message: str, text: str, help: str) -> Diagnostic:
    return Diagnostic("E0001", message, s.span, help=help, fix=Fix(after(s.previous, s.file), text))


def _not_in_a_body(s: Situation) -> Explanation | None:
    if s.at_top or s.found.type not in DECLARATIONS - {"LET"} or s.statement:
        return None
    message = f"unexpected `{s.found}`: declarations stand at the top of a file, outside of braces"
    labels = (Label(span_of(s.opened[-1], s.file), "inside of this brace"),) if s.opened else ()
    return Diagnostic("E0001", message, s.span, labels=labels, help="move it out, or close the `{` before it"), BLANK


def _outside(s: Situation) -> Explanation | None:
    """A statement of a body where only declarations stand, often behind a `}` too many."""
    if not s.at_top or s.statement or "NET" not in s.accepts or s.found.type in SEPARATORS:
        return None
    message = f"unexpected {called(s.found)}: expected {expected(s.accepts)}"
    labels: tuple[Label, ...] = ()
    if s.previous is not None and s.previous.type == "RBRACE":
        labels = (Label(span_of(s.previous, s.file), "the body is closed here"),)
    return Diagnostic("E0001", message, s.span, labels=labels, help="layers stand inside of `net NAME { .. }` or a `block`"), BLANK


def _comparison_chain(s: Situation) -> Explanation | None:
    if s.found.type != "COMPARE" or not any(token.type == "COMPARE" for token in s.statement) or "AND" not in s.accepts:
        return None
    message = f"unexpected {called(s.found)}: comparisons do not chain"
    return Diagnostic("E0001", message, s.span, help="join two comparisons by `and`"), BLANK


def _unexpected(s: Situation) -> Explanation:
    labels: tuple[Label, ...] = ()
    if s.bracket is not None and s.bracket in s.unclosed:
        labels = (Label(span_of(s.bracket, s.file), "opened here, and not closed"),)
    message = f"unexpected {called(s.found)}"
    return Diagnostic("E0001", message, s.span, label=f"expected {expected(s.accepts)}", labels=labels), BLANK


_EXPLANATIONS: Final[tuple[Callable[[Situation], Explanation | None], ...]] = (
    *(stray_character, open_string, habits.other_comment, bare_fraction, _stray_closer, _empty_argument, _keyword_as_value),
    *(habits.spaced_dims, habits.output_form, habits.input_form, _still_open, _open_brace),
    *(habits.other_arrow, habits.assignment, habits.module_name, habits.single_equals, habits.top_assignment),
    *(habits.arguments_without_brackets, habits.called_on_a_tensor, habits.return_value, habits.elif_),
    *(habits.sum_of_steps, habits.other_loop, habits.other_declaration, habits.section, habits.setting_with_colon, habits.nameless),
    habits.colon_for_brace,
    *(_empty_branch, _bar_outside, _missing_bar, _mistyped_keyword, _not_in_a_body, _outside),
    *(_keyword_as_name, _missing_comma, _comma_for_semicolon, _missing_arrow, _comparison_chain),
)
