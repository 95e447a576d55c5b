"""Explanations of what is right in another language (Python, C, PyTorch, Keras, Darknet): how it is written here."""

from __future__ import annotations

from typing import Final

from netspec.diagnostics import Diagnostic, Fix, Span
from netspec.syntax.automaton import Token
from netspec.syntax.situation import BLANK, Explanation, Repair, Situation
from netspec.syntax.tokens import after, called, span_of, spelt

_CONSTANTS: Final = frozenset({"NUMBER", "DIMS", "STRING", "LSQB", "MINUS", "LPAR"})
_BODY: Final = Repair(body=True)
_BODIES: Final = frozenset({"NET", "BLOCK", "TRAIN", "EXPECT", "REPEAT", "FOR", "IF", "ELSE"})
"""What a body follows."""


# ── names and values ──


def assignment(s: Situation) -> Explanation | None:
    """`x = conv(..)` in a body, `self.x = conv(..)` at its first dot, `n = 3`."""
    if len(s.statement) != 1 or "ARROW" not in s.accepts:
        return None
    line = [*s.statement, s.found, *s.rest]
    end = next((k for k, token in enumerate(line) if token.type == "EQUAL"), 0)
    if end % 2 == 0 or any(token.type != ("DOT" if k % 2 else "NAME") for k, token in enumerate(line[:end])):
        return None
    name, written = line[end - 1], "".join(token.text for token in line[:end])
    span = span_of(line[0], s.file).to(span_of(line[end], s.file))
    value = line[end + 1] if end + 1 < len(line) else None
    if value is not None and value.type in _CONSTANTS:
        message, help = f"`{written} = ..` is not a statement", f"a constant is written `let {name} = ..`"
        fix = Fix(Span(s.file, span.start, span.start, span.line, span.column), "let ") if end == 1 else None
    else:
        step = f"{value}(..)" if value is not None and value.type == "NAME" and end == 1 else ".."
        message = f"`{written} = ..` is not how a value is named"
        help = f"a label is written `{name}: {step}`, and names what its line ends with"
        fix = Fix(span, f"{name}:")
    return Diagnostic("E0004", message, span, label="assignment", help=help, fix=fix), BLANK


def module_name(s: Situation) -> Explanation | None:
    """`nn.Conv2d(..)`, `self.pool(..)`, and a chain of methods: `.relu()` on a line of its own."""
    if s.found.type != "DOT" or s.bracket is not None or s.following is None or s.following.type != "NAME":
        return None
    if not s.statement or s.statement[-1].type == "RPAR":
        help, place = f"steps are joined by an arrow: `-> {s.following}`", s.span
        return Diagnostic("E0001", "unexpected `.`: steps are no methods", s.span, help=help, fix=Fix(place, "-> ")), BLANK
    if s.statement[-1].type != "NAME":
        return None
    last = _last_of_path(s)
    span = span_of(s.statement[-1], s.file).to(span_of(last, s.file))
    message = f"unexpected `.`: a step is called by its own name, not as `{s.statement[-1]}.{s.following}`"
    return Diagnostic("E0001", message, s.span, help=f"leave out what stands before it: `{last}`", fix=Fix(span, last.text)), BLANK


def single_equals(s: Situation) -> Explanation | None:
    """`if a = b`."""
    if s.found.type != "EQUAL" or "COMPARE" not in s.accepts:
        return None
    diagnostic = Diagnostic("E0001", "unexpected `=`", s.span, help="values are compared by `==`", fix=Fix(s.span, "=="))
    return diagnostic, Repair(replace="COMPARE")


def top_assignment(s: Situation) -> Explanation | None:
    """`x = 3` at the top of a file."""
    if not (s.at_top and s.found.type == "NAME" and not s.statement and s.following is not None and s.following.type == "EQUAL"):
        return None
    help = f"a constant is written `let {s.found} = ..`, one that `--set` may change `param {s.found} = ..`"
    return Diagnostic("E0004", f"`{s.found} = ..` is not a declaration", s.span, help=help), BLANK


# ── calls ──


