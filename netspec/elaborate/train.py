"""`train` blocks: settings -> typed values, checked against the net they train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from netspec.diagnostics import Diagnostic, Label, Span, did_you_mean
from netspec.elaborate.binding import Signature, gather, validate, words_of
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.losses import weighted
from netspec.elaborate.scope import Context, Scope
from netspec.elaborate.values import POISON, Poison, Value, Word, is_number, show
from netspec.syntax import tree
from netspec.training import NOT_BUILT, SETTINGS, Declaration, Loss, Setting, Term, TrainPlan, unknown_setting

_NO_WORDS: frozenset[str] = frozenset()


class Settings(Scope):
    """Settings may use each other's numbers, in any order."""

    __slots__ = ("block", "busy", "known")

    def __init__(self, context: Context, block: tree.Train) -> None:
        super().__init__(context)
        self.block = {item.name.text: item for item in block.settings if isinstance(item, tree.Setting)}
        self.known: dict[str, Value] = {}
        self.busy: set[str] = set()

    def find(self, name: str) -> Value | None:
        """A number that the block sets, else a constant of the file."""
        setting = SETTINGS.get(name)
        if setting is None or setting.form != "whole" or name not in self.block:
            return super().find(name)
        if name not in self.known:
            item = self.block[name]
            if name in self.busy:
                return self.context.problems.report("E0115", f"`{name}` is defined by itself", item.name.span)
            self.busy.add(name)
            self.known[name] = evaluate(item.values[0], self)
            self.busy.discard(name)
        return self.known[name]


