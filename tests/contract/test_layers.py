"""Every layer, every example, every law: nothing here knows one layer from another."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from harness import alone, check_gradients, lowered, probed, random_tensors

from netspec.elaborate.facts import Library
from netspec.graph.types import Example, Layer
from netspec.layers import LAYERS
from netspec.runtime import reference

EXAMPLES = pytest.mark.parametrize(
    ("layer", "example"),
    [
        pytest.param(kind(**example.arguments), example, id=f"{name}-{i}")
        for name, kind in LAYERS.items()
        for i, example in enumerate(kind.examples)
    ],
)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_examples_and_says_what_it_is(name: str) -> None:
    kind = LAYERS[name]
    assert kind.examples, f"{name} has no examples, so no law is checked"
    assert kind.__doc__
    assert name == name.lower()


@EXAMPLES
@pytest.mark.parametrize("training", [False, True])
def test_each_element_of_the_inferred_shape_is_written_once(layer: Layer, example: Example, training: bool) -> None:
    graph = lowered(layer, example.inputs, training)
    formulas = [formula for op in graph.ops for formula in op.formulas if formula.out.tensor == "y"]
    written = sum(prod(axis.extent for axis in formula.kept if isinstance(axis.extent, int)) for formula in formulas)
    assert written == prod(layer.infer(*example.inputs))
    values = reference.run(graph, random_tensors(graph))
    assert values["y"].shape == (3, *layer.infer(*example.inputs))
    assert np.isfinite(values["y"]).all()


@EXAMPLES
def test_the_gradient_equals_finite_differences(layer: Layer, example: Example) -> None:
    graph = probed(layer, example.inputs)
    check_gradients(graph, random_tensors(graph))


@EXAMPLES
def test_the_same_input_gives_the_same_bits(layer: Layer, example: Example) -> None:
    graph = probed(layer, example.inputs)
    first, second = (reference.run(graph, random_tensors(graph)) for _ in range(2))
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)


@EXAMPLES
def test_multiplications_are_the_sum_of_what_ones_give(layer: Layer, example: Example) -> None:
    """Every product of ones is one. Products with what lies beyond a tensor are counted, and are zero."""
    graph = lowered(layer, example.inputs, training=False)
    formulas = [formula for op in graph.ops for formula in op.formulas]
    counted = sum(formula.multiplications() for formula in formulas)
    if not counted:
        assert not any(weight.name == "weight" for weight in graph.weights)
        return
    ones = {name: np.full_like(value, name != "bias") for name, value in random_tensors(graph, batch=1).items()}
    products = reference.run(graph, ones)["y"].sum()
    beyond = any(access.outside != "never" for formula in formulas for access in formula.accesses)
    assert products < counted if beyond else products == counted


@EXAMPLES
def test_what_a_check_says_follows(layer: Layer, example: Example) -> None:
    facts = Library().facts(layer, example.inputs)
    assert len(facts.looks) == len(example.inputs)
    assert all(window >= 1 and stride > 0 for look in facts.looks if look for stride, window in look)
    assert facts.params + sum(prod(weight.type.sample) for weight in facts.weights if weight.role != "trainable") == facts.stored
    assert facts.saved in (0, facts.bytes, 2 * facts.bytes)
    assert facts.saved > 0 or facts.overwrites


@EXAMPLES
def test_places_beyond_the_batch_change_nothing(layer: Layer, example: Example) -> None:
    graph = probed(layer, example.inputs)
    whole = random_tensors(graph)
    batch = {value.name for value in graph.inputs}
    part = {name: value[:2] if name in batch else value for name, value in whole.items()}
    padded = {
        name: np.concatenate([value[:2], np.full_like(value[2:], 0 if name == "probe" else 7.0)]) if name in batch else value
        for name, value in whole.items()
    }
    few, many = reference.run(graph, part), reference.run(graph, padded, {"N": 2})
    for name, value in few.items():
        other = many[name][: len(value)] if graph.types[name].type.shape[0] == "N" else many[name]
        np.testing.assert_allclose(other, value, rtol=1e-12, atol=1e-12, err_msg=name)


@EXAMPLES
def test_a_layer_is_a_value(layer: Layer, example: Example) -> None:
    again = type(layer)(**example.arguments)
    assert again == layer
    assert hash(again) == hash(layer)
    assert alone(layer, example.inputs) == alone(again, example.inputs)
