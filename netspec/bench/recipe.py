"""How a net is trained, in the numbers that a peer needs."""

from __future__ import annotations

from typing import Any

from netspec.bench.job import Job
from netspec.diagnostics import UserError
from netspec.records import record
from netspec.training.patterns import selected


@record
class Recipe:
    """Cross entropy with label smoothing, an optimizer with a constant rate, and the penalties of each weight that has any."""

    optimizer: Any
    rate: float
    smoothing: float
    l1: dict[str, float]
    l2: dict[str, float]

    def momentum(self, library: str) -> tuple[float, bool]:
        """SGD's momentum, and whether it is Nesterov's. Raises UserError for another optimizer."""
        if self.optimizer.name != "sgd":
            raise UserError(f"the bench trains with `sgd` in {library}, not with `{self.optimizer.name}`")
        return self.optimizer.momentum, self.optimizer.nesterov


def recipe(job: Job) -> Recipe:
    """The recipe of the net's train block. Raises UserError for what the bench does not build in other libraries."""
    rate, plan = job.rate, job.model.plan
    assert plan is not None
    term, *others = plan.loss
    if others or term.loss.name != "cross_entropy" or term.scale != 1:
        raise UserError(f"the bench trains by `cross_entropy`, not by `{' + '.join(map(str, plan.loss))}`")
    names = [weight.name for weight in job.graph.weights if weight.role == "trainable"]
    penalties: dict[str, dict[str, float]] = {"l1": {}, "l2": {}}
    for item in plan.regularize:
        amounts = penalties[item.name]
        for name in selected(names, item.on, item.except_):
            amounts[name] = amounts.get(name, 0.0) + item.amount
    smoothing = getattr(term.loss, "label_smoothing", 0.0)
    return Recipe(plan.optimizer, rate, smoothing, penalties["l1"], penalties["l2"])
