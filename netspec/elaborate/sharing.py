"""`share(a)`: the steps of a line once more, with the same weights."""

from __future__ import annotations

from netspec.elaborate.build import Sharing
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.limits import MAX_DEPTH, LimitExceeded
from netspec.elaborate.place import Place, nothing_current
from netspec.elaborate.problems import Frame
from netspec.elaborate.values import POISON, Current, Labelled, Poison, Tensor, describe
from netspec.syntax import tree


def share(step: tree.Call, current: Current, place: Place) -> Current:
    """Repeat a labelled line, without its `from`, on the current tensor."""
    label = _line(step, place)
    if isinstance(label, Poison) or current is POISON:
        return POISON
    if current is None:
        return nothing_current(step, place)
    assert label.again is not None
    build, outer = place.build, place.scope.frame
    depth = outer.depth + 1 if outer else 1
    if depth > MAX_DEPTH:
        raise LimitExceeded("E0503", f"`share({label.name})`: lines share each other more than {MAX_DEPTH} deep", "share the first of them")
    build.budget.enter()
    own = place.line.part("share")
    frame = Frame(f"share({label.name})", (), step.span, current, outer, depth)
    before, around = build.sharing, build.frame
    build.sharing, build.frame = before or Sharing(build, label, step.span), frame
    try:
        value = label.again(current, Place(build, place.scope, own, own, place.owner, passes=place.passes), frame)
    finally:
        build.sharing, build.frame = before, around
    return value.made_by(step.span) if isinstance(value, Tensor) and value is not current else value


def _line(step: tree.Call, place: Place) -> Labelled | Poison:
    """The line that is meant."""
    scope, arguments = place.scope, step.arguments or ()
    if len(arguments) != 1 or arguments[0].name is not None or step.branches is not None:
        help = "`b: from right -> share(a)` repeats the steps of the line `a`"
        return scope.report("E0105", "`share` takes one label", step.span, help=help)
    value = evaluate(arguments[0].value, scope)
    if isinstance(value, Poison):
        return POISON
    if not isinstance(value, Labelled) or value.again is None:
        what = "an input" if isinstance(value, Labelled) else describe(value)
        message = f"`share` repeats a labelled line, `{scope.text(arguments[0].span)}` is {what}"
        return scope.report("E0114", message, arguments[0].span, help="label a line, as `a: conv(16, 3x3) -> relu`, and share(a)")
    return POISON if value.value is POISON else value
