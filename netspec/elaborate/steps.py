"""Steps that are calls: layers, merges, blocks."""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Sequence
from dataclasses import replace

from netspec.diagnostics import Fix, Label, Span, did_you_mean, nearest
from netspec.elaborate.binding import all_words, argument_names, bind, gather
from netspec.elaborate.evaluate import evaluate, evaluate_truth, not_yet
from netspec.elaborate.limits import MAX_DEPTH, LimitExceeded
from netspec.elaborate.place import Place
from netspec.elaborate.problems import Frame
from netspec.elaborate.scope import UNBUILT, Scope
from netspec.elaborate.values import POISON, Callable, Current, Given, Labelled, Poison, Tensor, describe, show, tensor_of
from netspec.graph.types import Layer, ShapeError
from netspec.layers import LOSSES
from netspec.syntax import tree

Runner = Function[[Sequence[tree.Item], Current, Place], Current]
"""What elaborates the items of a body: blocks and branches are bodies."""


def call(step: tree.Call, current: Current, place: Place, run: Runner, chain: tree.Chain) -> Current:
    """Elaborate a step; the value that is current after it."""
    found = place.scope.callable(step.name)
    if found is None:
        return _unknown(step, place, chain)
    if found.layer is not None and found.layer.merge:
        return _merge(step, found, found.layer, current, place, run)
    if step.branches is not None:
        message = f"`{step.name.text}` joins nothing, so it takes no branches"
        help = "`add`, `mul`, `max` and `concat` join branches"
        return place.scope.context.problems.report("E0113", message, step.name.span, frame=place.scope.frame, help=help)
    if current is None:
        return _nothing_current(step, place)
    if found.block is not None:
        return _block(step, found, found.block, current, place, run)
    if found.layer is not None:
        return _layer(step, found, found.layer, current, place)
    if step.arguments or found.arguments:
        return place.scope.context.problems.report("E0107", "`skip` takes no arguments", step.span, frame=place.scope.frame)
    return current


def mark(step: tree.Call) -> Span:
    """Where a step is pointed at: the call, or the name when branches follow."""
    return step.span if step.branches is None else step.name.span


def _unknown(step: tree.Call, place: Place, chain: tree.Chain) -> Poison:
    name, problems, scope = step.name.text, place.scope.context.problems, place.scope
    value = scope.find(name)
    if scope.poisoned(name):
        return POISON
    if value is not None:
        return _not_a_step(step, value, place, chain)
    if name == "share":
        return not_yet("`share`", step, scope)
    if name in scope.context.file.nets:
        return not_yet(f"the net `{name}` called as a block", step.name, scope)
    if name in UNBUILT:
        return problems.report("E0602", f"layer `{name}` is not built yet", step.name.span, frame=scope.frame)
    if name in LOSSES:
        help = f"losses stand in a `train` block: `loss = {name}`"
        return problems.report("E0101", f"`{name}` is a loss, not a step of a net", step.name.span, frame=scope.frame, help=help)
    known = [*scope.context.file.steps(), *UNBUILT]
    fix = next((Fix(step.name.span, item) for item in nearest(name, known)), None)
    help = did_you_mean(name, known)
    return problems.report("E0101", f"unknown layer or block `{name}`", step.name.span, frame=scope.frame, help=help, fix=fix)


def _not_a_step(step: tree.Call, value: object, place: Place, chain: tree.Chain) -> Poison:
    """A label or another value where a layer should be."""
    name, problems = step.name.text, place.scope.context.problems
    if not isinstance(value, Labelled | Tensor):
        message = f"`{name}` is {describe(value)}, not a layer or block"  # pyright: ignore[reportArgumentType]
        return problems.report("E0110", message, step.name.span, frame=place.scope.frame)
    first = chain.source is None and chain.steps[0] is step
    statement = problems.text(chain.span)
    help = f"say `from {statement}`" if first and len(statement) <= 60 else f"a line that starts with `from {name}` goes on from it"
    labels = [Label(value.span, "the label")] if isinstance(value, Labelled) else []
    fix = Fix(Span(step.span.file, step.span.start, step.span.start, step.span.line, step.span.column), "from ") if first else None
    message = f"`{name}` is a label, not a layer or block"
    return problems.report("E0110", message, step.name.span, frame=place.scope.frame, labels=labels, help=help, fix=fix)


def _nothing_current(step: tree.Call, place: Place) -> Poison:
    names = [name for name, _ in place.build.inputs]
    if len(names) > 1:
        message = f"`{step.name.text}` has no input: the net has the inputs {', '.join(names)}, and none of them is current"
        help = f"say which: `from {names[0]} -> {place.scope.context.problems.text(mark(step))}`"
    else:
        message = f"`{step.name.text}` has no input: nothing is current here"
        help = "a net starts with `input image[1, 28, 28]`"
    return place.scope.context.problems.report("E0111", message, mark(step), frame=place.scope.frame, help=help)


