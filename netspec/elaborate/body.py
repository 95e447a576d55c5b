"""Bodies: statements one after the other, each taking the current tensor and leaving another; labels, results, control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import assert_never

from netspec.diagnostics import Label
from netspec.elaborate.arithmetic import Trouble, items
from netspec.elaborate.binding import all_words
from netspec.elaborate.declared import check_shape
from netspec.elaborate.evaluate import evaluate, evaluate_truth, evaluate_whole
from netspec.elaborate.place import BRANCH, Place
from netspec.elaborate.problems import Frame
from netspec.elaborate.scope import Scope
from netspec.elaborate.steps import call
from netspec.elaborate.values import POISON, Current, Labelled, Pass, Poison, Tensor, Value, show, tensor_of
from netspec.graph.types import ShapeError
from netspec.records import record
from netspec.syntax import tree


def run(body: Sequence[tree.Item], current: Current, place: Place) -> Current:
    """Elaborate the items of a body; its value is what is current at its end."""
    for item in body:
        try:
            current = _item(item, current, place)
        except ShapeError as error:
            current = place.scope.report(error.code, error.message, item.span, help=error.help)
    return current


def _item(item: tree.Item, current: Current, place: Place) -> Current:
    match item:
        case tree.Statement():
            return _statement(item, current, place)
        case tree.Input():
            return _input(item, current, place)
        case tree.Let():
            place.scope.define(item.name, evaluate(item.value, place.scope, all_words(None)))
        case tree.Head():
            _head(item, current, place)
        case tree.OutputNames():
            _outputs(item, place)
        case _:
            assert_never(item)
    return current


def _statement(item: tree.Statement, current: Current, place: Place) -> Current:
    if item.label is None:
        first = len(place.build.applied)
        value = _chain(item.chain, current, place, None)
        if item.shape is not None:
            check_shape(item.shape, item.chain, value, first, place)
        return value
    return _line(item.label, item.chain, item.shape, current, place).value


def _line(label: tree.Name, chain: tree.Chain, shape: tree.Shape | None, current: Current, place: Place) -> Labelled:
    """A labelled line, and its label, which is defined from here on."""
    owner = Labelled(label.text, label.span, first=len(place.build.applied))
    owner.again = _Line(chain, place.scope, len(place.scope.values))
    names = place.body.line(label.text)
    owner.value = _chain(chain, current, replace(place, line=names, owner=owner), owner)
    owner.last = len(place.build.applied)
    if shape is not None:
        check_shape(shape, chain, owner.value, owner.first, place)
    place.scope.define(label, owner)
    return owner


@record
class _Line:
    """The steps of a labelled line, to be repeated: its chain, its scope, and how many names there were above it."""

    chain: tree.Chain
    scope: Scope
    known: int

    def __call__(self, current: Current, place: Place, frame: Frame) -> Current:
        """Their result for another tensor. What they label anew belongs to the line that repeats them."""
        scope = Scope(self.scope.context, self.scope.parent, frame, self.scope.entry)
        scope.values = dict(islice(self.scope.values.items(), self.known))
        chain = replace(self.chain, source=None)
        return _chain(chain, current, replace(place, scope=scope), place.owner)


def _chain(chain: tree.Chain, current: Current, place: Place, label: Labelled | None) -> Current:
    if chain.source is not None:
        current = _source(chain.source, place)
    for step in chain.steps:
        place.build.where = step.span
        match step:
            case tree.Call():
                current = call(step, current, place, run, chain)
            case tree.Repeat():
                current = _repeat(step, current, place, label)
            case tree.For():
                current = _for(step, current, place, label)
            case tree.If():
                current = _if(step, current, place)
            case _:
                assert_never(step)
        if current is POISON and place.build.sound is None:
            place.build.sound = len(place.build.applied)
    if place.level == "net" and isinstance(current, Tensor):
        place.build.ends[chain.span] = current.shape
    return current


def _source(source: tree.Expr, place: Place) -> Current:
    value = evaluate(source, place.scope)
    if (tensor := tensor_of(value)) is not None or (isinstance(value, Labelled | Pass) and value.value is None):
        return tensor
    message = f"`from` needs a label or an input, `{place.scope.text(source.span)}` is {show(value)}"
    return place.scope.report("E0114", message, source.span)


def _repeat(step: tree.Repeat, current: Current, place: Place, label: Labelled | None) -> Current:
    count = evaluate_whole(step.count, place.scope, "the count of `repeat`")
    if isinstance(count, Poison):
        return POISON
    count = int(count)  # a size that is not known yet is none
    if count < 0:
        message = f"`repeat` cannot run {count} times"
        return place.scope.report("E0106", message, step.count.span)
    names = () if step.index is None else (step.index,)
    place.build.budget.loop(count, place.passes)
    return _loop(_Passes(names, range(count), step.body), current, place, label)


def _for(step: tree.For, current: Current, place: Place, label: Labelled | None) -> Current:
    value = evaluate(step.values, place.scope)
    if value is POISON:
        return POISON
    try:
        values = items(value, "`for`")
    except Trouble as trouble:
        return place.scope.report(trouble.code, trouble.message, step.values.span, help=trouble.help)
    for element in values if len(step.names) > 1 else ():
        if not isinstance(element, tuple) or len(element) != len(step.names):
            names = ", ".join(item.text for item in step.names)
            message = f"`for {names}` needs elements of {len(step.names)} parts, got {show(element)}"
            return place.scope.report("E0108", message, step.values.span)
    place.build.budget.loop(len(values), place.passes)
    return _loop(_Passes(step.names, values, step.body), current, place, label)


@record
class _Passes:
    """A loop that is about to run: `names` take the parts of each value in turn."""

    names: tuple[tree.Name, ...]
    values: Sequence[Value]
    body: tree.Body

    def scope(self, value: Value, outer: Scope) -> Scope:
        """The scope of one pass."""
        scope = outer.inner()
        parts = value if len(self.names) > 1 and isinstance(value, tuple) else (value,)
        for name, part in zip(self.names, parts, strict=False):
            scope.define(name, part)
        return scope


def _loop(loop: _Passes, current: Current, place: Place, label: Labelled | None) -> Current:
    """Run the passes; on a labelled line they are named by their number, else they count on."""
    weights = place.build.weights
    passes = place.passes * max(1, len(loop.values))
    for number, value in enumerate(loop.values):
        place.build.budget.enter()
        scope = loop.scope(value, place.scope)
        scope.turn = number, len(loop.values), loop.names
        if label is not None:
            own = line = place.line.next_pass()
        else:
            own = place.body.unlabelled_loop()
            line = own if place.line is place.body else place.line
        current = run(loop.body.items, current, Place(place.build, scope, own, line, passes=passes))
        if label is not None:
            label.passes.append(Pass(current, scope.labels))
        if current is POISON:
            break  # the other passes would only say it again
    if place.build.weights > weights:
        place.line.free = False
    return current


def _if(step: tree.If, current: Current, place: Place) -> Current:
    chosen = evaluate_truth(step.condition, place.scope, "the condition of `if`")
    if isinstance(chosen, Poison):
        return POISON
    body = step.then if chosen else step.otherwise
    return current if body is None else run(body.items, current, place.within(BRANCH[place.level]))


def _input(item: tree.Input, current: Current, place: Place) -> Current:
    scope = place.scope
    if place.level not in ("net", "called"):
        help = "a block's input is the tensor that it is called on"
        return scope.report("E0112", "`input` stands only at the top of a net", item.span, help=help)
    if place.level == "called":
        return _entered(item, current, place)
    if place.build.applied:
        scope.report("E0112", "`input` stands above the first step", item.span, help="move it up")
        return POISON
    value = _input_value(item, place)
    scope.define(item.name, Labelled(item.name.text, item.span, value))
    if not place.build.single_input:
        return current  # with several inputs none is current, and `in` means none
    scope.entry = value
    return value


def _entered(item: tree.Input, current: Current, place: Place) -> Current:
    """The input of a net that is called like a block: the tensor that it is called on, which must be as declared."""
    scope = place.scope
    dims = _bound(item, current, place) if isinstance(current, Tensor) else ()
    scope.define(item.name, Labelled(item.name.text, item.span, current))
    if POISON in dims or not isinstance(current, Tensor) or dims == current.shape:
        return current
    frame = scope.frame
    assert frame is not None, "a call has a frame"
    takes = scope.text(item.shape.span) if len(dims) != len(current.shape) else show(dims)
    message = f"`{frame.name}` takes {item.name.text} {takes}, the current tensor is {show(current)}"
    labels = [Label(item.shape.span, "declared here")]
    return scope.context.problems.report("E0212", message, frame.span, frame=frame.outer, labels=labels)


def _bound(item: tree.Input, current: Tensor, place: Place) -> tuple[int | Poison, ...]:
    """The dimensions of an input of a net that is called: those that are names alone are bound by the tensor that it is called on."""
    dims, scope = item.shape.dims, place.scope
    if len(dims) != len(current.shape):
        return ()
    for dim, size in zip(dims, current.shape, strict=True):
        if isinstance(dim, tree.Reference) and dim.arguments is None and scope.find(dim.name.text) is None:
            scope.values[dim.name.text] = size
    if item.where is not None and evaluate_truth(item.where, scope, "a fact") is False:
        message = f"`{scope.text(item.where.span)}` does not hold for {show(current)}"
        return (scope.report("E0213", message, item.where.span),)
    return tuple(_dimensions(item, place))


def _dimensions(item: tree.Input, place: Place) -> list[int | Poison]:
    scope = place.scope
    return [evaluate_whole(dim, scope, "a dimension") for dim in item.shape.dims]


def _input_value(item: tree.Input, place: Place) -> Current:
    scope, dims = place.scope, _dimensions(item, place)
    shape = tuple(dim for dim in dims if not isinstance(dim, Poison))
    if len(shape) < len(dims):
        return POISON
    if not 1 <= len(shape) <= 3 or any(size < 1 for size in shape):
        help = "`[c, h, w]` is a picture, `[t, f]` are steps of features, `[f]` is a vector; the batch is not written"
        return scope.report("E0210", f"an input cannot be {list(shape)}", item.shape.span, help=help)
    return place.build.input(item.name.text, shape, item.span)


def _head(item: tree.Head, current: Current, place: Place) -> None:
    if _results_allowed(item, place):
        line = _line(item.name, item.chain, item.shape, current, place)
        _result(item.name, line.value, place)


def _outputs(item: tree.OutputNames, place: Place) -> None:
    if not _results_allowed(item, place):
        return
    for name in item.names:
        value = evaluate(tree.Reference(name, None, name.span), place.scope)
        if (tensor := tensor_of(value)) is None:
            place.scope.report("E0114", f"`{name.text}` is {show(value)}, not a label", name.span)
        _result(name, tensor or POISON, place)


def _results_allowed(item: tree.Head | tree.OutputNames, place: Place) -> bool:
    if place.level == "inner":
        message = "`output` stands only in a net, or in an `if` of it"
        help = "what is current at the end of a block is its value; label a line to reach it from outside"
        place.scope.report("E0112", message, item.span, help=help)
    return place.level != "inner"


def _result(name: tree.Name, value: Current, place: Place) -> None:
    if place.level.startswith("called"):
        return  # a label is all that it is
    if name.text in place.build.outputs:
        place.scope.report("E0103", f"the result `{name.text}` is named twice", name.span)
    place.build.outputs[name.text] = value
