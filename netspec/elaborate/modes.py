"""A net as deployed and as it is trained: a weight's name must mean the same in both."""

from __future__ import annotations

from netspec.diagnostics import Label
from netspec.elaborate.build import Applied, Build
from netspec.elaborate.problems import Problems
from netspec.graph.types import Weight


def check_names(deployed: Build, trained: Build, problems: Problems) -> None:
    """Report the first weight that belongs to another step in training, which a counter that has moved on makes of it.

    That can be in the middle of what was written once: only the first is told, the rest follows from it.
    """
    known = _owners(trained)
    for name, (weight, step) in _owners(deployed).items():
        other = known.get(name)
        if other is None or (other[0].type == weight.type and other[1].span == step.span):
            continue
        message = f"`{name}` belongs to another step in training than in the deployed net"
        labels = [Label(step.span, "that of the deployed net")]
        help = "label the lines inside `if training`, or those after it: what has no label is counted"
        problems.report("E0124", message, other[1].span, labels=labels, help=help)
        return


def _owners(build: Build) -> dict[str, tuple[Weight, Applied]]:
    return {f"{step.path}.{weight.name}": (weight, step) for step in build.applied for weight in step.own}