class Binder:
    """One train block, becoming a plan."""

    def __init__(self, block: tree.Train, net: str, parameters: frozenset[str], context: Context) -> None:
        self.block, self.net, self.parameters, self.problems = block, net, parameters, context.problems
        self.scope = Settings(context, block)
        self.deferred: list[Diagnostic] = []
        self.spans: dict[str, Span] = {}
        self.terms: list[Span] = []
        self.keywords: dict[str, Span] = {}

    def plan(self) -> TrainPlan:
        """The plan; what is wrong with single settings is reported."""
        values: dict[str, Any] = {}
        for item in self.block.settings:
            name = item.name.text
            if name in self.spans:
                self.problems.report("E0103", f"the setting `{name}` is given twice", item.name.span, help="keep one")
                continue
            self.spans[name] = item.span
            if (setting := SETTINGS.get(name)) is None:
                message, help = unknown_setting(name)
                self.problems.report("E0307", message, item.name.span, help=help)
            elif isinstance(item, tree.Group):
                self._defer(f"`{name} {{ .. }}` in a train block", item.name.span)
            elif (value := self._setting(setting, item)) is not None:
                values[name] = value
        alias = self.block.alias and self.block.alias.text
        return TrainPlan(self.net, alias, **values, deferred=tuple(self.deferred), span=self.block.span, spans=tuple(self.spans.items()))

    def _setting(self, setting: Setting, item: tree.Setting) -> Any:
        first, *others = item.values
        if others and setting.form != "chain":
            self.problems.report("E0307", f"`{setting.name}` takes one value, not a chain", others[0].span)
            return None
        match setting.form:
            case "whole":
                return self._whole(setting, item)
            case "word":
                return self._word(setting, first)
            case "call":
                return self._call(setting, first)
            case "chain":
                return self._calls(setting, item.values)
            case "list":
                return self._calls(setting, first.items if isinstance(first, tree.List) else item.values)
            case "sum":
                return self._loss(setting, first)

    def _calls(self, setting: Setting, values: tuple[tree.Expr, ...]) -> tuple[Declaration, ...]:
        found = [self._call(setting, expr) for expr in values]
        return tuple(call for call in found if call is not None)

    def _whole(self, setting: Setting, item: tree.Setting) -> int | None:
        value = self.scope.find(setting.name)
        if value is None or value is POISON:
            return None
        if problem := setting.check(value):
            shown = problem if not is_number(value) else f"{problem.rpartition(', got')[0]}, got {show(value)}"
            self.problems.report("E0208" if is_number(value) else "E0307", shown, item.values[0].span)
            return None
        if not setting.is_built(value):
            self._defer(f"`{setting.name} = {show(value)}`", item.span)
        return value if isinstance(value, int) else None

    def _word(self, setting: Setting, expr: tree.Expr) -> str | None:
        value = evaluate(expr, self.scope, frozenset(setting.words) | {self.problems.text(expr.span)})
        if value is POISON:
            return None
        text = value.text if isinstance(value, Word) else show(value)
        if problem := setting.check(text):
            self.problems.report("E0307", problem, expr.span, help=did_you_mean(text, setting.words))
            return None
        if not setting.is_built(text):
            self._defer(f"`{setting.name} = {text}`", expr.span)
        return text

    def _call(self, setting: Setting, expr: tree.Expr) -> Declaration | None:
        if not isinstance(expr, tree.Reference):
            example = next(iter((*setting.calls, *sorted(setting.later))), setting.name)
            text = expr.text if isinstance(expr, tree.String) else ""
            help = f"without quotes: `{text}`" if text in setting.calls else None
            self.problems.report("E0307", f"`{setting.name}` takes a call, as `{example}(..)`", expr.span, help=help)
            return None
        name = expr.name.text
        if name in setting.later:
            self._defer(f"`{name}` for `{setting.name}`", expr.span)
            return None
        if (model := setting.calls.get(name)) is None:
            message, help = setting.unknown(name)
            self.problems.report("E0307", message, expr.name.span, help=help)
            return None
        return self._bind(model, expr)

    def _bind(self, model: type[Declaration], expr: tree.Reference) -> Declaration | None:
        arguments = [self._address(item) if issubclass(model, Loss) else item for item in expr.arguments or ()]
        names = tuple(model.arguments())
        if model.rest() is not None:
            self.keywords = {item.name.text: item.span for item in arguments if item.name and item.name.text not in names}
            names += tuple(self.keywords)
        known = words_of(model)
        what = Signature(model.name, names, lambda name: known.get(name, _NO_WORDS))
        found = gather(what, (), arguments, self.scope)
        if isinstance(found, Poison):
            return None
        bound = validate(model, found, expr.name.span, self.scope)
        return None if isinstance(bound, Poison) else bound

    def _address(self, argument: tree.Argument) -> tree.Argument:
        """The output and the target of a loss are addresses, `aux1` or `stage[2].head`: kept as they are written."""
        expr = argument.value
        addressed = isinstance(expr, tree.Attribute | tree.Index) or (isinstance(expr, tree.Reference) and expr.arguments is None)
        if not addressed or (argument.name and argument.name.text not in ("output", "target")):
            return argument
        return replace(argument, value=tree.String(self.problems.text(expr.span), expr.span))

    def _loss(self, setting: Setting, expr: tree.Expr) -> tuple[Term, ...]:
        """The terms of a sum; those that are wrong are reported and left out."""
        found: list[Term] = []
        for scale, part in weighted(expr, self._weight):
            if isinstance(loss := self._call(setting, part), Loss):
                found.append(Term(scale, loss))
                self.terms.append(part.span)
        return tuple(found)

    def _weight(self, expr: tree.Expr) -> float:
        """The number before a term."""
        value = evaluate(expr, self.scope)
        if isinstance(value, int | Fraction) and not isinstance(value, bool):
            return float(value)
        if value is not POISON:
            help = "a loss is a sum of terms with numbers before them: `cross_entropy(main) + 0.3 * cross_entropy(aux)`"
            self.problems.report("E0307", f"the weight of a term is a number, got {show(value)}", expr.span, help=help)
        return 1.0

    def _defer(self, what: str, span: Span) -> None:
        message = f"{what} is not built yet"
        self.deferred.append(Diagnostic(NOT_BUILT, message, span, help="`check` reads it; `train` refuses the block"))


Blocks = Mapping[str, Mapping[str | None, tree.Train]]
"""The blocks of nets by name; one that has none is under None."""


def train_blocks(blocks: tuple[tree.Train, ...], context: Context) -> Blocks:
    """The blocks of each net that has any of its own; two of one name, and those of unknown nets, are reported."""
    found: dict[str, dict[str | None, tree.Train]] = {}
    for block in blocks:
        name, alias = block.net.text, block.alias and block.alias.text
        if name not in context.file.nets:
            help = did_you_mean(name, list(context.file.nets))
            context.problems.report("E0116", f"unknown net `{name}`", block.net.span, help=help)
            continue
        own = found.setdefault(name, {})
        if (other := own.get(alias)) is not None:
            what = f"`train {name} as {alias}`" if alias else f"`train {name}`"
            labels = [Label(other.net.span, "the first one")]
            help = f"give it a name of its own: `train {name} as finetune`"
            context.problems.report("E0103", f"{what} stands here twice", (block.alias or block.net).span, labels=labels, help=help)
        own.setdefault(alias, block)
    return found
