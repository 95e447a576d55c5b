"""Steps that are calls: which layer, merge or block a name means, and layers themselves."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.diagnostics import Fix, Label, Span, did_you_mean, nearest
from netspec.elaborate.binding import Origins, bind_with_origins
from netspec.elaborate.blocks import call_block
from netspec.elaborate.merges import merge
from netspec.elaborate.misfits import argument_span, producer
from netspec.elaborate.origins import origins_of, stored
from netspec.elaborate.place import Application, Place, Runner, nothing_current
from netspec.elaborate.sharing import share
from netspec.elaborate.values import POISON, Current, Labelled, Pass, Poison, Tensor, Value, describe
from netspec.graph.types import Layer, Shape, ShapeError
from netspec.layers import LOSSES, layer_meant
from netspec.syntax import tree


def call(step: tree.Call, current: Current, place: Place, run: Runner, chain: tree.Chain) -> Current:
    """Elaborate a step; the value that is current after it."""
    try:
        return _call(step, current, place, run, chain)
    except ShapeError as error:  # of a size in an argument, or of what another error would say
        return place.scope.report(error.code, error.message, step.span if step.branches is None else step.name.span, help=error.help)


def _call(step: tree.Call, current: Current, place: Place, run: Runner, chain: tree.Chain) -> Current:
    found = place.scope.callable(step.name)
    if found is None:
        return share(step, current, place) if step.name.text == "share" else _unknown(step, place, chain)
    at = Application(step, found, current, place, run)
    if found.layer is not None and found.layer.merge:
        return merge(at, found.layer)
    if step.branches is not None and found.op is None:
        help = "`add`, `mul`, `max` and `concat` join branches"
        return place.scope.report("E0113", f"`{step.name.text}` joins nothing, so it takes no branches", step.name.span, help=help)
    if current is None:
        return nothing_current(step, place)
    if found.op is not None:
        from netspec.elaborate.ops import apply_op  # most files have none

        return apply_op(at, found.op)
    if found.block is not None:
        return call_block(at, found.block)
    if found.layer is not None:
        return _layer(at, found.layer)
    if step.arguments or found.arguments:
        return place.scope.report("E0107", "`skip` takes no arguments", step.span)
    return current


def _unknown(step: tree.Call, place: Place, chain: tree.Chain) -> Poison:
    name, span, scope = step.name.text, step.name.span, place.scope
    value = scope.find(name)
    if scope.poisoned(name):
        return POISON
    if value is not None:
        return _not_a_step(step, value, place, chain)
    if name in LOSSES:
        return scope.report("E0101", f"`{name}` is a loss, not a step of a net", span, help=f"in a `train` block: `loss = {name}`")
    known = list(scope.context.file.steps())
    message = f"unknown layer or block `{name}`"
    if meant := layer_meant(name, known):
        return scope.report("E0101", message, span, help=f"here it is called `{meant}`", fix=Fix(span, meant))
    fix = next((Fix(span, item) for item in nearest(name, known)), None)
    return scope.report("E0101", message, span, help=did_you_mean(name, known), fix=fix)


def _not_a_step(step: tree.Call, value: Value, place: Place, chain: tree.Chain) -> Poison:
    """A label or another value where a layer should be."""
    name, scope = step.name.text, place.scope
    if not isinstance(value, Labelled | Pass | Tensor):
        return scope.report("E0110", f"`{name}` is {describe(value)}, not a layer or block", step.name.span)
    first = chain.source is None and chain.steps[0] is step
    statement = scope.text(chain.span)
    help = f"say `from {statement}`" if first and len(statement) <= 60 else f"a line that starts with `from {name}` goes on from it"
    labels = [Label(value.span, "the label")] if isinstance(value, Labelled) else []
    fix = Fix(_before(step.span), "from ") if first else None
    return scope.report("E0110", f"`{name}` is a label, not a layer or block", step.name.span, labels=labels, help=help, fix=fix)


def _layer(at: Application, model: type[Layer]) -> Current:
    bound = _bound(at, model)
    if isinstance(bound, Poison) or not isinstance(at.current, Tensor):
        return POISON
    layer, origins = bound
    build = at.place.build
    try:
        facts = build.library.facts(layer, (at.current.shape,))
    except ShapeError as error:
        return _misfit(error, at, model, at.current)
    path = at.place.line.step(model.name, bool(facts.weights))
    if not facts.weights:
        return build.apply(facts, [at.current], path, at.mark)
    weights = origins_of(at, facts, origins)
    if isinstance(weights, Poison):
        return POISON
    if at.place.owner is not None and path is at.place.line.prefix:
        at.place.owner.weights = stored(build, facts)
    return build.apply(facts, [at.current], path, at.mark, *weights)


def _bound(at: Application, model: type[Layer]) -> tuple[Layer, Origins] | Poison:
    """The layer; of one and the same when a loop or block comes by again and nothing in the arguments can have changed."""
    known = at.place.build.library.fixed
    if (layer := known.get(id(at.step))) is not None:
        return layer, {}
    bound = bind_with_origins(model, at.step, at.arguments, at.found.arguments, at.place.scope)
    plain = at.found.name == at.step.name.text and not at.found.arguments
    if isinstance(bound, Poison) or not plain:
        return bound
    if not bound[1] and all(_is_literal(item.value) for item in at.arguments):
        known[id(at.step)] = bound[0]
    return bound


def _is_literal(expr: tree.Expr) -> bool:
    """Whether an expression means the same everywhere; `4k` does not where a `k` is in scope."""
    return isinstance(expr, tree.Dims) or (isinstance(expr, tree.Number) and expr.text[-1:].isdigit())


def _misfit(error: ShapeError, at: Application, model: type[Layer], current: Tensor) -> Poison:
    span = argument_span(error.argument, at, tuple(model.arguments())) or at.mark
    fix = None
    if error.code == "E0202" and len(current.shape) > 1 and "flatten" in (error.help or ""):
        fix = Fix(_before(at.step.span), "flatten -> ")
    labels = producer(current, span, at.place)
    known = at.place.build.is_input(current) and not at.place.build.symbols
    notes = [*error.notes, *(_channels_last(current.shape) if known else ())]
    report = at.place.scope.report
    return report(error.code, error.message, span, label=error.label, labels=labels, notes=notes, help=error.help, fix=fix)


def _channels_last(shape: Shape) -> Iterator[str]:
    """A note where an input looks as TensorFlow writes pictures."""
    match shape:
        case (height, width, (1 | 3 | 4) as channels) if min(height, width) > 4:
            yield f"shapes are [c, h, w]: was `[{channels}, {height}, {width}]` meant?"
        case _:
            return


def _before(span: Span) -> Span:
    """The place before a step, where text can be put in."""
    return Span(span.file, span.start, span.start, span.line, span.column)
