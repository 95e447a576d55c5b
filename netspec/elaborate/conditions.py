"""Conditions from outside the file, `check --fail-if "params > 60k"`: what may not be true of a net."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.diagnostics import Source, SpecError, UsageError
from netspec.elaborate.build import Build
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.expect import COMPARISONS, Facts, readable
from netspec.elaborate.problems import Problems
from netspec.elaborate.results import CheckedNet
from netspec.elaborate.scope import Context
from netspec.syntax import tree
from netspec.syntax.parse import parse

FILE = "--fail-if"
_EXAMPLE = '`--fail-if "params > 60k"`, `"train_memory(batch=64) > 16 MiB or rf < 100"`'


def read(text: str) -> tree.Expr:
    """The condition that a text says. Raises UsageError."""
    try:
        declared = parse(f"let condition = {text}", FILE).declarations
    except SpecError as error:
        raise UsageError(f"`{text}`: {error.diagnostics[0].message}", _EXAMPLE) from None
    match declared:
        case (tree.Let(value=value),):
            return value
        case _:
            raise UsageError(f"`{text}` is no condition", _EXAMPLE)


def check_conditions(texts: Sequence[str], net: CheckedNet, build: Build, context: Context) -> None:
    """Report each condition that is true of a net, with its numbers. Raises UsageError for one that says nothing of it."""
    for text in texts:
        line = read(text)
        own = Problems(Source(FILE, f"let condition = {text}"))
        scope = Facts(Context(context.file, own, context.budget, context.constant, context.mode), net, build)
        value = evaluate(line, scope)
        if own.diagnostics:
            raise UsageError(f"`{text}` of {net.name}: {own.diagnostics[0].message}", own.diagnostics[0].help)
        if not isinstance(value, bool):
            raise UsageError(f"`{text}` is no condition, but {readable(line, value)}", _EXAMPLE)
        if value:
            numbers = "; ".join(_numbers(line, scope))
            message = f"`{text}` is true of {net.name}{f': {numbers}' if numbers else ''}"
            context.problems.report("E0309", message, net.span, part=text, help="it was ruled out by `--fail-if`")


def _numbers(line: tree.Expr, scope: Facts) -> list[str]:
    """The comparisons in a condition, with the values on both sides, of `a or b` those that make it true."""
    if not isinstance(line, tree.Binary):
        return []
    if line.operator in ("and", "or"):
        parts = [part for part in (line.left, line.right) if line.operator == "and" or evaluate(part, scope) is True]
        return [text for part in parts for text in _numbers(part, scope)]
    if line.operator not in COMPARISONS:
        return []
    left, right = (readable(part, evaluate(part, scope)) for part in (line.left, line.right))
    return [f"{left} {line.operator} {right}"]
