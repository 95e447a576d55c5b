"""`op`: the user's own layers. Declared, checked at the defaults of their numbers, called as steps and within each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import isfinite

from netspec.diagnostics import Span
from netspec.elaborate.arithmetic import FUNCTIONS, OP_ONLY, Trouble
from netspec.elaborate.binding import Signature, gather, validate
from netspec.elaborate.blocks import frame_of
from netspec.elaborate.elements import Elements, Reported, Term, element, references
from netspec.elaborate.evaluate import NO_WORDS, evaluate
from netspec.elaborate.merges import join
from netspec.elaborate.place import Application
from netspec.elaborate.problems import Frame
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import POISON, Current, Given, Poison, Tensor, describe, exact, is_number, tensor_of
from netspec.kernels.pointwise import value_at
from netspec.kernels.scalar import Expr, derivative
from netspec.layers import layer_of, operand
from netspec.schema import Argument, number_argument
from netspec.syntax import tree

POINTS = (0.0, -0.0, 88.0, -88.0, 1e4, -1e4)
"""Where an op should be finite: at zero, at the ends of exp's range, and at what a diverging net brings."""


class Op:
    """An op of a file, and the `Definition` of its layer."""

    def __init__(self, item: tree.Op, top: Scope) -> None:
        self.item, self.top = item, top
        self.name = item.name.text
        self.tensors = tuple(formal.name.text for formal in item.formals if formal.default is None)
        self.layer = layer_of(self)
        further = tuple(formal.name.text for formal in item.formals if formal.name.text not in self.tensors[:1])
        self.signature = Signature(self.name, further, lambda _: NO_WORDS)
        """What a step gives: all but the current tensor."""
        self._defaults: dict[str, float] | None = None
        self._known: dict[tuple[float, ...], Expr | Poison] = {}
        self._busy = False

    # ── what its layer asks ──────────────────────────────────────────────────────────────────────

    def arguments(self) -> Mapping[str, Argument]:
        """The numbers."""
        return {name: number_argument(name, value) for name, value in self.defaults().items()}

    def defaults(self) -> Mapping[str, float]:
        """The numbers when none is given, evaluated when first asked for: the constants of the file are known then."""
        if self._defaults is None:
            self._defaults = {f.name.text: self._default(f.default) for f in self.item.formals if f.default is not None}
        return self._defaults

    def _default(self, expr: tree.Expr) -> float:
        value = evaluate(expr, self.top)
        if is_number(value):
            return float(value)
        if value is not POISON:
            message, help = (
                f"the default of an op's parameter is a number, got {describe(value)}",
                "a parameter without default is a tensor",
            )
            self.top.report("E0106", message, expr.span, help=help)
        return 0.0

    def body(self, values: Mapping[str, float]) -> Expr:
        """The formula of an op without errors."""
        found = self.formula(values)
        assert isinstance(found, Expr), self.name
        return found

    # ── its meaning ──────────────────────────────────────────────────────────────────────────────

    def formula(self, values: Mapping[str, float], frame: Frame | None = None) -> Expr | Poison:
        """The formula where its numbers have these values; what is wrong with it is reported once."""
        key = tuple(values[name] for name in self.arguments())
        if key not in self._known:
            numbers = {name: exact(Fraction(repr(value))) for name, value in values.items()}
            scope = Scope(self.top.context, self.top, frame)
            self._busy = True
            try:
                terms = numbers | {name: operand(k) for k, name in enumerate(self.tensors)}
                self._known[key] = body = element(self._term(terms, scope))
                self._lint(body, scope)
            except Reported:
                self._known[key] = POISON
            except Trouble as trouble:
                self._known[key] = scope.report(trouble.code, trouble.message, self.item.value.span, help=trouble.help)
            finally:
                self._busy = False
        return self._known[key]

    def _term(self, terms: Mapping[str, Term], scope: Scope) -> Term:
        return Elements(scope, terms).term(self.item.value)

    def within(self, call: tree.Reference, placed: Sequence[Term], named: Sequence[tuple[str, Term]], scope: Scope) -> Term:
        """Its value in the formula of another op."""
        if self._busy:
            scope.report("E0115", f"`{self.name}` is defined by itself", call.span, help="an op cannot call itself")
            raise Reported
        if self.formula(self.defaults()) is POISON:
            raise Reported
        given = {name: exact(Fraction(repr(value))) for name, value in self.defaults().items()} | self._given(placed, named)
        for name in self.defaults():
            if not is_number(given[name]):
                raise Trouble(f"`{name}` of `{self.name}` must be a number, not one for each element", "E0106")
        self._busy = True
        try:
            return self._term(given, self.top)
        finally:
            self._busy = False

    def _given(self, placed: Sequence[Term], named: Sequence[tuple[str, Term]]) -> dict[str, Term]:
        names = [formal.name.text for formal in self.item.formals]
        if len(placed) > len(names):
            raise Trouble(f"`{self.name}` takes {len(names)} arguments, got {len(placed)}", "E0107", f"they are: {', '.join(names)}")
        given = dict(zip(names, placed, strict=False))
        for name, value in named:
            if name not in names:
                raise Trouble(f"`{self.name}` has no argument `{name}`", "E0104", f"it has {', '.join(names)}")
            if name in given:
                raise Trouble(f"the argument `{name}` of `{self.name}` is given twice", "E0107")
            given[name] = value
        if missing := [name for name in self.tensors if name not in given]:
            raise Trouble(f"`{self.name}` needs {' and '.join(f'`{name}`' for name in missing)}", "E0105")
        return given

    # ── checks ───────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """Report what is wrong with the declaration, and with the formula at the defaults."""
        report, formals = self.top.report, self.item.formals
        if self.name in {*FUNCTIONS, *OP_ONLY}:
            report("E0103", f"`{self.name}` is already the name of a function", self.item.name.span, help="choose another name")
        seen: set[str] = set()
        used = set(references(self.item.value))
        for formal in formals:
            name = formal.name.text
            if name in seen or self.top.find(name) is not None:
                report("E0103", f"`{name}` is already the name of a value", formal.span, help="choose another name: nothing may be hidden")
            elif name not in used:
                report("E0118", f"`{self.name}` does not use its parameter `{name}`", formal.span, help="leave it out")
            seen.add(name)
        if not self.tensors:
            help = f"as `op {self.name}(x) = ..`: a parameter without default is a tensor"
            report("E0118", f"`{self.name}` has no tensor to compute with", self.item.name.span, help=help)
        elif seen <= used:
            self.formula(self.defaults())

    def _lint(self, body: Expr, scope: Scope) -> None:
        """Warn where the value or a derivative is not finite, with the first such point of each."""
        notes = [note for what, expr in self._parts(body) if (note := self._not_finite(what, expr, scope)) is not None]
        if notes:
            message = f"`{self.name}` is not finite everywhere"
            help = (
                "`max(x, 1e-6)` or `if x > 0 then .. else ..` keeps away from there; `softplus(x)` is finite where `log(1 + exp(x))` is not"
            )
            problems = scope.context.problems
            problems.report("W0307", message, self.item.value.span, frame=scope.frame, notes=notes, help=help, severity="warning")

    def _parts(self, body: Expr) -> Iterator[tuple[str, Expr]]:
        yield "its value", body
        for k, name in enumerate(self.tensors):
            yield f"its derivative by `{name}`", derivative(body, operand(k))

    def _not_finite(self, what: str, expr: Expr, scope: Scope) -> str | None:
        for point in _points(len(self.tensors)):
            known: dict[int, float] = {}
            value = value_at(expr, {f"x{k}": item for k, item in enumerate(point)}, known)
            scope.context.budget.evaluate(len(known))
            if not isfinite(value):
                where = ", ".join(f"{name} = {item:g}" for name, item in zip(self.tensors, point, strict=True))
                return f"{what} is {value} at {where}"
        return None