def arguments_without_brackets(s: Situation) -> Explanation | None:
    """`conv 6 5x5`, as in a shell, and `conv[6, 5x5]`."""
    if not s.statement or s.statement[-1].type != "NAME" or s.bracket is not None or "ARROW" not in s.accepts or s.fresh_line:
        return None
    name = s.statement[-1]
    if s.found.type == "LSQB":
        help = f"arguments stand in round brackets: `{name}(..)`"
        return Diagnostic("E0001", "unexpected `[`", s.span, help=help), BLANK
    if s.found.type not in ("NUMBER", "DIMS", "STRING"):
        return None
    given: list[Token] = []
    for token in (s.found, *s.rest):
        if token.type not in ("NUMBER", "DIMS", "STRING", "COMMA"):
            break
        given.append(token)
    values = ", ".join(token.text for token in given if token.type != "COMMA")
    help = f"arguments stand in brackets: `{name}({values})`"
    span = span_of(given[0], s.file).to(span_of(given[-1], s.file))
    gap = after(name, s.file).to(span)
    return Diagnostic("E0001", f"unexpected {called(s.found)}", span, help=help, fix=Fix(gap, f"({values})")), BLANK


def called_on_a_tensor(s: Situation) -> Explanation | None:
    """`conv(6, 5x5)(x)`, as Keras calls its layers."""
    if s.found.type != "LPAR" or "ARROW" not in s.accepts or s.previous is None or s.previous.type != "RPAR":
        return None
    name = s.following if s.following is not None and s.following.type == "NAME" else "x"
    help = f"a step takes the current tensor; `from {name} -> ..` makes another one current"
    return Diagnostic("E0001", "unexpected `(`: a step is not called on a tensor", s.span, help=help), BLANK


def spaced_dims(s: Situation) -> Explanation | None:
    """`5 x 5` for `5x5`."""
    if s.found.type != "NAME" or s.found.text != "x" or s.previous is None or s.previous.type != "NUMBER" or s.following is None:
        return None
    if s.following.type != "NUMBER":
        return None
    span, text = span_of(s.previous, s.file).to(span_of(s.following, s.file)), f"{s.previous}x{s.following}"
    return Diagnostic("E0001", "unexpected `x`", s.span, help=f"sizes are written without spaces: `{text}`", fix=Fix(span, text)), BLANK


# ── between steps ──


def other_arrow(s: Situation) -> Explanation | None:
    """`a => b`, `a |> b`, `a >> b`, `a > b`, `a | b`."""
    if "ARROW" not in s.accepts or s.bracket is not None or not s.statement or s.found.text not in ("=", ">", ">>", "|"):
        return None
    span, text = s.span, s.found.text
    if s.following is not None and s.following.start == s.found.end and s.following.text in (">", ">>", ">="):
        span, text = span.to(span_of(s.following, s.file)), text + s.following.text
    if text == "=" or (text == "|" and "VBAR" in s.accepts):
        return None
    help = "steps are joined by `->`" + ("; branches stand inside of a merge: `add { | a | b }`" if text == "|" else "")
    return Diagnostic("E0001", f"unexpected `{text}`", span, help=help, fix=Fix(span, "->")), BLANK


def other_comment(s: Situation) -> Explanation | None:
    """`// ..`, `/* .. */`, `-- ..`, at the start of a line or behind a statement."""
    between = not s.statement or ("ARROW" in s.accepts and s.bracket is None)
    text = s.found.text
    if text in ("/", "-") and s.following is not None and s.following.start == s.found.end:
        text += s.following.text[:1]
    if not between or not text.startswith(("//", "/*", "--")):
        return None
    text = text[:2]
    span = Span(s.file, s.span.start, s.span.start + 2, s.span.line, s.span.column)
    fix = None if text == "/*" else Fix(span, "#")
    return Diagnostic("E0001", f"unexpected `{text}`", span, help="comments start with `#`, and end with their line", fix=fix), BLANK


