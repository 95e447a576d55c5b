"""Connection tables: convolutions of which each filter reads some of the channels alone, as C3 of LeNet-5 does (LeCun et al. 1998).

Every link has a kernel of its own. Those of a filter are taken in runs of channels that are equally far apart: a run is an ordinary
contraction, and what is not linked is not computed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from itertools import groupby
from operator import add

from netspec.graph.types import Shape, ShapeError
from netspec.kernels.affine import Axis, N
from netspec.kernels.formula import Formula, Tensor, d, each, total
from netspec.kernels.gradient import gradient
from netspec.kernels.scalar import Expr
from netspec.layers.correlation import Correlation
from netspec.layers.inputs import axes_of
from netspec.records import record

Link = tuple[int, int]
"""A filter, and a channel that it reads."""
MOST_LINKS = 1024
"""Each is a product of its own in some formula."""


@record
class Run:
    """Channels `first`, `first + step`, .. that filter c reads; their kernels stand one behind the other, from `number` on. Of gradients it
    is the other way round: filters that read channel c.
    """

    c: int
    first: int
    step: int
    count: int
    number: int

    def formula(self, found: Correlation, y: str) -> Formula:
        """What they add to the filter's result."""
        j = Axis("j", self.count)
        return found.part(self.c, j * self.step + self.first, j + self.number, y)

    def gradient(self, found: Correlation, shape: Shape, name: str) -> tuple[Formula, ...]:
        """Of a run of filters that all read channel c: what they add to its gradient."""
        j = Axis("j", self.count)
        formula = found.part(j * self.step + self.first, self.c, j + self.number, "y", "turned")
        return gradient(formula, "x", (N, *shape), name)[0].formulas


def linked(found: Correlation, links: tuple[Link, ...], *, bias: bool) -> tuple[Formula, ...]:
    """The convolution with these links, those of the first filter first: a sum for each run, and theirs with the bias."""
    levels = _levels(links)
    if len(levels) == 1 and not bias:
        return tuple(run.formula(found, "y") for run in levels[0])
    sums: list[Formula] = []
    for level, runs in reversed(list(enumerate(levels))):  # the first runs last: all filters have one, so what follows can join those
        sums += [run.formula(found, f"sum{level}") for run in runs]
    whole: list[Expr] = [Tensor(f"sum{level}")[found.place] for level in range(len(levels))]
    whole += [Tensor("bias")[found.c]] if bias else []
    return (*sums, each(Tensor("y")[found.place], reduce(add, whole)))


def linked_gradients(found: Correlation, links: tuple[Link, ...], shape: Shape, *, bias: bool) -> tuple[Formula, ...]:
    """Its gradients by the input, whose shape is given, and by the weights. To a channel all filters that read it are in runs, too, once
    the kernels are in the order of channels.
    """
    order = sorted(range(len(links)), key=lambda number: links[number][::-1])
    taps = found.taps
    formulas = [each(Tensor("turned")[to, *taps], Tensor("weight")[number, *taps]) for to, number in enumerate(order)]
    levels = _levels([(links[number][1], links[number][0]) for number in order])
    for level, runs in reversed(list(enumerate(levels))):
        formulas += [part for run in runs for part in run.gradient(found, shape, f"slope{level}")]
    place = axes_of(shape)
    whole: list[Expr] = [Tensor(f"slope{level}")[place] for level in range(len(levels))]
    formulas.append(each(Tensor(d("x"))[place], reduce(add, whole)))
    for run in (run for runs in _levels(links) for run in runs):
        formula = run.formula(found, d("y"))
        assert formula.factors is not None
        x, weight = formula.factors
        formulas.append(total(replace(weight, tensor=d("weight")), x * formula.out))
    return (*formulas, total(Tensor(d("bias"))[found.c], Tensor(d("y"))[found.place])) if bias else tuple(formulas)


def _levels(links: Sequence[Link]) -> list[list[Run]]:
    """The first run of every filter, then the second of those that have one, .."""
    levels: defaultdict[int, list[Run]] = defaultdict(list)
    number = 0
    for c, group in groupby(links, key=lambda link: link[0]):
        for level, (first, step, count) in enumerate(_progressions([i for _, i in group])):
            levels[level].append(Run(c, first, step, count, number))
            number += count
    return list(levels.values())


def _progressions(numbers: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Growing numbers as first, step and count of those that are equally far apart: 0, 3, 4, 5 is 0, 3 and 4, 5."""
    while numbers:
        first, step = numbers[0], numbers[1] - numbers[0] if len(numbers) > 1 else 1
        count = next((k for k, number in enumerate(numbers) if number != first + k * step), len(numbers))
        yield first, step, count
        numbers = numbers[count:]


def links_of(table: Sequence[str | Sequence[int]], channels: int, filters: int) -> tuple[Link, ...]:
    """The links of a table with a row for each channel and a column for each filter, those of the first filter first.

    Raises ShapeError (E0206).
    """
    if len(table) != channels:
        raise _bad(
            f"connection table has {_counted(len(table), 'row')}, needs {channels}",
            f"a row for each of the {channels} channels of the input",
        )
    for number, row in enumerate(table, 1):
        shown = f'row {number} is "{row}"' if isinstance(row, str) else f"row {number} is {[int(item) for item in row]}"
        if len(row) != filters:
            raise _bad(f"connection table row {number} has {_counted(len(row), 'column')}, needs {filters}", shown)
        if strange := next((item for item in row if isinstance(item, str) and item not in "X."), None):
            raise _bad(f"connection table row {number} holds `{strange}`", f"{shown}: `X` is a link, `.` is none")
    links = [(c, i) for c in range(filters) for i, row in enumerate(table) if row[c] in ("X", 1)]
    if len(links) > MOST_LINKS:
        raise _bad(f"connection table has {len(links):,} links, at most {MOST_LINKS:,}", "`groups` cut large layers into parts")
    if missing := sorted(set(range(filters)) - {c for c, _ in links}):
        raise _bad(f"connection table column {missing[0] + 1} has no link", "a filter that reads nothing is its bias alone: leave it out")
    return tuple(links)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _bad(message: str, help: str) -> ShapeError:
    return ShapeError(message, code="E0206", argument="connect", help=help)