def _points(tensors: int) -> Iterator[tuple[float, ...]]:
    """All pairs for two tensors; for more, where all are equal, and each by itself beside ones."""
    if tensors <= 2:
        yield from product(POINTS, repeat=tensors)
        return
    for point in POINTS:
        yield (point,) * tensors
        yield from (tuple(point if k == j else 1.0 for k in range(tensors)) for j in range(tensors))


def apply_op(at: Application, op: Op) -> Current:
    """Elaborate a step that is an op: on the current tensor, and on those that its arguments name."""
    scope, model = at.place.scope, op.layer
    if at.step.branches is not None:
        help = f"name the other tensors: `from a -> {op.name}(b)`"
        return scope.report("E0113", f"`{op.name}` is an op, it takes no branches", at.step.name.span, help=help)
    given = gather(op.signature, at.found.arguments, at.arguments, scope)
    if isinstance(given, Poison):
        return POISON
    joined = _tensors(at, op, given)
    numbers = {name: item for name, item in given.items() if name not in op.tensors}
    layer = validate(model, numbers, at.step.name.span, scope)
    if joined is None or isinstance(layer, Poison):
        return POISON
    values = {name: vars(layer)[argument.attribute] for name, argument in model.arguments().items()}
    if op.formula(values, frame_of(at, op.name, numbers)) is POISON:
        return POISON
    return join(at, layer, joined)


def _tensors(at: Application, op: Op, given: Mapping[str, Given]) -> list[tuple[Tensor, Span]] | None:
    """The tensors of the op in order, and where each is pointed at; None when one is missing, or is none."""
    scope, others = at.place.scope, op.tensors[1:]
    if missing := [name for name in others if name not in given]:
        help = f"the first is the current tensor, the others are named: `from {op.tensors[0]} -> {op.name}({', '.join(others)})`"
        scope.report("E0105", f"`{op.name}` needs {' and '.join(f'`{name}`' for name in missing)}", at.mark, help=help)
        return None
    found: list[tuple[Current, Span]] = [(at.current, at.mark)]
    for name in others:
        tensor, span = tensor_of(given[name].value), given[name].span
        if tensor is None:
            message = f"`{name}` of `{op.name}` is a tensor, got {describe(given[name].value)}"
            scope.report("E0106", message, span, help="a label, an input or an address leads to a tensor")
        found.append((tensor, span))
    sound = [(tensor, span) for tensor, span in found if isinstance(tensor, Tensor)]
    return sound if len(sound) == len(found) else None