def return_value(s: Situation) -> Explanation | None:
    """`return x`."""
    if not s.statement or s.statement[-1].text != "return" or s.found.type not in ("NAME", "FROM", "IN"):
        return None
    word = s.statement[-1]
    help = "what is current at the end of a body is its value: leave `return` out, or write `from x` for another tensor"
    return Diagnostic("E0001", "a body has no `return`", span_of(word, s.file), help=help), BLANK


def sum_of_steps(s: Situation) -> Explanation | None:
    """`conv(6, 3x3) + skip`."""
    if s.found.type not in ("PLUS", "TIMES") or "ARROW" not in s.accepts or s.bracket is not None or s.following is None:
        return None
    if s.following.type not in ("NAME", "NUMBER"):
        return None
    merge = "add" if s.found.text == "+" else "mul"
    help = f"tensors are joined by a merge: `{merge} {{ | a | b }}`, or `{merge}(label)` for the current one with a labelled one"
    return Diagnostic("E0001", f"unexpected {called(s.found)}", s.span, help=help), BLANK


def other_loop(s: Situation) -> Explanation | None:
    """`while c { }`, `repeat 3 times { }`, `repeat i in 3 { }`, `for i = 0..2 { }`."""
    words = [token.text for token in s.statement]
    if words[-1:] == ["while"]:
        word = span_of(s.statement[-1], s.file)
        help = "what repeats is known before a net runs: `repeat 3 { .. }`, `for c in [8, 16] { .. }`"
        return Diagnostic("E0001", "a net has no `while`", word, help=help), BLANK
    if words[:1] == ["repeat"] and s.found.text in ("times", "in", "=", ":="):
        help = "write `repeat 3 { .. }`, or `repeat 3 as i { .. }` with an index that starts at 0"
        return Diagnostic("E0001", f"unexpected {called(s.found)}", s.span, help=help), BLANK
    if words[:1] == ["for"] and s.found.text in ("=", "("):
        return Diagnostic("E0001", f"unexpected {called(s.found)}", s.span, help="write `for i in 0..2 { .. }`"), BLANK
    return None


def elif_(s: Situation) -> Explanation | None:
    """`elif`, `elsif`, `elseif`."""
    if s.found.text not in ("elif", "elsif", "elseif") or s.previous is None or s.previous.type != "RBRACE":
        return None
    return Diagnostic("E0001", f"unexpected `{s.found}`", s.span, help="write `else if`", fix=Fix(s.span, "else if")), BLANK


# ── declarations ──

_DECLARED: Final = {
    **dict.fromkeys(("network", "model", "class", "graph", "architecture"), "net"),
    **dict.fromkeys(("def", "function", "func", "fn", "module", "layer", "subgraph", "macro"), "block"),
    **dict.fromkeys(("const", "var", "define"), "let"),
    **dict.fromkeys(("import", "include", "require"), "use"),
    **dict.fromkeys(("training", "optimize", "fit"), "train"),
    **dict.fromkeys(("assert",), "expect"),
}
_FORMS: Final = {
    "net": "net NAME { input image[3, 32, 32]; .. }",
    "block": "block NAME(c) { .. }",
    "let": "let NAME = 3",
    "use": "use std.vision: conv_bn",
    "train": "train NET { .. }",
    "expect": "expect NET { params <= 60k }",
}


def other_declaration(s: Situation) -> Explanation | None:
    """`model N {`, `class N:`, `def f(x):`, `import torch`."""
    if not s.at_top or s.statement or s.found.type != "NAME" or (meant := _DECLARED.get(s.found.text)) is None:
        return None
    if s.following is None or s.following.type not in ("NAME", "LBRACE", "STRING"):
        return None
    help = f"it is written `{_FORMS[meant]}`"
    message = f"unexpected `{s.found}`: no declaration starts with it"
    return Diagnostic("E0001", message, s.span, label=f"`{meant}`, perhaps", help=help), BLANK


