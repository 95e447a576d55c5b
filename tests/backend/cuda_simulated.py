"""Width-reduced twins of nets, and every layer, in numba's CUDA simulator. `test_cuda.py` runs this in a process of its own.

The simulator makes a Python thread per CUDA thread and some 170,000 multiply-adds a second, so everything here is tiny.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from netspec.compiler import inference_graph, training_graph
from netspec.diagnostics import Source
from netspec.elaborate import CheckedNet, elaborate
from netspec.graph.graph import Graph
from netspec.graph.types import Example, Layer
from netspec.kernels.affine import N
from netspec.layers import LAYERS
from netspec.runtime import reference
from netspec.runtime.cuda import CudaExecutable
from netspec.runtime.executable import Executable
from netspec.schedule.cuda import schedule_cuda
from netspec.schedule.schedule import schedule
from netspec.schedule.targets import TARGETS
from netspec.syntax.parse import parse
from tests.backend.compiled import Tensors, execute, optimised, single
from tests.backend.steps import LABEL
from tests.contract.harness import probed, random_tensors
from tests.tolerances import close

LENET = """
net Twin {
  input image[1, 12, 12]
  c1: conv(2, 5x5, pad=2) -> relu -> maxpool(2)
  c3: conv(3, 3x3) -> relu -> maxpool(2)
  flatten
  f5: dense(6) -> relu -> dropout(0.2)
  f6: dense(5) -> relu
  logits: dense(4)
  output logits
}
train Twin {
  loss       = cross_entropy(label_smoothing=0.05)
  optimizer  = sgd(lr=0.05, momentum=0.9, nesterov=yes)
  regularize = [l2(5e-4, on="weight"), l1(1e-6, on="f5.weight")]
  epochs = 1
}
"""
MLP = """
net Twin {
  input image[1, 5, 5]
  flatten
  for h in [7, 6] { dense(h) -> relu -> dropout(0.2) }
  logits: dense(4)
}
train Twin { loss = cross_entropy; optimizer = adamw(lr=1e-3, decay=0.01); epochs = 1 }
"""
PARTS = """
net Twin {
  input image[2, 7, 7]
  conv(4, 3x3, stride=2, pad=1, bias=no) -> bn -> sigmoid
  concat { | conv(2, 1x1) | conv(4, 3x3, pad=1, groups=2) -> tanh }
  maxpool(3, stride=2, pad=1)
  avgpool(2)
  flatten
  dense(4)
}
train Twin { loss = cross_entropy; optimizer = sgd(lr=0.1, momentum=0.9); epochs = 1 }
"""
SEVERAL = """
net Twin {
  input picture[1, 4, 4]
  input facts[3]
  a: from picture -> flatten -> dense(4) -> tanh
  b: from facts -> dense(4)
  from a -> add(b)
  output kind: dense(4)
  output back: dense(3)
}
train Twin {
  loss      = cross_entropy(kind) + 0.5 * mse(back, facts) + 0.1 * mse(a, b)
  optimizer = sgd(lr=0.1)
  rates     = [times(0.5, on="bias"), frozen(on="a.bias")]
  epochs    = 1
}
"""
TWINS = {"lenet": LENET, "mlp": MLP, "parts": PARTS, "several": SEVERAL}
"""`parts`: a stride, whose gradient comes in parts with gaps; groups, seen as views; values written in two parts; running statistics."""
IMAGES, BATCH = 2, 3
LAYER_IMAGES = 3
"""Two images would leave batch norm two equal numbers to tell apart."""
EXAMPLES = [
    pytest.param(kind(**example.arguments), example, id=f"{name}-{i}")
    for name, kind in LAYERS.items()
    for i, example in enumerate(kind.examples)
]


@pytest.fixture(params=TWINS)
def net(request: pytest.FixtureRequest) -> CheckedNet:
    source = Source("twin.net", TWINS[request.param])
    return elaborate(parse(source.text, source.file), source).nets[0]


def tensors_of(graph: Graph) -> dict[str, NDArray[np.float64]]:
    """Inputs, four classes as labels, and weights; state weights (momentum, variance) are positive."""
    rng = np.random.default_rng(0)
    shapes = {
        item.name: tuple(IMAGES if extent == N else int(extent) for extent in item.type.shape) for item in (*graph.inputs, *graph.weights)
    }
    made = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    made |= {LABEL: rng.integers(0, 4, IMAGES).astype(np.float64)} if LABEL in made else {}
    made |= {weight.name: 0.1 + 0.1 * rng.random(shapes[weight.name]) for weight in graph.weights if weight.role == "state"}
    return single(made)


def on_gpu(graph: Graph, tensors: Tensors, images: int, scalars: Mapping[str, float]) -> dict[str, NDArray[np.float32]]:
    return execute(CudaExecutable(schedule_cuda(graph, TARGETS["cuda_sm90"], BATCH)), graph, tensors, images, scalars)


def check(graph: Graph, scalars: Mapping[str, float]) -> None:
    """The results and the next weights on the GPU equal the reference's and the CPU's."""
    tensors = tensors_of(graph)
    expected = reference.run(graph, tensors, scalars)
    actual = on_gpu(graph, tensors, IMAGES, scalars)
    cpu = execute(Executable(schedule(graph, TARGETS["plain"], BATCH, "channels"), 1), graph, tensors, IMAGES, scalars)
    for name, value in actual.items():
        close(value, expected[name], name)
        close(value, cpu[name].astype(np.float64), f"{name} on the CPU")


def test_inference_equals_reference_and_cpu(net: CheckedNet) -> None:
    assert net.graph is not None
    check(inference_graph(net.graph), {})


def test_training_step_equals_reference_and_cpu(net: CheckedNet) -> None:
    assert net.graph is not None
    assert net.plan is not None
    check(training_graph(net.graph, net.plan), {"seed": 3, "step": 1, "lr": 0.05})


@pytest.mark.parametrize(("layer", "example"), EXAMPLES)
def test_value_and_gradients_of_every_layer(layer: Layer, example: Example) -> None:
    graph, scalars = probed(layer, example.inputs), {"seed": 3, "step": 2}
    tensors = single(random_tensors(graph, batch=LAYER_IMAGES))
    expected = reference.run(graph, tensors, scalars, LAYER_IMAGES)
    for name, actual in on_gpu(optimised(graph), tensors, LAYER_IMAGES, scalars).items():
        close(actual, expected[name], name)
