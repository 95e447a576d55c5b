"""Second derivatives by the recursion of LeCun et al. 1998, appendix C, written out once more with loops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netspec.compiler import curvature_graph, gradient_graph
from netspec.graph.graph import Graph, Node
from netspec.graph.types import ZEROS, Computation, Layer, Shape, TensorType, Value, Weight, batched
from netspec.kernels.affine import N, axes
from netspec.kernels.formula import Tensor, d, total
from netspec.runtime import reference
from netspec.training.losses import CrossEntropy, Loss, MapRbf, Mse, Term
from netspec.training.optimizers import Sdlm
from netspec.training.plan import TrainPlan
from tests.backend.nets import Builder
from tests.backend.steps import LABEL

Array = NDArray[np.float64]
IMAGES = 5


def measured(net: Graph, loss: Loss, tensors: dict[str, Array], *scales: float) -> dict[str, Array]:
    """What the graph computes, by weight, for the loss or, given scales, for the sum of it times each."""
    plan = TrainPlan("net", loss=tuple(Term(scale, loss) for scale in scales or (1.0,)), optimizer=Sdlm(), epochs=1)
    graph = curvature_graph(net, plan)
    zeros = {item.name: np.zeros(item.type.sample) for item in graph.weights if item.name not in tensors}
    found = reference.run(graph, tensors | zeros, {}, IMAGES)
    return {name.partition("/")[0]: found[value] for name, value in graph.updates}


def drawn(net: Graph, target: Array) -> dict[str, Array]:
    random = np.random.default_rng(0)
    weights = {item.name: random.standard_normal(item.type.sample) for item in net.weights}
    return weights | {"image": random.standard_normal((IMAGES, *net.inputs[0].type.sample)), LABEL: target}


def test_a_net_of_two_layers_by_hand() -> None:
    """C.1: h of a sum's input is the square of its weight times h; of a unit's, the square of its slope; of a weight, of its input."""
    builder = Builder((1, 2, 3))
    builder.add("dense", builder.add("stanh", builder.add("dense", builder.add("flatten", "image"), units=4)), units=3)
    net = builder.graph("net")
    tensors = drawn(net, np.random.default_rng(1).standard_normal((IMAGES, 3)))
    found = measured(net, Mse(), tensors)
    x, first, second = tensors["image"].reshape(IMAGES, 6), tensors["dense1.weight"], tensors["dense3.weight"]
    inner = x @ first.T + tensors["dense1.bias"]
    hidden, slope = 1.7159 * np.tanh(2 / 3 * inner), 1.7159 * 2 / 3 / np.cosh(2 / 3 * inner) ** 2
    ends = np.full((IMAGES, 3), 2 / (3 * IMAGES))
    below = ends @ second**2 * slope**2
    expected = {"dense3.weight": ends.T @ hidden**2, "dense3.bias": ends.sum(0)}
    expected |= {"dense1.weight": below.T @ x**2, "dense1.bias": below.sum(0)}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-10, err_msg=name)
    for name, value in measured(net, Mse(), tensors, 0.5, 2.0).items():
        np.testing.assert_allclose(value, 2.5 * found[name], rtol=1e-10, err_msg=name)


def test_shared_weights_add_up_over_their_places() -> None:
    builder = Builder((2, 4, 5))
    builder.add("dense", builder.add("flatten", builder.add("conv", "image", c=3, k=3, stride=2, pad=1)), units=4)
    net = builder.graph("net")
    tensors = drawn(net, np.array([0.0, 1.0, 2.0, 3.0, 1.0]))
    found = measured(net, CrossEntropy(), tensors)
    x = np.pad(tensors["image"], ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2]
    y = np.einsum("nihwab,ciab->nchw", windows, tensors["conv0.weight"]) + tensors["conv0.bias"][:, None, None]
    logits = y.reshape(IMAGES, -1) @ tensors["dense2.weight"].T + tensors["dense2.bias"]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    below = (p * (1 - p) / IMAGES @ tensors["dense2.weight"] ** 2).reshape(y.shape)
    np.testing.assert_allclose(found["conv0.weight"], np.einsum("nchw,nihwab->ciab", below, windows**2), rtol=1e-10)
    np.testing.assert_allclose(found["conv0.bias"], below.sum((0, 2, 3)), rtol=1e-10)


class Distances(Layer):
    """Squared distances to fixed codes."""

    units: int

    def infer(self, *inputs: Shape) -> Shape:
        return (self.units,)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("codes", TensorType((self.units, *inputs[0])), ZEROS, "constant"),)

    def compute(self, *inputs: Shape, training: bool) -> Computation:
        n, c, i = axes(n=N, c=self.units, i=inputs[0][0])
        error = Tensor("x")[n, i] - Tensor("codes")[c, i]
        return Computation((total(Tensor("y")[n, c], error * error),))


def test_distances_count_by_themselves_where_their_gradient_is_positive() -> None:
    """Of the distance to the right code, the second derivative is 2 (1 - p) and never 0, however far the codes are."""
    builder = Builder((6, 1, 1))
    x = builder.add("dense", builder.add("flatten", "image"), units=4)
    layer = Distances(units=3)
    (codes,) = layer.weights((4,))
    net = builder.graph("net")
    weights = (*net.weights, Weight("codes", codes.type, ZEROS, "constant"))
    net = Graph("net", net.inputs, weights, (*net.layers, Node("rbf", layer, (x,), ("codes",), Value("rbf", batched((3,))))), ("rbf",))
    target = np.array([0, 1, 2, 0, 1])
    tensors = drawn(net, target.astype(float))
    found = measured(net, MapRbf(j=0.1), tensors)
    y = tensors["image"].reshape(IMAGES, 6) @ tensors["dense1.weight"].T + tensors["dense1.bias"]
    error = y[:, None] - tensors["codes"]
    near = np.exp(-(error**2).sum(2))
    p = near / (np.exp(-0.1) + near.sum(1, keepdims=True))
    right = np.eye(3)[target]
    ends = (p * (1 - p))[..., None] * 4 * error**2 + 2 * np.maximum(right - p, 0)[..., None]
    np.testing.assert_allclose(found["dense1.bias"], ends.sum(1).mean(0), rtol=1e-10)


def test_it_is_the_whole_second_derivative_of_the_last_layer() -> None:
    """Of a convex loss of a linear layer nothing is left out: finite differences of its gradient."""
    builder = Builder((6, 1, 1))
    builder.add("dense", builder.add("flatten", "image"), units=4)
    net = builder.graph("net")
    tensors = drawn(net, np.array([0.0, 1.0, 2.0, 3.0, 1.0]))
    found, graph, step = measured(net, CrossEntropy(), tensors), gradient_graph(net, (Term(1.0, CrossEntropy()),)), 1e-5
    for place in ((0, 0), (3, 2), (1, 5)):
        slopes = []
        for sign in (1, -1):
            weight = tensors["dense1.weight"].copy()
            weight[place] += sign * step
            slopes.append(reference.run(graph, tensors | {"dense1.weight": weight}, {}, IMAGES)[d("dense1.weight")][place])
        np.testing.assert_allclose(found["dense1.weight"][place], (slopes[0] - slopes[1]) / (2 * step), rtol=1e-5)


def test_layers_that_state_their_gradients_are_passed() -> None:
    """Batch norm and softmax form sums of gradients on the way; nothing gets negative."""
    builder = Builder((6, 1, 1))
    x = builder.add("relu", builder.add("bn", builder.add("dense", builder.add("flatten", "image"), units=5)))
    builder.add("softmax", builder.add("dense", x, units=4))
    net = builder.graph("net")
    found = measured(net, Mse(), drawn(net, np.random.default_rng(1).uniform(0, 1, (IMAGES, 4))))
    assert set(found) == {"dense1.weight", "dense1.bias", "bn2.scale", "bn2.shift", "dense4.weight", "dense4.bias"}
    for value in found.values():
        assert (value >= 0).all()
        assert value.max() > 0
