"""Calls of blocks: parameters, and the body on the current tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.diagnostics import Span
from netspec.elaborate.binding import Signature, all_words, gather
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.limits import MAX_DEPTH, LimitExceeded
from netspec.elaborate.place import Application, Place
from netspec.elaborate.problems import Frame
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import POISON, Current, Given, Poison, Tensor
from netspec.syntax import tree


def call_block(at: Application, block: tree.Block) -> Current:
    """The value of a block's body; its labels become those of the line that it is called on."""
    place, name = at.place, block.name.text
    what = signature(name, block.formals)
    given = gather(what, at.found.arguments, at.arguments, place.scope)
    if isinstance(given, Poison):
        return POISON
    frame = _frame(at, block, given)
    scope = Scope(place.scope.context, None, frame, entry=at.current)
    if not bind_formals(what, block.formals, given, scope, missing_at=at.step.name.span):
        return POISON
    place.build.budget.enter()
    path, own = place.line.block(name)
    weights, outer = place.build.weights, place.build.frame
    place.build.frame = frame
    value = at.run(block.body.items, at.current, Place(place.build, scope, own, own, passes=place.passes))
    place.build.frame = outer
    place.line.close(path, name, place.build.weights > weights)
    if place.owner is not None:
        for label, found in scope.labels.items():
            place.owner.inner[label] = None if label in place.owner.inner else found
    return value.made_by(at.mark) if isinstance(value, Tensor) and value is not at.current else value


def signature(name: str, formals: Sequence[tree.Formal]) -> Signature:
    """What a block or net takes: any value, words of layers among them."""
    return Signature(name, tuple(formal.name.text for formal in formals), lambda _: all_words(None))


def _frame(at: Application, block: tree.Block, given: Mapping[str, Given]) -> Frame:
    outer = at.place.scope.frame
    depth = outer.depth + 1 if outer else 1
    if depth > MAX_DEPTH:
        message = f"`{block.name.text}`: blocks call each other more than {MAX_DEPTH} deep"
        raise LimitExceeded("E0503", message, "a block that calls itself needs an `if` that ends it")
    named = {item.name.text for item in at.arguments if item.name} | {item.name for item in at.found.arguments if item.name}
    written = tuple(item if item.name in named else Given(item.value, item.span) for item in given.values())
    return Frame(block.name.text, written, at.step.span, at.current, outer, depth)


def bind_formals(what: Signature, formals: Sequence[tree.Formal], given: Mapping[str, Given], scope: Scope, *, missing_at: Span) -> bool:
    """Define parameters in `scope`: as given, else by their defaults. Whether none is missing."""
    missing = [formal.name.text for formal in formals if formal.default is None and formal.name.text not in given]
    if missing:
        named = " and ".join(f"`{name}`" for name in missing)
        help = f"as `{what.name}({', '.join(formal.name.text for formal in formals if formal.default is None)})`"
        outer = scope.frame.outer if scope.frame else None
        scope.context.problems.report("E0105", f"`{what.name}` needs {named}", missing_at, frame=outer, help=help)
        return False
    for formal in formals:
        if (item := given.get(formal.name.text)) is not None:
            scope.define(formal.name, item.value)
        elif formal.default is not None:
            scope.define(formal.name, evaluate(formal.default, scope, all_words(None)))
    return True
