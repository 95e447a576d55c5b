"""What is checked before a run begins: the train block, the data, and the one against the other."""

from __future__ import annotations

from pathlib import Path

from netspec.data import Dataset, Kind, check_input, check_targets, read
from netspec.diagnostics import SpecError, UserError
from netspec.graph.types import ShapeError
from netspec.model import Model
from netspec.passes.attach_loss import field_shapes, output_of
from netspec.training import TrainPlan, problems
from netspec.training.preparation import Prepared, prepared_inputs


def usable_plan(model: Model) -> TrainPlan:
    """The net's train block. Raises UserError when there is none, SpecError when it uses what is not built yet."""
    plan = model.plan
    if plan is None:
        raise UserError(
            f"{model.name} has no `train` block", f"add `train {model.name} {{ data = ..; loss = ..; optimizer = ..; epochs = .. }}`"
        )
    if plan.deferred:
        raise SpecError(plan.deferred, [model.source])
    return plan


def read_data(model: Model, plan: TrainPlan) -> Dataset:
    """The samples that a plan names, checked against the net. Relative paths start at the spec's folder. Raises UserError."""
    assert plan.data is not None
    graph = model.trained_graph
    shapes = {value.name: value.type.sample for value in graph.inputs}
    ranks = {name: len(shape) for name, shape in shapes.items()}
    kinds: dict[str, Kind] = {term.target: term.loss.targets for term in plan.loss if term.field}
    data = read(plan.data, ranks, kinds, plan.seed, Path(model.source.file).parent)
    for name, seen in prepared_data(plan, data).items():
        check_input(data, name, shapes[name], seen.shape)
    wanted = field_shapes(graph, plan.loss)
    for term in plan.loss:
        if term.field:
            output = graph.types[output_of(graph, term)].type.sample
            check_targets(data, term.target, term.loss.name, term.loss.targets, wanted[term.target], output[-1])
    return data


def prepared_data(plan: TrainPlan, data: Dataset) -> dict[str, Prepared]:
    """What is done to the inputs of every sample. Raises UserError where that cannot be."""
    try:
        return prepared_inputs(plan.prepare, data.train.shapes)
    except ShapeError as error:
        raise UserError(error.message, error.help) from error


def check_plan(model: Model, plan: TrainPlan, per_epoch: int) -> None:
    """What can only be judged when the length of an epoch is known. Raises UserError."""
    for problem in problems(plan, per_epoch=per_epoch):
        raise UserError(f"{model.source.file}: {problem.message}", problem.help)


def resolved(model: Model) -> str:
    """The spec as it ran: its text, and the settings that were given beside it."""
    given = "".join(f"# --set {name}={value}\n" for name, value in model.params.items())
    return given + model.source.text
