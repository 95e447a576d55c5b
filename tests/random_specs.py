"""Random specs for tests and fuzzing: texts of the grammar, the same text laid out otherwise, and texts with something wrong.

Everything is drawn from a `random.Random`: by Hypothesis (`randoms(use_true_random=False)`, so that failures shrink) or from a seed.
"""

from __future__ import annotations

from random import Random

from netspec.syntax.automaton import lex
from netspec.syntax.tokens import CLOSERS, CONTINUES, OPENERS

Tokens = list[str]

END = "\n"
"""The end of a statement, among the tokens of a text: written as a new line or `;`."""
LAYERS = ["conv", "dense", "maxpool", "relu", "bn", "flatten", "gap", "dropout", "skip", "cbr"]
NAMES = ["a", "b", "c", "d", "k", "x", "y", "n", "stem", "head", "stage", "in_", "_1", "padding", "epochs4", "forest"]
KEYS = ["c", "k", "stride", "pad", "groups", "from", "as", "when", "and"]
SETTINGS = ["data", "loss", "optimizer", "schedule", "batch", "epochs", "from", "if", "in", "output"]
NUMBERS = ("0", "1", "3", "64", "0.5", "1e-4", "450k", "4.1G", "2_000", "2 epochs", "5 steps", "10 deg", "16 MiB", "(10%)")
COMMENTS = ("# a comment", "#", "#: -> { ( \" | 'x'", "# ; ]   tail  ")
DEEPEST = 3


