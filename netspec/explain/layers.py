"""A layer's documentation, from its class: arguments, shape rule, weights, formula, examples."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from math import prod

from netspec.elaborate.facts import Facts, Library
from netspec.explain import arguments
from netspec.graph.types import Example, Init, Layer, Weight


def summary(layer: type[Layer]) -> str:
    """The first sentence of its docstring."""
    return _doc(layer).split("\n")[0].split(". ")[0].rstrip(".")


def text(layer: type[Layer]) -> str:
    """Everything that its class says of it."""
    out = [f"{layer.name}: {_doc(layer)}", "", f"  {arguments.signature(layer)}"]
    if layer.arguments():
        out += ["", "arguments", *(f"  {line}" for line in arguments.table(layer))]
    out += ["", "shape of the result", f"  {_doc(layer.infer)}"]
    if layer.weights is not Layer.weights:
        out += ["", "weights", f"  {_doc(layer.weights)}"]
    out += ["", "formula", f"  {_doc(layer.compute)}"]
    out += ["", "examples"]
    for example in layer.examples:
        out += [*(f"  {line}".rstrip() for line in _example(layer, example)), ""]
    return "\n".join(out).rstrip()


def _example(layer: type[Layer], example: Example) -> Iterator[str]:
    """One call with its shapes, weights and formulas."""
    made = layer(**example.arguments)
    facts = Library().facts(made, example.inputs)
    reads = " and ".join(str(list(shape)) for shape in example.inputs)
    yield f"{arguments.call_of(layer, dict(example.arguments))}   {reads} -> {list(facts.output)}"
    yield from (f"    {formula}" for formula in facts.inference.formulas)
    yield from (f"    {line}" for line in weight_lines(facts))
    if facts.macs:
        yield f"    {facts.macs:,} multiplications"


def weight_lines(facts: Facts) -> Iterator[str]:
    """Each weight with its shape, count and start: `weight [6, 1, 5, 5]: 150, at first uniform in +-0.2`."""
    for weight in facts.weights:
        role = "" if weight.role == "trainable" else f" ({weight.role}, not counted)"
        yield f"{weight.name} {list(weight.type.sample)}: {prod(weight.type.sample):,}{role}, at first {_start(weight)}"


def _start(weight: Weight) -> str:
    match weight.init:
        case Init("uniform", scale):
            return f"uniform in [-{scale:.4g}, {scale:.4g}]"
        case Init("normal", scale):
            return f"normal with deviation {scale:.4g}"
        case Init("sign", scale):
            return f"{scale:g} or {-scale:g} with even odds"
        case Init("values"):
            return "numbers that are given"
        case Init(_, scale):
            return f"{scale:g}"


def _doc(item: object) -> str:
    return inspect.getdoc(item) or ""
