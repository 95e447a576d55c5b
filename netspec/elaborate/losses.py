"""A loss is a sum of terms: which tensor each reads, what it is compared with, and whether the two go together."""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from netspec.diagnostics import Span, did_you_mean
from netspec.elaborate.problems import Problems
from netspec.elaborate.results import CheckedNet
from netspec.graph.types import Shape, ShapeError
from netspec.layers import LOSSES
from netspec.syntax import tree
from netspec.training import FIELD, Term, TrainPlan


def weighted(expr: tree.Expr, weight: Function[[tree.Expr], float], scale: float = 1.0) -> Iterator[tuple[float, tree.Expr]]:
    """The terms of `a + 0.3 * b - (c + d) / 2`, each with its weight. `weight` evaluates the numbers."""
    match expr:
        case tree.Binary("+", left, right) | tree.Binary("-", left, right):
            yield from weighted(left, weight, scale)
            yield from weighted(right, weight, scale if expr.operator == "+" else -scale)
        case tree.Binary("*", left, right) if _is_sum(right) or not _is_sum(left):
            yield from weighted(right, weight, scale * weight(left))
        case tree.Binary("*", left, right):
            yield from weighted(left, weight, scale * weight(right))
        case tree.Binary("/", left, right):
            yield from weighted(left, weight, scale / (weight(right) or 1.0))
        case tree.Unary("-", operand):
            yield from weighted(operand, weight, -scale)
        case _:
            yield scale, expr


def _is_sum(expr: tree.Expr) -> bool:
    """Whether a loss stands in an expression."""
    match expr:
        case tree.Binary(_, left, right):
            return _is_sum(left) or _is_sum(right)
        case tree.Unary(_, operand):
            return _is_sum(operand)
        case _:
            return isinstance(expr, tree.Reference) and expr.name.text in LOSSES


def bound(plan: TrainPlan, net: CheckedNet, spans: Sequence[Span], problems: Problems, parameters: frozenset[str]) -> TrainPlan:
    """The plan with each term of its loss bound to values of the net's graph and fields of the data; reports what cannot be.

    `spans`: where the terms stand. `parameters`: what `--set` may change.
    """
    shapes = dict(net.inputs) | {row.path: row.output for row in net.rows}
    fields: dict[str, Shape] = {}
    terms: list[Term] = []
    for term, span in zip(plan.loss, spans, strict=True):
        check = _Check(net, plan, shapes, span, problems, parameters)
        terms.append(check.bound(term, fields))
    return replace(plan, loss=tuple(terms))


@dataclass(frozen=True)
class _Check:
    """One term, and all that it is checked against."""

    net: CheckedNet
    plan: TrainPlan
    shapes: dict[str, Shape]
    span: Span
    problems: Problems
    parameters: frozenset[str]

    def bound(self, term: Term, fields: dict[str, Shape]) -> Term:
        """The term with what it reads; `fields` are those of the terms before it, with the shapes of their samples."""
        output = self._output(term)
        if output is None:
            return term
        wanted = self._wanted(term, self.shapes[output])
        if wanted is None:
            return replace(term, output=output)
        name = term.loss.target
        if name is None or (name in self._keywords() and name not in self.net.inputs):  # a keyword may name an input, too
            return self._field(replace(term, output=output, target=name or term.target), wanted, fields)
        value = name if name in self.net.inputs else self.net.labels.get(name) or self.net.outputs.get(name)
        if value is not None:
            self._same_shape(term, wanted, value, output)
            return replace(term, output=output, target=value, field=False)
        if not self._has_field(name):
            return replace(term, output=output)
        return self._field(replace(term, output=output, target=name), wanted, fields)

    def _report(self, code: str, message: str, help: str | None = None, notes: Sequence[str] = ()) -> None:
        self.problems.report(code, message, self.span, help=help, notes=notes)

    def _output(self, term: Term) -> str | None:
        """The value that the loss is of."""
        outputs, labels, name = self.net.outputs, self.net.labels, term.loss.output
        if name is None and len(outputs) == 1:
            return next(iter(outputs.values()))
        if name is None:
            help = f"name one: `{term.loss.name}({next(iter(outputs))})`"
            self._report("E0304", f"loss `{term.loss.name}`: the net has outputs {', '.join(outputs)}", help)
            return None
        if (found := outputs.get(name) or labels.get(name)) is None:
            help = did_you_mean(name, [*outputs, *labels]) or f"it has {', '.join(f'`{item}`' for item in outputs)}"
            self._report("E0102", f"loss `{term.loss.name}`: the net has no output or label `{name}`", help)
        return found

    def _wanted(self, term: Term, output: Shape) -> Shape | None:
        """The shape of a sample's target, by the loss's own rule; None where it does not take the output."""
        layer = LOSSES[term.loss.name](**term.loss.options())
        try:
            layer.infer(output)
        except ShapeError as error:
            self.problems.report("E0302", error.message, self.span, help=error.help, label=error.label, notes=error.notes)
            return None
        return layer.target(output)

    def _keywords(self) -> dict[str, str]:
        return {} if self.plan.data is None else self.plan.data.fields

    def _has_field(self, name: str) -> bool:
        """Whether the data may have a field of this name: only an archive has others than the loss's own."""
        if name == FIELD or self.plan.data is None or self.plan.data.archive:
            return True
        known = [FIELD, *self.net.inputs, *self.net.labels]
        help = did_you_mean(name, known) or f"the field of `{self.plan.data.name}` is `{FIELD}`"
        self._report("E0102", f"the data has no field, the net no input or label `{name}`", help)
        return False

    def _field(self, term: Term, wanted: Shape, fields: dict[str, Shape]) -> Term:
        before = fields.setdefault(term.target, wanted)
        if before != wanted:
            message = f"`{term.loss.name}` needs {_sample(wanted)} as `{term.target}`, a term before it {_sample(before)}"
            self._report("E0302", message, "compare them with different fields of the data")
        self._check_classes(term)
        return term

    def _same_shape(self, term: Term, wanted: Shape, value: str, output: str) -> None:
        """The target is a tensor of the net: of the shape that the loss wants."""
        found = self.shapes[value]
        if term.loss.targets == "classes":
            message = f"`{term.loss.name}` compares with a class, `{term.loss.target}` is a tensor {list(found)}"
            self._report("E0302", message, "name a field of the data, or take a loss that compares values, as `mse`")
        elif found != wanted:
            named = term.loss.output or "the output"
            message = f"`{term.loss.name}` needs equal shapes: `{named}` is {list(self.shapes[output])}, `{term.loss.target}` {list(found)}"
            self._report("E0302", message, "the target of a loss has the shape of its output")

    def _check_classes(self, term: Term) -> None:
        """The number of classes, where the reader knows it."""
        classes = getattr(self.plan.data, "classes", None)
        count = self.shapes[term.output or ""][-1]
        if term.loss.targets == "classes" and isinstance(classes, int) and count != classes:
            help = f"`--set classes={classes}`" if "classes" in self.parameters else f"end the net with {classes} outputs"
            self._report("E0302", f"`{term.loss.name}` has {count} logits, the data {classes} classes", help)


def _sample(shape: Shape) -> str:
    return f"values {list(shape)}" if shape else "a class"
