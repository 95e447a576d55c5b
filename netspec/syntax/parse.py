"""Text to syntax tree, or every syntax error of the text at once."""

from __future__ import annotations

from typing import Final

from netspec.diagnostics import Diagnostic, Source, Span, SpecError
from netspec.syntax.automaton import lex
from netspec.syntax.limits import check_limits
from netspec.syntax.nodes import TreeBuilder
from netspec.syntax.recovery import Recovery
from netspec.syntax.tokens import SEPARATORS
from netspec.syntax.tree import Spec

_SHORTEST_NET: Final = "a net, for example: `net N {`, `  input image[1, 28, 28]`, `  flatten -> dense(10) }`"


def parse(text: str, file: str) -> Spec:
    """The syntax tree of a spec's text; `file` is the name that messages mention.

    Raises SpecError with all syntax errors (at most 20), or with the one limit that the text exceeds. The time taken
    grows linearly with the text, whatever it holds, and nothing recurses.
    """
    source = Source(file, text)
    check_limits(source)
    # a byte-order mark is no part of the text, and a space keeps all places as an editor counts them
    tokens = lex(" " + text[1:] if text.startswith("\ufeff") else text)
    reader = Recovery(tokens, file, TreeBuilder(file))
    errors = reader.run()
    if not errors and not any(token.type not in SEPARATORS for token in tokens):
        errors = [Diagnostic("E0007", "this file declares nothing", Span(file, 0, 0, 1, 1), label="empty", help=_SHORTEST_NET)]
    if errors:
        raise SpecError(errors, [source])
    return Spec(file, reader.machine.result)
