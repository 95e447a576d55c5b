"""Calls of blocks, and of nets like blocks: parameters, and the body on the current tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.diagnostics import Label, Span
from netspec.elaborate.aliases import Declared, meant, signature
from netspec.elaborate.binding import Signature, all_words, gather
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.limits import MAX_DEPTH, LimitExceeded
from netspec.elaborate.place import Application, Level, Place
from netspec.elaborate.problems import Frame
from netspec.elaborate.scope import Scope
from netspec.elaborate.values import POISON, Current, Given, Poison, Tensor
from netspec.syntax import tree


def call_block(at: Application, block: Declared) -> Current:
    """The value of a block's body, or of a net's; its labels become those of the line that it is called on."""
    place, name = at.place, block.name.text
    found = meant(block, at.found.home or place.scope.context)
    if isinstance(found, Poison):
        return POISON
    called, what = found.item, signature(name, found.item.formals)
    given = gather(what, at.found.arguments, at.arguments, place.scope)
    if isinstance(given, Poison) or not _takes_one_tensor(called, at):
        return POISON
    frame = frame_of(at, name, given)
    scope = Scope(found.home, None, frame, entry=at.current)
    if not bind_formals(what, called.formals, found.given | given, scope, missing_at=at.step.name.span):
        return POISON
    place.build.budget.enter()
    path, own = place.line.block(name)
    weights, outer = place.build.weights, place.build.frame
    place.build.frame = frame
    level: Level = "inner" if isinstance(called, tree.Block) else "called"
    value = at.run(called.body.items, at.current, Place(place.build, scope, own, own, level=level, passes=place.passes))
    place.build.frame = outer
    place.line.close(path, name, place.build.weights > weights)
    if place.owner is not None:
        for label, inner in scope.labels.items():
            place.owner.inner[label] = None if label in place.owner.inner else inner
    return value.made_by(at.mark) if isinstance(value, Tensor) and value is not at.current else value


def _takes_one_tensor(called: tree.Block | tree.Net, at: Application) -> bool:
    """Whether this can be called on the current tensor: a block, or a net of one input."""
    if isinstance(called, tree.Block):
        return True
    inputs = [item for item in called.body.items if isinstance(item, tree.Input)]
    if len(inputs) == 1:
        return True
    message = f"`{at.step.name.text}` has the inputs {', '.join(item.name.text for item in inputs)}" if inputs else "a net without input"
    labels = [Label(item.span, "an input") for item in inputs[:2]]
    help = "a net of one input can be called like a block"
    at.place.scope.report("E0212", message, at.step.name.span, labels=labels, help=help)
    return False


def frame_of(at: Application, name: str, given: Mapping[str, Given]) -> Frame:
    """The call of a block or op, for the notes of what goes wrong in it."""
    outer = at.place.scope.frame
    depth = outer.depth + 1 if outer else 1
    if depth > MAX_DEPTH:
        message = f"`{name}`: blocks call each other more than {MAX_DEPTH} deep"
        raise LimitExceeded("E0503", message, "a block that calls itself needs an `if` that ends it")
    named = {item.name.text for item in at.arguments if item.name} | {item.name for item in at.found.arguments if item.name}
    written = tuple(item if item.name in named else Given(item.value, item.span) for item in given.values())
    return Frame(name, written, at.step.span, at.current, outer, depth, turns=at.place.scope.turns)


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