def _layer(step: tree.Call, found: Callable, model: type[Layer], current: Current, place: Place) -> Current:
    layer = bind(model, step, step.arguments or (), found.arguments, place.scope)
    if isinstance(layer, Poison) or not isinstance(current, Tensor):
        return POISON
    try:
        facts = place.build.library.facts(layer, (current.shape,))
    except ShapeError as error:
        return _misfit(error, step, found, model, current, place)
    path = place.line.step(model.name, bool(facts.weights))
    return place.build.apply(layer, facts, [current], path, mark(step))


def _misfit(error: ShapeError, step: tree.Call, found: Callable, model: type[Layer], current: Tensor, place: Place) -> Poison:
    span = _argument_span(error.argument, step, found, model) or mark(step)
    fix = None
    if error.code == "E0202" and len(current.shape) > 1 and "flatten" in (error.help or ""):
        fix = Fix(Span(step.span.file, step.span.start, step.span.start, step.span.line, step.span.column), "flatten -> ")
    return place.scope.context.problems.report(
        error.code,
        error.message,
        span,
        frame=place.scope.frame,
        label=error.label,
        labels=_producer(current, span, place),
        notes=error.notes,
        help=error.help,
        fix=fix,
    )


def _producer(tensor: Tensor, span: Span, place: Place) -> list[Label]:
    """The step that made a tensor, unless it is the one that is pointed at."""
    if tensor.span.start <= span.start and span.end <= tensor.span.end:
        return []
    verb = "the input is" if place.build.is_input(tensor) else "produces"
    return [Label(tensor.span, f"{verb} {show(tensor)}")]


def _argument_span(argument: str | None, step: tree.Call, found: Callable, model: type[Layer]) -> Span | None:
    names = argument_names(model)
    if argument not in names:
        return None
    place = sum(item.name is None for item in found.arguments)
    for item in step.arguments or ():
        if (item.name.text if item.name else names[place] if place < len(names) else None) == argument:
            return item.span
        place += item.name is None
    return next((item.span for k, item in enumerate(found.arguments) if (item.name or names[k]) == argument), None)


def _merge(step: tree.Call, found: Callable, model: type[Layer], current: Current, place: Place, run: Runner) -> Current:
    positional = [item for item in step.arguments or () if item.name is None]
    keywords = [item for item in step.arguments or () if item.name is not None]
    problems, frame = place.scope.context.problems, place.scope.frame
    if step.branches is not None and positional:
        help = "either branches, or labels that join the current tensor"
        return problems.report("E0113", f"`{model.name}` takes branches or labels, not both", positional[0].span, frame=frame, help=help)
    if step.branches is None and not positional:
        help = f"`{model.name} {{ | .. | skip }}` joins branches, `{model.name}(label)` the current tensor with a named one"
        return problems.report("E0113", f"`{model.name}` has nothing to join", step.name.span, frame=frame, help=help)
    layer = bind(model, step, keywords, found.arguments, place.scope)
    if step.branches is not None:
        joined = _branches(step.branches, current, place, run)
    elif current is None:
        return _nothing_current(step, place)
    else:
        joined = [(current, step.name.span), *((_named(item, model, place), item.span) for item in positional)]
    if isinstance(layer, Poison) or any(not isinstance(value, Tensor) for value, _ in joined):
        return POISON
    tensors = [(value, span) for value, span in joined if isinstance(value, Tensor)]
    if not tensors:
        help = "give one branch without `when`"
        return problems.report("E0113", f"no branch of `{model.name}` is left: every guard is false", step.name.span, frame=frame, help=help)
    return tensors[0][0] if len(tensors) == 1 else _joined(step, found, model, layer, tensors, place)


def _branches(branches: Sequence[tree.Branch], current: Current, place: Place, run: Runner) -> list[tuple[Current, Span]]:
    """The value of each branch that exists, and where it is pointed at."""
    found: list[tuple[Current, Span]] = []
    inner = replace(place, level="inner")
    for branch in branches:
        if branch.guard is not None:
            chosen = evaluate_truth(branch.guard, place.scope, "a guard")
            if isinstance(chosen, Poison):
                found.append((POISON, branch.span))
            if chosen is not True:
                continue
        if not branch.items:
            place.scope.context.problems.report("E0005", "an empty branch", branch.span, frame=place.scope.frame, help="`skip` is the identity")
        value = run(branch.items, current, inner)
        if value is None:
            message = "the branch has no input: nothing is current here"
            value = place.scope.context.problems.report("E0111", message, branch.span, frame=place.scope.frame, help="start it with `from`")
        found.append((value, _last_mark(branch)))
    return found


