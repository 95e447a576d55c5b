"""A train block against the net it trains: its patterns, its schedule, its loss."""

from __future__ import annotations

from dataclasses import replace

from netspec.diagnostics import Diagnostic, did_you_mean
from netspec.elaborate.losses import bound
from netspec.elaborate.results import CheckedNet
from netspec.elaborate.train import Binder
from netspec.training import TrainPlan, problems


def check_plan(plan: TrainPlan, net: CheckedNet, binder: Binder) -> TrainPlan:
    """Report what does not go together, and return the plan with its loss bound to an output by name."""
    graph = net.graph
    names = None if graph is None else [weight.name for weight in graph.weights if weight.role == "trainable"]
    missing: list[Diagnostic] = []
    for problem in problems(plan, names):
        span = binder.spans.get(problem.setting, binder.block.net.span)
        # a block that is not written to its end can be checked, but not used
        unfinished = problem.code == "E0305" and problem.setting not in binder.spans
        severity = "warning" if unfinished else "error"
        binder.problems.report(problem.code, problem.message, span, help=problem.help, severity=severity, part=problem.setting)
        if unfinished:
            missing.append(Diagnostic(problem.code, problem.message, span, help=problem.help))
    plan = replace(plan, deferred=plan.deferred + tuple(missing))
    if graph is None:
        return plan
    before = binder.problems.errors
    plan = bound(plan, net, binder.terms, binder.problems, binder.parameters)
    if binder.problems.errors == before:
        _check_fields(plan, net, binder)
    return plan


def _check_fields(plan: TrainPlan, net: CheckedNet, binder: Binder) -> None:
    """Every input has a field of the data, every field that is named has somebody who reads it, and what is moved is a picture."""
    inputs, report = list(net.inputs), binder.problems.report
    if plan.augment and not any(len(shape) == 3 for shape in net.inputs.values()):
        message = (
            f"`augment` moves pictures [c, h, w], the net has {', '.join(f'{name} {list(shape)}' for name, shape in net.inputs.items())}"
        )
        report("E0306", message, binder.spans["augment"], help="leave it out, or declare the input as a picture")
    if plan.data is None:
        return
    if not plan.data.archive and len(inputs) > 1:
        message = f"`{plan.data.name}` has pictures for one input, the net has the inputs {', '.join(inputs)}"
        help = f'`npz("samples.npz", {", ".join(f"{name}=.." for name in inputs)})` has a field for each'
        report("E0308", message, binder.spans["data"], help=help)
    read = [*inputs, *(term.target for term in plan.loss if term.field)]
    for name in plan.data.fields:
        if name not in read:
            message = f"no input and no loss reads the field `{name}`"
            report("E0308", message, binder.keywords[name], help=did_you_mean(name, list(dict.fromkeys(read))))
