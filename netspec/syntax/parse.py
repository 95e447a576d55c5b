"""Text to syntax tree, or every syntax error of the text at once."""

from __future__ import annotations

from typing import Any, Final

from netspec.diagnostics import Diagnostic, Source, Span, SpecError
from netspec.syntax.limits import check_limits
from netspec.syntax.nodes import node
from netspec.syntax.recovery import Recovery
from netspec.syntax.tables import Token, is_tree, lex
from netspec.syntax.tokens import span_of
from netspec.syntax.tree import Name, Spec

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
    root, errors = Recovery(tokens, file).run()
    if not errors and not any(token.type not in ("_NL", "_SEMICOLON") for token in tokens):
        errors = [Diagnostic("E0007", "this file declares nothing", Span(file, 0, 0, 1, 1), label="empty", help=_SHORTEST_NET)]
    if errors:
        raise SpecError(errors, [source])
    return _convert(root, file)


def _convert(root: Any, file: str) -> Spec:
    """Lark's tree as ours, children before parents, without recursion."""
    pending: list[Any] = [root]
    order: list[Any] = []
    while pending:
        order.append(item := pending.pop())
        if is_tree(item):
            pending += item.children
    built: list[Any] = []
    for item in reversed(order):
        if is_tree(item):
            first = len(built) - len(item.children)
            children = built[first:]
            del built[first:]
            built.append(node(str(item.data), children, _span(item, file)))
        else:
            built.append(Name(str(item), span_of(item, file)) if isinstance(item, Token) else item)
    return Spec(file, built[0])


def _span(tree: Any, file: str) -> Span:
    meta = tree.meta
    if meta.empty:  # a file or a group of settings without any; it has no place of its own
        return Span(file, 0, 0, 1, 1)
    return Span(file, meta.start_pos, meta.end_pos, meta.line, meta.column)
