"""`:: [..]` behind the statements of nets, where all nets that the statement serves agree on the shape.

A dimension that follows a parameter is written as that parameter, `:: [classes]`, or as `_` where it follows it in another way: whether
it does is found by setting the parameter to one more. So a declared shape stays true under `--set`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.diagnostics import Source, Span, SpecError
from netspec.elaborate import CheckedNet, elaborate, examine
from netspec.graph.types import Shape
from netspec.syntax import tree

Ends = dict[Span, Shape | None]
"""Of each chain: what it ends with, None where that differs."""

_Insertion = tuple[int, int, str]
"""Characters of a text, and what takes their place. Shapes are put into one column, which the layout keeps."""


def annotated(source: Source, spec: tree.Spec) -> str:
    """The text with shapes behind statements of one line that have none. Raises SpecError for a spec with errors."""
    found = elaborate(spec, source)
    shapes = _ends(found.nets)
    varied = {name: (value, _varied(source, spec, name, value + 1)) for name, value in _whole_parameters(spec).items()}
    found = [_inserted_shapes(net, source.text, shapes, varied) for net in spec.declarations if isinstance(net, tree.Net)]
    return _replaced(source.text, [item for items in found for item in items])


def _inserted_shapes(net: tree.Net, text: str, shapes: Ends, varied: Mapping[str, tuple[int, Ends]]) -> list[_Insertion]:
    """What follows the chains of a net, those shapes that are there already among them."""
    found: list[_Insertion] = []
    for item in net.body.items:
        if not isinstance(item, tree.Statement | tree.Head) or "\n" in text[item.span.start : item.span.end]:
            continue
        if item.shape is None and _is_choice(item.chain):
            continue
        chain, shape = item.chain.span, shapes.get(item.chain.span)
        if item.shape is not None:
            found.append((chain.end, item.shape.span.end, f":: {text[item.shape.span.start : item.shape.span.end]}"))
        elif shape is not None and (written := _written(chain, shape, varied)) is not None:
            found.append((chain.end, chain.end, written))
    columns = [start - text.rfind("\n", 0, start) for start, _, _ in found]
    return [(start, end, " " * (max(columns) - at + 1) + new) for (start, end, new), at in zip(found, columns, strict=True)]


def _is_choice(chain: tree.Chain) -> bool:
    """Whether it ends with an `if`, whose shape depends on more than the net."""
    return bool(chain.steps) and isinstance(chain.steps[-1], tree.If)


def _ends(nets: Sequence[CheckedNet]) -> Ends:
    ends: Ends = {}
    for net in nets:
        for chain, shape in net.ends.items():
            ends[chain] = shape if str(ends.setdefault(chain, shape)) == str(shape) else None
    return ends


def _whole_parameters(spec: tree.Spec) -> dict[str, int]:
    """Parameters of the file and its nets whose default is a whole number."""
    found: dict[str, int] = {}
    for item in spec.declarations:
        if isinstance(item, tree.Param) and isinstance(item.value, tree.Number) and isinstance(item.value.value, int):
            found[item.name.text] = item.value.value
        for formal in item.formals if isinstance(item, tree.Net) else ():
            if isinstance(formal.default, tree.Number) and isinstance(formal.default.value, int):
                found[formal.name.text] = formal.default.value
    return found


def _varied(source: Source, spec: tree.Spec, name: str, value: int) -> Ends:
    try:
        return _ends(examine(spec, source, {name: value}).nets)
    except SpecError:  # not a value that the parameter takes
        return {}


def _written(chain: Span, shape: Shape, varied: Mapping[str, tuple[int, Ends]]) -> str | None:
    """The shape as it is declared; None when every dimension follows something."""
    dims = [str(dim) for dim in shape]
    for name, (value, ends) in varied.items():
        other = ends.get(chain)
        if chain in ends and (other is None or len(other) != len(shape)):
            return None
        for k, dim in enumerate(other or ()):
            if str(dim) != str(shape[k]):
                dims[k] = name if (str(shape[k]), str(dim)) == (str(value), str(value + 1)) and dims[k].isdecimal() else "_"
    return None if set(dims) == {"_"} else f":: [{', '.join(dims)}]"


def _replaced(text: str, insertions: Sequence[_Insertion]) -> str:
    for start, end, new in sorted(insertions, reverse=True):
        text = text[:start] + new + text[end:]
    return text
