"""Spec -> nets: names, blocks, parameters, shapes, train blocks, expectations. Every error of a file is collected, each cause once."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from netspec.diagnostics import Source, SpecError, UsageError, did_you_mean
from netspec.elaborate.build import Build
from netspec.elaborate.expect import expectations
from netspec.elaborate.limits import LimitExceeded
from netspec.elaborate.memory import memory
from netspec.elaborate.modes import check_names
from netspec.elaborate.nets import Elaborator, Setting, addresses
from netspec.elaborate.plans import check_plan
from netspec.elaborate.problems import Problems, TooMany
from netspec.elaborate.results import CheckedNet, Elaborated, Expectation, Row
from netspec.elaborate.symbols import smallest
from netspec.elaborate.train import Binder, Blocks, train_blocks
from netspec.elaborate.values import Tensor
from netspec.syntax import tree
from netspec.training import TrainPlan

__all__ = ["CheckedNet", "Elaborated", "Expectation", "Row", "Setting", "elaborate", "examine"]

_FRAMES = 12_000
"""Python frames for 64 calls of blocks within each other, each of 64 bodies: what the limits allow must not end in a RecursionError."""

_MOMENTUM = 1
"""Numbers kept beside each weight where no train block says which optimizer: sgd with momentum."""


def elaborate(spec: tree.Spec, source: Source, settings: Mapping[str, Setting] | None = None, *, net: str | None = None) -> Elaborated:
    """The nets of a file. `settings` override `param`s and nets' parameters; `net` chooses one net by name.

    Raises SpecError with every error of the file, UsageError for a setting or net that the file does not have.
    """
    found = examine(spec, source, settings, net=net)
    if found.failed:
        raise SpecError(found.diagnostics, [source, *found.imported])
    return found


def examine(
    spec: tree.Spec,
    source: Source,
    settings: Mapping[str, Setting] | None = None,
    *,
    net: str | None = None,
    refused: Sequence[str] = (),
) -> Elaborated:
    """As `elaborate`, but errors are only in the result: what is right of a file can be shown beside them.

    `refused` are conditions, `params > 60k`: each that is true of a net is an error.
    """
    problems = Problems(source)
    nets: list[CheckedNet] = []
    expected: list[Expectation] = []
    carried: tuple[tuple[str, str], ...] | None = source.carried
    with _deep(), suppress(TooMany):
        work = Elaborator(spec, source, problems, settings or {})
        carried = work.files.carried
        try:
            _elaborate_nets(work, net, refused, nets, expected)
        except LimitExceeded as limit:  # outside of a net's body
            problems.report(limit.code, limit.message, work.where, help=limit.help)
    imported = tuple(item for item in problems.sources.values() if item is not source)
    return Elaborated(replace(source, carried=carried), tuple(nets), tuple(expected), problems.diagnostics, imported)


@contextmanager
def _deep() -> Generator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _elaborate_nets(
    work: Elaborator, only: str | None, refused: Sequence[str], nets: list[CheckedNet], expected: list[Expectation]
) -> None:
    """Fill the lists: what stands in them when there are too many errors is shown with these."""
    work.check_declarations()
    chosen = _chosen(work, only)
    work.only = None if only is None else chosen[0]
    blocks = tuple(item for item in work.spec.declarations if isinstance(item, tree.Train))
    trained = train_blocks(blocks, work.context)
    expects = [item for item in work.spec.declarations if isinstance(item, tree.Expect)]
    _check_expects(expects, work)
    for name in chosen:
        if work.exhausted or (built := work.build(name)) is None:
            continue
        build, sound = built
        net = _checked(name, build, sound, work, trained)
        nets.append(net)
        for block in expects if sound else ():
            if block.net.text == name:
                work.where = block.net.span
                expected += expectations(block, net, build, work.context)
        if refused and sound:
            from netspec.elaborate.conditions import check_conditions  # most checks have none

            check_conditions(refused, net, build, work.context)


def _chosen(work: Elaborator, only: str | None) -> list[str]:
    names = work.concrete()
    if only is None:
        return names
    same = [name for name in names if name == only] or [name for name in names if name.lower() == only.lower()]
    if not same:
        raise UsageError(f"no net `{only}` in {work.spec.file}", did_you_mean(only, names))
    return same[:1]


def _check_expects(expects: list[tree.Expect], work: Elaborator) -> None:
    concrete = work.concrete()
    for block in expects:
        name = block.net.text
        if name not in work.file.nets:
            work.problems.report("E0116", f"unknown net `{name}`", block.net.span, help=did_you_mean(name, concrete))
        elif name not in concrete:
            help = f"expect it of an alias, as `net B = {name}(..)`"
            work.problems.report("E0116", f"`{name}` is a template: it has parameters without default", block.net.span, help=help)


def _checked(name: str, build: Build, sound: bool, work: Elaborator, trained: Blocks) -> CheckedNet:
    net = _described(name, build, sound, work)
    as_trained = build
    if sound and work.mode.asked and (again := work.build(name, training=True)) is not None:
        as_trained, sound = again
        other = _described(name, as_trained, sound, work)
        if sound and other.graph != net.graph:
            check_names(build, as_trained, work.problems)
            net = replace(net, trained=other)
        work.as_deployed()
    plans = tuple(_plans(net, work, trained))
    plan = plans[0] if plans else None
    net = replace(net, plan=plan, plans=plans)
    if not sound:
        return net
    slots = len(plan.optimizer.state) + plan.accumulates if plan is not None and plan.optimizer is not None else _MOMENTUM
    return replace(net, memory=memory(build, as_trained, slots))


def _described(name: str, build: Build, sound: bool, work: Elaborator) -> CheckedNet:
    """A net that has been built, as deployed or as it is trained."""
    outputs = {key: value for key, value in build.outputs.items() if isinstance(value, Tensor)}
    return CheckedNet(
        name,
        work.file.nets[name].name.span,
        dict(build.inputs),
        {key: build.value_name(value.number) for key, value in outputs.items()},
        {address: build.value_name(number) for address, number in addresses(build.labels).items()},
        tuple(_rows(build)),
        build.graph() if sound else None,
        ends=build.ends,
        symbols=smallest(build.symbols),
    )


def _rows(build: Build) -> Iterator[Row]:
    """Of each layer before the first step that failed."""
    for item in build.applied[: build.sound]:
        facts = item.facts
        yield Row(
            *(str(item.path), facts.layer.name, item.span, facts.inputs, facts.output),
            *(item.params, facts.macs, item.reach, facts.pads, item.frame),
        )


def _plans(net: CheckedNet, work: Elaborator, trained: Blocks) -> Iterator[TrainPlan]:
    """Of each name the net's own block, or that of the net it is an alias of; first the one without a name."""
    found: dict[str | None, tree.Train] = {}
    name = net.name
    while True:
        found = {**trained.get(name, {}), **found}
        if not isinstance(item := work.file.nets.get(name), tree.Alias):
            break
        name = item.template.text
    template = work.template(net.name)
    parameters = {formal.name.text for formal in template.formals} if template else set[str]()
    params = {key for key, item in work.file.constants.items() if isinstance(item, tree.Param)}
    for _, block in sorted(found.items(), key=lambda item: item[0] is not None):
        work.where = block.net.span
        binder = Binder(block, net.name, frozenset(parameters | params), work.context)
        before = work.problems.errors
        plan = binder.plan()
        yield check_plan(plan, net.in_training, binder) if work.problems.errors == before else plan