def section(s: Situation) -> Explanation | None:
    """Darknet's `[convolutional]`."""
    if not s.at_top or s.statement or s.found.type != "LSQB" or s.following is None or s.following.type not in ("NAME", "NET"):
        return None
    if [token.type for token in s.rest[1:2]] != ["RSQB"]:
        return None
    span = s.span.to(span_of(s.rest[1], s.file))
    message = f"`[{s.following}]` is a section of Darknet's format"
    help = "layers are calls in a net: `net NAME { input image[3, 416, 416]; conv(32, 3x3, pad=1) -> bn -> leaky_relu(0.1); .. }`"
    return Diagnostic("E0001", message, span, help=help), BLANK


def setting_with_colon(s: Situation) -> Explanation | None:
    """`epochs: 3` in a train block."""
    if s.found.type != "COLON" or len(s.statement) != 1 or s.accepts & frozenset({"ARROW", "COLON"}) or "EQUAL" not in s.accepts:
        return None
    help = f"a setting is given by `=`: `{s.statement[0]} = ..`"
    return Diagnostic("E0001", "unexpected `:`", s.span, help=help, fix=Fix(s.span, " =")), Repair(replace="EQUAL")


def nameless(s: Situation) -> Explanation | None:
    """`net {`, `train {`."""
    if s.found.type != "LBRACE" or len(s.statement) != 1 or (word := s.statement[0].text) not in _FORMS:
        return None
    what = "the net that it is of" if word in ("train", "expect") else "a name"
    return Diagnostic("E0001", f"`{word}` needs {what}", s.span, help=f"it is written `{_FORMS[word]}`"), Repair(insert=("NAME",))


def colon_for_brace(s: Situation) -> Explanation | None:
    """`net N:` and an indented body, as in Python."""
    begins = s.statement[0].type if s.statement else ""
    if s.found.type != "COLON" or begins not in _BODIES or s.bracket is not None:
        return None
    words = spelt(s.statement)
    help = f"a body stands in braces: `{words} {{ .. }}`" if len(words) <= 60 else "a body stands in braces"
    return Diagnostic("E0001", "unexpected `:`", s.span, help=help, fix=None), _BODY


def input_form(s: Situation) -> Explanation | None:
    """`input image(1, 28, 28)`, `input image: [1, 28, 28]`, `input [1, 28, 28]`."""
    if not s.statement or s.statement[0].type != "INPUT" or len(s.statement) > 2 or s.bracket is not None:
        return None
    if s.found.type not in ("LPAR", "COLON", "EQUAL", "LSQB", "NUMBER", "DIMS"):
        return None
    name = s.statement[1].text if len(s.statement) == 2 else "image"
    sizes = [token.text for token in (s.found, *s.rest) if token.type in ("NUMBER", "NAME")]
    shape = ", ".join(sizes) if 1 <= len(sizes) <= 3 else "1, 28, 28"
    help = f"an input is a name and its shape: `input {name}[{shape}]`"
    return Diagnostic("E0001", f"unexpected {called(s.found)}", s.span, help=help), BLANK


def output_form(s: Situation) -> Explanation | None:
    """`output dense(10)`, `output = dense(10)`, `.. -> output`."""
    help = "a result is named: `output logits: dense(10)`, or `output logits` for the label `logits`"
    starts = bool(s.statement) and s.statement[0].type == "OUTPUT"
    if starts and len(s.statement) == 2 and s.found.type in ("LPAR", "EQUAL", "ARROW"):
        return Diagnostic("E0001", f"unexpected {called(s.found)}", s.span, help=help), BLANK
    if not s.statement and s.found.type == "KEY" and s.found.text == "output":  # a word before `=`
        return Diagnostic("E0001", "unexpected `=`", span_of(s.following or s.found, s.file), help=help), BLANK
    if s.found.type == "OUTPUT" and s.previous is not None and s.previous.type == "ARROW":
        help = "`output` is no step; it stands on a line of its own, and a net of one result does not need it"
        return Diagnostic("E0001", "unexpected `output`", s.span, help=help), BLANK
    return None


def _last_of_path(s: Situation) -> Token:
    """The last name of `a.b.c`, from the dot that was found."""
    last, ahead = s.found, [s.found, *s.rest]
    for dot, name in zip(ahead[::2], ahead[1::2], strict=False):
        if dot.type != "DOT" or name.type != "NAME":
            break
        last = name
    return last
