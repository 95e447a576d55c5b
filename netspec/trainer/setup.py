"""What is checked before a run begins: the train block, the data, and the one against the other."""

from __future__ import annotations

from pathlib import Path

from netspec.data import Dataset, check_input, check_targets, read
from netspec.diagnostics import SpecError, UserError
from netspec.graph.types import ShapeError
from netspec.model import Model
from netspec.training import TrainPlan, problems
from netspec.training.preparation import prepared


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
    (term,) = plan.loss
    (image,) = model.graph.inputs
    data = read(plan.data, image.name, term.loss.target or "y", plan.seed, Path(model.source.file).parent)
    try:
        seen = prepared(plan.prepare, data.train.shape).shape
    except ShapeError as error:
        raise UserError(error.message, error.help) from error
    check_input(data, image.name, image.type.sample, seen)
    output = model.trained_graph.types[term.loss.output or model.trained_graph.outputs[0]].type.sample
    check_targets(data, term.loss.name, term.loss.targets, output)
    return data


def check_plan(model: Model, plan: TrainPlan, per_epoch: int) -> None:
    """What can only be judged when the length of an epoch is known. Raises UserError."""
    for problem in problems(plan, per_epoch=per_epoch):
        raise UserError(f"{model.source.file}: {problem.message}", problem.help)


def resolved(model: Model) -> str:
    """The spec as it ran: its text, and the settings that were given beside it."""
    given = "".join(f"# --set {name}={value}\n" for name, value in model.params.items())
    return given + model.source.text
