"""`expect` lines: facts about a net as deployed, at the defaults of its parameters."""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Iterator

from netspec.elaborate.arithmetic import Trouble, whole
from netspec.elaborate.build import Build
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.results import CheckedNet, Expectation
from netspec.elaborate.scope import Context, Scope
from netspec.elaborate.values import POISON, Labelled, Tensor, Value, show
from netspec.graph.sizes import is_whole
from netspec.schema import Whole
from netspec.syntax import tree

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class Facts(Scope):
    """What an `expect` line can speak of: the net's numbers, its results and labels."""

    __slots__ = ("build", "net")

    def __init__(self, context: Context, net: CheckedNet, build: Build) -> None:
        super().__init__(context)
        self.net, self.build = net, build
        self.values.update(build.symbols)
        self.values.update(build.labels)
        self.values.update(params=net.params, train_params=net.in_training.params, macs=net.macs)
        if net.receptive_field is not None:
            self.values["rf"] = max(net.receptive_field)
        results = list(build.outputs.values())
        if len(results) == 1 and isinstance(results[0], Tensor):
            self.values["output"] = results[0]

    def function(self, name: str) -> Function[..., Value] | None:
        """`train_memory(batch=64)` and `infer_memory(batch=1)`, in bytes."""
        memory = self.net.memory
        needs = {} if memory is None else {"train_memory": memory.train, "infer_memory": memory.infer}
        if (need := needs.get(name)) is None:
            return None

        def bytes_at(batch: Value | None = None, **others: Value) -> Value:
            if batch is None or others:
                raise Trouble(f"`{name}` takes `batch=`", "E0104", f"`{name}(batch=64)`")
            return need.at(whole(batch, "a batch"))

        return bytes_at

    def measure(self, label: Labelled, name: str) -> Value | None:
        """`LABEL.params` and `LABEL.macs`: of all layers of the line."""
        layers = self.build.applied[label.first : label.last]
        match name:
            case "params":
                return sum(item.params for item in layers)
            case "macs":
                return sum(item.facts.macs for item in layers)
            case _:
                return None


def expectations(block: tree.Expect, net: CheckedNet, build: Build, context: Context) -> Iterator[Expectation]:
    """Check each line of a block; what does not hold is reported with the value that there is."""
    scope = Facts(context, net, build)
    for line in block.lines:
        text = context.problems.text(line.span)
        if context.settings:
            yield Expectation(net.name, text, line.span, None, "")
        elif (result := _check(line, scope)) is not None:
            yield Expectation(net.name, text, line.span, *result)


def _check(line: tree.Expr, scope: Facts) -> tuple[bool, str] | None:
    """Whether a line holds, and the value on its left side; None when it has no value at all."""
    value = evaluate(line, scope)
    problems = scope.context.problems
    if value is POISON:
        return None
    if not isinstance(value, bool):
        problems.report("E0106", f"an expectation is a comparison, this is {show(value)}", line.span, help="`params == 61_706`")
        return None
    part = line if value else _failing(line, scope)
    actual = ""
    if isinstance(part, tree.Binary) and part.operator in COMPARISONS:
        actual = readable(part.left, evaluate(part.left, scope))
    if not value:
        what = problems.text(part.left.span) if isinstance(part, tree.Binary) else ""
        message = f"`{problems.text(line.span)}` does not hold for {scope.net.name}"
        problems.report("E0309", message, line.span, label=f"{what} is {actual}" if actual else "")
    return value, actual


def _failing(line: tree.Expr, scope: Facts) -> tree.Expr:
    """Of `a and b` the part that does not hold."""
    while isinstance(line, tree.Binary) and line.operator == "and":
        line = line.left if evaluate(line.left, scope) is False else line.right
    return line


def readable(expr: tree.Expr, value: Value) -> str:
    """A value as messages write it: counts in groups of three digits, memory in MiB too."""
    if is_whole(value):
        memory = not isinstance(value, Whole) and isinstance(expr, tree.Reference) and expr.name.text.endswith("_memory")
        return f"{value:,} bytes ({value / 2**20:.2f} MiB)" if memory else f"{value:,}"
    return show(value)