class Grammar:
    """Texts of the grammar, without any meaning; `tokens` draws one."""

    def __init__(self, random: Random, deepest: int = DEEPEST) -> None:
        self._random, self._left = random, deepest

    def tokens(self) -> Tokens:
        """A file of one to four declarations."""
        declared = (self.use, self.param, self.let, self.op, self.block, self.net, self.alias, self.train, self.expect)
        return self._many(declared, 1, 4)

    # ── declarations ──

    def use(self) -> Tokens:
        source = self._one([self._string()], ["std", ".", "vision"])
        return ["use", *source, ":", self._name(), *self._maybe(lambda: [",", self._name(), "as", self._name()])]

    def param(self) -> Tokens:
        return ["param", self._name(), *self._maybe(lambda: [":", "8", "..", self._name()]), "=", *self.expr()]

    def let(self) -> Tokens:
        return ["let", self._name(), "=", *self.expr()]

    def op(self) -> Tokens:
        return ["op", self._name(), *self._formals(), "=", *self.expr()]

    def block(self) -> Tokens:
        return ["block", self._name(), *self._maybe(self._formals), *self.body()]

    def net(self) -> Tokens:
        return ["net", self._name(), *self._maybe(self._formals), *self.body((self.input,))]

    def alias(self) -> Tokens:
        return ["net", self._name(), "=", self._name(), *self._arguments()]

    def train(self) -> Tokens:
        return ["train", self._name(), *self._maybe(lambda: ["as", self._name()]), "{", *self._settings(), "}"]

    def expect(self) -> Tokens:
        return ["expect", self._name(), "{", *self._many((self.expr,), 0, 3), "}"]

    def _formals(self) -> Tokens:
        found = [self._name(), *self._maybe(lambda: ["=", *self.expr()])]
        return ["(", *found, *self._maybe(lambda: [",", self._name()]), ")"]

    def _settings(self) -> Tokens:
        return self._many((self._setting, self._setting, self._group), 0, 4)

    def _setting(self) -> Tokens:
        return [self._one(*SETTINGS), "=", *self.expr(), *self._maybe(lambda: ["->", *self.expr()])]

    def _group(self) -> Tokens:
        return self._deeper(lambda: [self._name(), "{", *self._settings(), "}"], self._setting)

    # ── bodies ──

    def body(self, first: tuple[object, ...] = ()) -> Tokens:
        before = [*self.input(), END] if first else []
        return ["{", *before, *self._many((self.statement, self.statement, self.statement, self.let, self.output), 0, 4), "}"]

    def input(self) -> Tokens:
        return ["input", self._name(), *self.shape(), *self._maybe(lambda: ["where", *self.expr()])]

    def output(self) -> Tokens:
        if self._random.random() < 0.5:
            return ["output", self._name(), *self._maybe(lambda: [",", self._name()])]
        return ["output", self._name(), ":", *self.chain(), *self._maybe(lambda: ["::", *self.shape()])]

    def statement(self) -> Tokens:
        return [*self._maybe(lambda: [self._name(), ":"]), *self.chain(), *self._maybe(lambda: ["::", *self.shape()])]

    def chain(self) -> Tokens:
        source = self._maybe(lambda: ["from", self._name(), *self._maybe(lambda: ["[", *self.expr(), "]"]), "->"])
        found = [*source, *self.step()]
        while self._random.random() < 0.4:
            found += ["->", *self.step()]
        return found

    def step(self) -> Tokens:
        inner = self._one(self._repeat, self._for, self._if, self._merge, self.call, self.call)
        return self._deeper(inner, self.call)

    def call(self) -> Tokens:
        return [self._one(*LAYERS), *self._maybe(self._arguments)]

    def shape(self) -> Tokens:
        return ["[", *self.expr(), *self._maybe(lambda: [",", *self.expr()]), "]"]

    def _repeat(self) -> Tokens:
        return ["repeat", *self.expr(), *self._maybe(lambda: ["as", self._name()]), *self.body()]

    def _for(self) -> Tokens:
        return ["for", self._name(), *self._maybe(lambda: [",", self._name()]), "in", *self.expr(), *self.body()]

    def _if(self) -> Tokens:
        return ["if", *self.expr(), *self.body(), *self._maybe(lambda: ["else", *self._deeper(self._if, self.body)])]

    def _merge(self) -> Tokens:
        found = [self._one("add", "concat", "mul"), *self._maybe(self._arguments), "{"]
        for _ in range(self._random.randint(1, 3)):
            found += ["|", *self._maybe(lambda: ["when", *self.expr(), ":"]), *self._many((self.statement,), 1, 2, open_end=True)]
        return [*found, "}"]

    def _arguments(self) -> Tokens:
        found: Tokens = []
        for _ in range(self._random.randint(0, 3)):
            found += [*([","] if found else []), *self._maybe(lambda: [self._one(*KEYS), "="]), *self.expr()]
        return ["(", *found, *([","] if found and self._random.random() < 0.1 else []), ")"]

    # ── expressions ──

    def expr(self) -> Tokens:
        forms = (self._atom, self._atom, self._binary, self._unary, self._brackets, self._postfix, self._conditional)
        return self._deeper(self._one(*forms), self._atom)

    def _atom(self) -> Tokens:
        return [self._one(self._one(*NUMBERS), "3x3", "1x7", self._string(), self._name(), self._name(), "in", "-1e9")]

    def _binary(self) -> Tokens:
        operator = self._one(*["+", "-", "*", "/", "//", "%", "**", "==", "<=", ">", "..", "and", "or"])
        return ["(", *self.expr(), ")", operator, *self._one(self._atom, self._brackets)()]

    def _unary(self) -> Tokens:
        return self._one(["-", self._name()], ["(", "not", *self.expr(), ")"])

    def _brackets(self) -> Tokens:
        inner = [*self.expr(), *self._maybe(lambda: [",", *self.expr()])]
        return self._one(["(", *inner, ")"], ["[", *inner, "]"], ["[", *inner, ",", "]"], ["[", "]"])

    def _postfix(self) -> Tokens:
        return self._one([self._name(), ".", "c"], [self._name(), "[", *self.expr(), "]"], [self._name(), *self._arguments()])

    def _conditional(self) -> Tokens:
        return ["(", "if", *self.expr(), "then", *self.expr(), "else", *self.expr(), ")"]

    def _string(self) -> str:
        return self._one('"text"', '""', '"# -> {"', '"a  b"')

    # ── drawing ──

    def _name(self) -> str:
        return self._one(*NAMES)

    def _one(self, *choices):  # type: ignore[no-untyped-def]
        return self._random.choice(choices)

    def _maybe(self, part) -> Tokens:  # type: ignore[no-untyped-def]
        return part() if self._random.random() < 0.4 else []

    def _many(self, parts, fewest: int, most: int, *, open_end: bool = False) -> Tokens:  # type: ignore[no-untyped-def]
        found: Tokens = []
        for k in range(self._random.randint(fewest, most)):
            found += [*([END] if k else []), *self._one(*parts)()]
        return found if open_end or self._random.random() < 0.5 else [*found, END]

    def _deeper(self, deep, flat) -> Tokens:  # type: ignore[no-untyped-def]
        """What may hold itself, or something flat where that has gone deep enough."""
        if self._left == 0:
            return flat()
        self._left -= 1
        found = deep()
        self._left += 1
        return found


