"""Merges: branches, or the current tensor with named ones, become one tensor."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.diagnostics import Label, Span
from netspec.elaborate.binding import bind
from netspec.elaborate.evaluate import evaluate, evaluate_truth
from netspec.elaborate.misfits import argument_span, producer
from netspec.elaborate.place import Application, mark
from netspec.elaborate.values import POISON, Callable, Current, Poison, Tensor, describe, show, tensor_of
from netspec.graph.types import Layer, ShapeError
from netspec.syntax import tree

Joined = tuple[Tensor, Span]
"""A tensor that is joined, and where its branch is pointed at."""


def merge(at: Application, model: type[Layer]) -> Current:
    """Elaborate a merge. One branch that is left is the value; none is an error."""
    named = [item for item in at.arguments if item.name is None]
    if (misused := _misused(at, model, named)) is not None:
        return misused
    layer = bind(model, at.step, [item for item in at.arguments if item.name is not None], at.found.arguments, at.place.scope)
    if at.step.branches is not None:
        joined = _branches(at, at.step.branches)
    else:
        joined = [(at.current, at.step.name.span), *((_named(item, model, at), item.span) for item in named)]
    tensors = [(value, span) for value, span in joined if isinstance(value, Tensor)]
    if isinstance(layer, Poison) or len(tensors) < len(joined):
        return POISON
    if not tensors:
        message = f"no branch of `{model.name}` is left: every guard is false"
        return at.place.scope.report("E0113", message, at.step.name.span, help="give one branch without `when`")
    return tensors[0][0] if len(tensors) == 1 else join(at, layer, tensors)


def _misused(at: Application, model: type[Layer], named: Sequence[tree.Argument]) -> Poison | None:
    if at.step.branches is not None and named:
        help = "either branches, or labels that join the current tensor"
        return at.place.scope.report("E0113", f"`{model.name}` takes branches or labels, not both", named[0].span, help=help)
    if at.step.branches is None and not named:
        help = f"`{model.name} {{ | .. | skip }}` joins branches, `{model.name}(label)` the current tensor with a named one"
        return at.place.scope.report("E0113", f"`{model.name}` has nothing to join", at.step.name.span, help=help)
    if at.step.branches is None and at.current is None:
        help = f"`from a -> {at.place.scope.text(at.mark)}`"
        return at.place.scope.report("E0111", f"`{model.name}` has no input: nothing is current here", at.mark, help=help)
    return None


def _branches(at: Application, branches: Sequence[tree.Branch]) -> list[tuple[Current, Span]]:
    """The value of each branch that exists, and where it is pointed at."""
    found: list[tuple[Current, Span]] = []
    scope, inner = at.place.scope, at.place.within("inner")
    for branch in branches:
        if branch.guard is not None:
            chosen = evaluate_truth(branch.guard, scope, "a guard")
            if isinstance(chosen, Poison):
                found.append((POISON, branch.span))
            if chosen is not True:
                continue
        value = at.run(branch.items, at.current, inner)
        if value is None:
            value = scope.report("E0111", "the branch has no input: nothing is current here", branch.span, help="start it with `from`")
        found.append((value, _last_step(branch)))
    return found


def _last_step(branch: tree.Branch) -> Span:
    """Where a branch is pointed at."""
    last = branch.items[-1] if branch.items else None
    if not isinstance(last, tree.Statement):
        return branch.span
    step = last.chain.steps[-1] if last.chain.steps else None
    return mark(step) if isinstance(step, tree.Call) else last.chain.span


def _named(argument: tree.Argument, model: type[Layer], at: Application) -> Current:
    scope = at.place.scope
    value = evaluate(argument.value, scope)
    if (tensor := tensor_of(value)) is not None:
        return tensor
    message = f"`{model.name}` joins tensors, `{scope.text(argument.span)}` is {describe(value)}"
    if isinstance(value, Callable):
        help = f"steps stand in branches: `{model.name} {{ | {scope.text(argument.span)} | .. }}`"
    else:
        help = f"its arguments by name: {', '.join(model.arguments())}" if model.arguments() else None
    return scope.report("E0106", message, argument.span, help=help)


def join(at: Application, layer: Layer, joined: Sequence[Joined]) -> Current:
    """Apply a layer to tensors."""
    tensors = [tensor for tensor, _ in joined]
    try:
        facts = at.place.build.library.facts(layer, tuple(tensor.shape for tensor in tensors))
    except ShapeError as error:
        return _misfit(error, at, layer, joined)
    path = at.place.line.step(layer.name, bool(facts.weights))
    return at.place.build.apply(facts, tensors, path, at.mark)


def _misfit(error: ShapeError, at: Application, layer: Layer, joined: Sequence[Joined]) -> Poison:
    """At the branch that does not fit, with the first one beside it."""
    first, beside = joined[0]
    if error.argument and error.argument[1:].isdigit():
        span = joined[int(error.argument[1:])][1]
        labels = producer(first, span, at.place) if at.step.branches is None else [Label(beside, show(first))]
    else:
        span, labels = argument_span(error.argument, at, tuple(layer.arguments())) or at.step.name.span, []
    return at.place.scope.report(error.code, error.message, span, label=error.label, labels=labels, notes=error.notes, help=error.help)
