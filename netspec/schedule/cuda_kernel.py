"""From a chain to a kernel: the normal form in which equal work is equal data, so that it is compiled once.

Axes of length 1 vanish, elementwise chains lose their shape, tensors and axes get names that depend on their part in the chain alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from keyword import kwlist

from netspec.kernels.affine import Affine, Axis, Extent, N, affine, size_of
from netspec.kernels.formula import Formula
from netspec.kernels.scalar import PRIMITIVES, Access, Call, Expr, Random, RuntimeScalar, accesses, transform
from netspec.schedule.cuda_program import COUNT, Kernel, Parameter
from netspec.schedule.nest import Chain

VALUE = "value"
"""What a chain passes on from formula to formula."""
RESERVED = frozenset({VALUE, COUNT, "images", "element", "total", "best", "at", "here", "cuda", "float32", "inf", "range", "random"})
"""Names that a kernel's source uses itself, beside the scalars, the primitives and Python's keywords."""
WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a chain is part of: the shapes of all tensors, which of them are weights, the scalars of a step."""

    shapes: Mapping[str, tuple[Extent, ...]]
    weights: Collection[str]
    scalars: tuple[str, ...]


def kernel_of(chain: Chain, around: Surroundings) -> tuple[Kernel, tuple[str, ...]]:
    """The kernel of a chain, without a name, and the tensors that are its arguments."""
    chain = _without_ones(chain)
    flat = _flattened(chain, around)
    shapes = around.shapes
    if flat is not None:
        chain = flat
        kept = chain.formula.kept
        read = {access.tensor for access in _outer(chain) if access.indices == tuple(map(affine, kept))}
        shapes = {**around.shapes, **dict.fromkeys(read, (COUNT,))}
    taken = {*RESERVED, *PRIMITIVES, *around.scalars, *kwlist}
    chain = _with_own_axes(chain, taken)
    names = _parameter_names(chain, around, flat is not None, taken)
    parameters = tuple(Parameter(name, shapes[tensor]) for tensor, name in names.items())
    return Kernel("", _renamed(chain, names), parameters, _scalars(chain, around.scalars)), tuple(names)


def formulas_of(chain: Chain) -> tuple[Formula, ...]:
    """All formulas of a chain, in order."""
    return (chain.formula, *chain.epilogues)


def linear(access: Access, shape: tuple[Extent, ...]) -> Affine:
    """The position of an element in a row-major tensor of this shape, in floats."""
    shape = access.view or shape
    assert all(isinstance(extent, int) for extent in shape[1:]), f"{access}: the batch is not the first dimension of {shape}"
    position = Affine()
    for dimension, index in enumerate(access.indices):
        position += index * size_of(shape[dimension + 1 :])
    return position


def word(label: str, number: int) -> str:
    """A label as a word of at most 40 characters for generated code, w and the number where it has none."""
    text = re.sub(r"[.:/#]+", "_", label).lower()
    return text if WORD.fullmatch(text) else f"w{number}"


def _changed(chain: Chain, values: Mapping[Axis, Affine]) -> Chain:
    return Chain(chain.formula.substitute(values), tuple(item.substitute(values) for item in chain.epilogues))


def _without_ones(chain: Chain) -> Chain:
    return _changed(chain, {axis: Affine() for item in formulas_of(chain) for axis in item.axes if axis.extent == 1})


def _outer(chain: Chain) -> Iterator[Access]:
    """The accesses to what is outside: the results, then what is read, in order."""
    yield chain.out
    if chain.formula.argument is not None:
        yield chain.formula.argument
    before = None
    for formula in formulas_of(chain):
        yield from (access for access in accesses(formula.body) if access.tensor != before)
        before = formula.out.tensor


# ── elementwise work ─────────────────────────────────────────────────────────────────────────────


def _flattened(chain: Chain, around: Surroundings) -> Chain | None:
    """The chain over one axis, where all tensors but single elements are read and written at the same position; None where they are not."""
    formula, shape = chain.formula, around.shapes[chain.out.tensor]
    whole = size_of(tuple(axis.extent for axis in formula.kept)) == size_of(shape)  # a part of a tensor has gaps
    if formula.combine != "none" or not formula.kept or not whole:
        return None
    here, axis = linear(chain.out, shape), Axis("i", COUNT)

    def change(leaf: Expr) -> Expr:
        match leaf:
            case Access(tensor) if linear(leaf, around.shapes[tensor]) == here:
                return Access(tensor, (affine(axis),))
            case Random(stream, position) if position == here:
                return Random(stream, affine(axis))
            case _:
                return leaf

    made: list[Formula] = []
    for item in formulas_of(chain):
        out = change(item.out)
        assert isinstance(out, Access)
        made.append(replace(item, out=out, body=transform(item.body, change)))
    return Chain(made[0], tuple(made[1:])) if all(item.axes == (axis,) for item in made) else None


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def _with_own_axes(chain: Chain, taken: set[str]) -> Chain:
    """Every axis with a name of its own."""
    axes = dict.fromkeys(axis for formula in formulas_of(chain) for axis in formula.axes)
    names = {axis: unique(axis.name if WORD.fullmatch(axis.name) else "i", taken) for axis in axes}
    return _changed(chain, {axis: affine(Axis(name, axis.extent)) for axis, name in names.items() if name != axis.name})


def _parameter_names(chain: Chain, around: Surroundings, flat: bool, taken: set[str]) -> dict[str, str]:
    """What the kernel calls each tensor from outside: results `y` and `y_at`, weights by their own name, values `x`."""
    names = {chain.out.tensor: unique("y", taken)}
    if chain.formula.argument is not None:
        names[chain.formula.argument.tensor] = unique("y_at", taken)
    for access in _outer(chain):
        if access.tensor not in names:
            names[access.tensor] = unique(_part(access.tensor, around.weights, flat), taken)
    return names


def _part(tensor: str, weights: Collection[str], flat: bool) -> str:
    """`c1.weight/momentum` -> weight_momentum, `d:c1.weight#0` -> d_weight, `train/peak` -> peak, all other values x: no label of a user's.

    To a kernel that is `flat`, all weights are alike.
    """
    path, *rest = tensor.removeprefix("d:").partition("#")[0].split("/")
    weight = "weight" if flat else path.rpartition(".")[2]
    words = [*(["d"] if tensor.startswith("d:") else []), *([weight] if path in weights else [] if rest else ["x"]), *rest]
    return word("_".join(words), 0)


def unique(name: str, taken: set[str]) -> str:
    """The name, with a number behind where it is taken; taken from now on."""
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def _renamed(chain: Chain, names: Mapping[str, str]) -> Chain:
    inner = {formula.out.tensor for formula in formulas_of(chain)[:-1]}
    assert inner.isdisjoint(names), f"{chain}: a formula reads more of the chain than the one before it"
    made = [formula.rename(lambda tensor: names.get(tensor, VALUE)) for formula in formulas_of(chain)]
    return Chain(made[0], tuple(made[1:]))


def _scalars(chain: Chain, known: tuple[str, ...]) -> tuple[str, ...]:
    used = {"N"} if any(axis.extent == N for axis in chain.formula.reduced) else set[str]()
    used |= {name for formula in formulas_of(chain) for name in _used(formula.body)}
    assert used <= set(known), f"{chain} needs {used}, a step has {known}"
    return tuple(name for name in known if name in used)


def _used(body: Expr) -> Iterator[str]:
    match body:
        case RuntimeScalar(name):
            yield name
        case Random():
            yield "key"
        case Call(_, arguments):
            for item in arguments:
                yield from _used(item)
        case _:
            return
