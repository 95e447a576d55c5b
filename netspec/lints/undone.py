"""Layers that the next one undoes, or does again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from netspec.diagnostics import Diagnostic, Fix, Label, Source, Span
from netspec.lints.net import Net, place, warning

LINEAR: Final = frozenset({"conv", "convt", "dense"})
NORM: Final = "bn"
PROBABILITIES: Final = {"cross_entropy": frozenset({"softmax", "logsoftmax"}), "bce": frozenset({"sigmoid"})}
"""What a loss does itself to the scores that it takes."""


def bias_before_norm(net: Net) -> Iterator[Diagnostic]:
    """A bias that batch normalisation takes away again with the mean (Ioffe & Szegedy 2015, section 3.2)."""
    for norm in net.kinds((NORM,)):
        node = net.makers.get(norm.inputs[0])
        if node is None or node.layer.name not in LINEAR or not getattr(node.layer, "bias", False):
            continue
        if node.output.name in net.wanted or net.reads[node.output.name] > 1:
            continue
        shape = node.output.type.sample
        message = f"the bias of `{node.layer.name}` does nothing: `{NORM}` subtracts it with the mean"
        labels = (Label(place(norm), "(x + b) - mean(x + b) = x - mean(x)"),)
        note = f"its {shape[0 if len(shape) == 3 else -1]} numbers get no gradient; the shift of `{NORM}` does their work"
        fix = _with_argument(net.source, place(node), "bias=no")
        yield warning("W0304", message, place(node), labels=labels, notes=(note,), help="write `bias=no`", fix=fix)


def _with_argument(source: Source, call: Span, argument: str) -> Fix | None:
    """What puts a further argument into a call, where that is written out and has no argument of the name."""
    text = source.text[call.start : call.end]
    if call.file != source.file or not text.endswith(")") or "#" in text or re.search(rf"\b{argument.partition('=')[0]}\b", text):
        return None
    inside = text[:-1].rstrip()
    end = call.start + len(inside)
    line, column = source.locate(end)
    separator = "" if inside.endswith("(") else " " if inside.endswith(",") else ", "
    return Fix(Span(call.file, end, end, line, column), separator + argument)


def probabilities_before_loss(net: Net) -> Iterator[Diagnostic]:
    """A softmax that the loss does once more."""
    for term in net.plan.loss if net.plan else ():
        name = net.graph.outputs[0] if len(net.graph.outputs) == 1 else ""
        node = net.makers.get(name if term.loss.output is None else net.value(term.loss.output))
        if node is None or node.span is None or node.layer.name not in PROBABILITIES.get(term.loss.name, ()):
            continue
        message = f"`{term.loss.name}` takes scores, not what `{node.layer.name}` makes of them"
        note = "it computes the probabilities itself; of probabilities it computes others, and its gradient nearly vanishes"
        help = f"leave `{node.layer.name}` out: the largest score is the largest probability"
        yield warning("W0305", message, node.span, notes=(note,), help=help, fix=_without_step(net.source, node.span))


def _without_step(source: Source, step: Span) -> Fix | None:
    """What takes a step out of its line, with the arrow before it."""
    before = source.text[: step.start].rstrip(" \t")
    if step.file != source.file or not before.endswith("->"):
        return None
    start = len(before[:-2].rstrip(" \t"))
    line, column = source.locate(start)
    return Fix(Span(step.file, start, step.end, line, column), "")
