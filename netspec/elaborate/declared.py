"""`:: [c, h, w]` after a statement: the declared shape against the computed one, and the padding that would make them equal."""

from __future__ import annotations

from netspec.diagnostics import Label
from netspec.elaborate.evaluate import evaluate_whole
from netspec.elaborate.place import Place
from netspec.elaborate.values import ANY, POISON, Current, Tensor, Wildcard
from netspec.graph.sizes import is_whole
from netspec.graph.types import Layer, Shape, ShapeError
from netspec.schema import Whole
from netspec.syntax import tree

_COUNTS = {1: "one", 2: "two", 3: "three", 4: "four", 6: "six", 8: "eight"}


def check_shape(declared: tree.Shape, chain: tree.Chain, value: Current, first: int, place: Place) -> None:
    """Report a shape that is not as declared. `first` is the number of layers above the statement."""
    dims = [_dimension(dim, place) for dim in declared.dims]
    if not isinstance(value, Tensor) or POISON in dims:
        return
    try:
        _compare(declared, dims, chain, value, first, place)
    except ShapeError as error:
        place.scope.report(error.code, error.message, declared.span, help=error.help)


def _compare(declared: tree.Shape, dims: list[object], chain: tree.Chain, value: Tensor, first: int, place: Place) -> None:
    if len(dims) == len(value.shape) and all(want is ANY or want == have for want, have in zip(dims, value.shape, strict=True)):
        return
    written = f"[{', '.join('_' if dim is ANY else str(dim) for dim in dims)}]"
    wanted = tuple(dim if is_whole(dim) else None for dim in dims)
    place.scope.report(
        "E0203",
        f"declared `:: {written}`, inferred {list(value.shape)}",
        declared.span,
        labels=[Label(value.span, f"produces {list(value.shape)}")] if chain.steps else [],
        help=_padding_help(wanted, value, first, place),
    )


def _dimension(dim: tree.Expr, place: Place) -> object:
    if isinstance(dim, tree.Reference) and dim.name.text == "_" and dim.arguments is None:
        return Wildcard.ANY
    return evaluate_whole(dim, place.scope, "a dimension")


def _padding_help(wanted: tuple[int | None, ...], value: Tensor, first: int, place: Place) -> str:
    """The padding of one layer of the statement with which the shape is as declared, if there is one."""
    build = place.build
    steps = build.applied[first:]
    if any(len(item.inputs) != 1 for item in steps) or any(isinstance(size, Whole) for size in value.shape):
        return f"write `:: {list(value.shape)}`, or change the steps before it"
    for k, item in enumerate(steps):
        if getattr(item.facts.layer, "pad", None) != 0:
            continue
        for pad in range(1, 8):
            layers = [item.facts.layer.replaced(pad=pad), *(step.facts.layer for step in steps[k + 1 :])]
            shape = _through(layers, item.facts.inputs[0])
            if shape is not None and len(shape) == len(wanted) and all(w in (None, s) for w, s in zip(wanted, shape, strict=True)):
                lost = shape[-1] - value.shape[-1]
                pixels = f"{_COUNTS.get(lost, lost)} pixel{'s per axis are' if lost != 1 else ' per axis is'}"
                return f"{pixels} lost at `{place.scope.text(item.span)}`: add `pad={pad}`?"
    return f"write `:: {list(value.shape)}`, or change the steps before it"


def _through(layers: list[Layer], shape: Shape) -> Shape | None:
    """The shape behind a chain of layers, None where one does not fit."""
    try:
        for layer in layers:
            shape = layer.infer(shape)
    except ShapeError:
        return None
    return shape