def _last_mark(branch: tree.Branch) -> Span:
    """The last step of a branch."""
    for item in reversed(branch.items):
        if isinstance(item, tree.Statement):
            step = item.chain.steps[-1] if item.chain.steps else None
            return mark(step) if isinstance(step, tree.Call) else item.chain.span
    return branch.span


def _named(argument: tree.Argument, model: type[Layer], place: Place) -> Current:
    value = evaluate(argument.value, place.scope)
    if (tensor := tensor_of(value)) is not None:
        return tensor
    text = place.scope.context.problems.text(argument.span)
    message = f"`{model.name}` joins tensors, `{text}` is {describe(value)}"
    help = f"its arguments by name: {', '.join(argument_names(model))}" if argument_names(model) else None
    return place.scope.context.problems.report("E0106", message, argument.span, frame=place.scope.frame, help=help)


def _joined(step: tree.Call, found: Callable, model: type[Layer], layer: Layer, joined: Sequence[tuple[Tensor, Span]], place: Place) -> Current:
    tensors = [tensor for tensor, _ in joined]
    try:
        facts = place.build.library.facts(layer, tuple(tensor.shape for tensor in tensors))
    except ShapeError as error:
        which = int(error.argument[1:]) if error.argument and error.argument[1:].isdigit() else None
        if which is None:
            span, labels = _argument_span(error.argument, step, found, model) or step.name.span, []
        else:
            span = joined[which][1]
            first = joined[0]
            own = Label(first[1], show(first[0]))
            labels = [own] if step.branches is not None else _producer(first[0], span, place)
        return place.scope.context.problems.report(
            error.code, error.message, span, frame=place.scope.frame, label=error.label, labels=labels, notes=error.notes, help=error.help
        )
    path = place.line.step(model.name, bool(facts.weights))
    return place.build.apply(layer, facts, tensors, path, mark(step))


def _block(step: tree.Call, found: Callable, block: tree.Block, current: Current, place: Place, run: Runner) -> Current:
    names = [formal.name.text for formal in block.formals]
    given = gather(block.name.text, names, found.arguments, step.arguments or (), place.scope, lambda _: all_words(None))
    if isinstance(given, Poison):
        return POISON
    outer = place.scope.frame
    depth = outer.depth + 1 if outer else 1
    if depth > MAX_DEPTH:
        message = f"`{block.name.text}`: blocks call each other more than {MAX_DEPTH} deep"
        raise LimitExceeded("E0503", message, "a block that calls itself needs an `if` that ends it")
    place.build.budget.enter()
    written = tuple(replace(item, name=item.name if _keyword(item, step, found) else None) for item in given.values())
    frame = Frame(block.name.text, written, step.span, current, outer, depth)
    scope = Scope(place.scope.context, None, frame, entry=current)
    if not bind_formals(block.name.text, block.formals, given, step.name.span, scope, place.scope):
        return POISON
    path, own = place.line.block(block.name.text)
    weights = place.build.weights
    value = run(block.body.items, current, Place(place.build, scope, own, own, passes=place.passes))
    place.line.close(path, block.name.text, place.build.weights > weights)
    if place.owner is not None:
        for name, label in scope.labels.items():
            place.owner.inner[name] = None if name in place.owner.inner else label
    return replace(value, span=mark(step)) if isinstance(value, Tensor) and value is not current else value


def _keyword(item: Given, step: tree.Call, found: Callable) -> bool:
    return any(a.name and a.name.text == item.name for a in step.arguments or ()) or any(g.name == item.name for g in found.arguments)


def bind_formals(what: str, formals: Sequence[tree.Formal], given: dict[str, Given], span: Span, scope: Scope, outer: Scope) -> bool:
    """Define parameters in `scope`: as given, else by their defaults. Missing ones are reported where they are missing."""
    missing = [formal.name.text for formal in formals if formal.default is None and formal.name.text not in given]
    if missing:
        named = " and ".join(f"`{name}`" for name in missing)
        help = f"as `{what}({', '.join(formal.name.text for formal in formals if formal.default is None)})`"
        scope.context.problems.report("E0105", f"`{what}` needs {named}", span, frame=outer.frame, help=help)
        return False
    for formal in formals:
        if (item := given.get(formal.name.text)) is not None:
            scope.define(formal.name, item.value)
        elif formal.default is not None:
            scope.define(formal.name, evaluate(formal.default, scope, all_words(None)))
    return True