def spec(random: Random) -> str:
    """A text of the grammar, with any layout."""
    return lay_out(random, Grammar(random).tokens())


def relaid(random: Random, text: str) -> str:
    """The same tokens with another layout and other comments."""
    tokens, depth = Tokens(), list[str]()
    previous = ""
    for token in lex(text):
        if token.type in CLOSERS:
            depth.append(token.type)
        elif token.type in OPENERS:
            depth.pop()
        goes_on = previous in CONTINUES or (depth and depth[-1] != "LBRACE")
        if token.type not in ("_NL", "_SEMICOLON"):
            tokens.append(token.text)
        elif not goes_on and tokens:
            tokens.append(END)
        previous = token.type
    return lay_out(random, tokens)


def lay_out(random: Random, tokens: Tokens) -> str:
    """Tokens as a text, blank and broken wherever the language allows it."""
    out: list[str] = []
    open_: list[str] = []
    previous = END
    for token in tokens:
        if token == END:
            if previous in (END, "{", "|", ","):
                continue
            out.append(_end(random))
        else:
            out += [_blank(random, previous, token, inside=bool(open_) and open_[-1] != "{"), token]
        if token in ("(", "[", "{"):
            open_.append(token)
        elif token in (")", "]", "}"):
            open_.pop()
        previous = token
    return "".join(out)


def _end(random: Random) -> str:
    return random.choice(("\n", "\n", "\n\n", ";", " ; ", f"   {random.choice(COMMENTS)}\n", f"\n\n\n{random.choice(COMMENTS)}\n  "))


def _blank(random: Random, previous: str, token: str, *, inside: bool) -> str:
    after = ("+", "-", "*", "/", "//", "%", "**", "==", "<=", ">", "..", "and", "or", "not", "->", ",", "{", "|", ":", "=")
    breaks = token != "=" and (inside or previous in after or token in ("->", "::", "{", "else"))
    if breaks and previous != "::" and random.random() < 0.08:
        return random.choice(("\n", "\n\n  ", f" {random.choice(COMMENTS)}\n"))
    return " " * random.choice((1, 1, 1, 2, 5)) if _apart(previous, token) or random.random() < 0.6 else ""


def _apart(previous: str, token: str) -> bool:
    """Whether two tokens would become others without a blank between them."""
    words = (previous[-1].isalnum() or previous[-1] in '_.%"') and (token[0].isalnum() or token[0] in "_.%")
    signs = previous[-1] in "=<>!-*/.:+%|" and token[0] in "=<>!-*/.:+%|"
    return words or signs


def mutated(random: Random, text: str) -> str:
    """The text with one to three tokens left out, doubled, swapped or replaced by some other one."""
    words = [token.text for token in lex(text)]
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(words))
        match random.randrange(4):
            case 0:
                words[at] = ""
            case 1:
                words[at] = f"{words[at]} {words[at]}"
            case 2:
                other = random.randrange(len(words))
                words[at], words[other] = words[other], words[at]
            case _:
                words[at] = random.choice(("(", ")", "{", "}", "|", "->", "::", "=", ",", "4k", "in", "if", '"', "é", "..", "-", "\n", ""))
    return " ".join(words)
