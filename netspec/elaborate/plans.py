"""A train block against the net it trains: its loss and outputs, its patterns, its classes, its schedule."""

from __future__ import annotations

from dataclasses import replace

from netspec.diagnostics import Diagnostic, Span, did_you_mean
from netspec.elaborate.results import CheckedNet
from netspec.elaborate.train import Binder
from netspec.graph.types import Shape, ShapeError
from netspec.layers import LOSSES
from netspec.training import Loss, TrainPlan, problems


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
    if graph is None or not plan.loss:
        return plan
    terms = tuple(replace(term, loss=_check_loss(term.loss, plan, net, binder)) for term in plan.loss)
    return replace(plan, loss=terms)


def _check_loss(loss: Loss, plan: TrainPlan, net: CheckedNet, binder: Binder) -> Loss:
    span = binder.calls.get("loss", binder.block.span)
    shapes = dict(net.inputs) | {row.path: row.output for row in net.rows}
    if loss.output is None:
        if len(net.outputs) > 1:
            message = f"loss `{loss.name}`: the net has outputs {', '.join(net.outputs)}"
            binder.problems.report("E0304", message, span, help=f"name one: `{loss.name}({next(iter(net.outputs))})`")
            return loss
        value = next(iter(net.outputs.values()))
    else:
        found = net.outputs.get(loss.output) or net.labels.get(loss.output)
        if found is None:
            message = f"loss `{loss.name}`: the net has no output or label `{loss.output}`"
            binder.problems.report("E0102", message, span, help=did_you_mean(loss.output, [*net.outputs, *net.labels]))
            return loss
        value = found
    _check_classes(loss, shapes[value], plan, span, binder)
    return loss


def _check_classes(loss: Loss, shape: Shape, plan: TrainPlan, span: Span, binder: Binder) -> None:
    """The loss's own shape rule, and the number of classes where the reader knows it."""
    try:
        LOSSES[loss.name](**loss.options()).infer(shape)
    except ShapeError as error:
        binder.problems.report("E0302", error.message, span, help=error.help, label=error.label, notes=error.notes)
        return
    classes = getattr(plan.data, "classes", None)
    if loss.targets == "classes" and isinstance(classes, int) and shape[0] != classes:
        message = f"`{loss.name}` has {shape[0]} logits, the data {classes} classes"
        help = f"`--set classes={classes}`" if "classes" in binder.parameters else f"end the net with {classes} outputs"
        binder.problems.report("E0302", message, span, help=help)
