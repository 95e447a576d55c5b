"""A net with every kind of layer that the bench builds in other libraries, and its inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netspec.bench.job import without_dropout
from netspec.bench.weights import likely_weights
from netspec.compiler import inference_graph
from netspec.diagnostics import Source
from netspec.graph.graph import Graph
from netspec.model import Model, model
from netspec.runtime import reference

KINDS = """
net Kinds(softened=no) {
  input image[3, 29, 27]
  conv(8, 3x3, stride=2, pad=1, bias=no) -> bn -> relu6 -> maxpool(3, stride=2, ceil=yes)
  add {
    | conv(8, 3x3, pad=half, groups=8) -> bn -> relu -> conv(8, 1x1, bias=no) -> bn
    | skip
  }
  -> relu
  mul { | skip | gap -> dense(8) -> silu -> dense(8) -> sigmoid }
  concat {
    | conv(4, 1x3, pad=half) -> leaky_relu(0.1)
    | avgpool(3, stride=1, pad=1)
    | maxpool(3, stride=1, pad=1) -> conv(4, 3x3, pad=half, groups=4) -> elu(0.7)
  }
  conv(16, 3x3, stride=2, pad=1, dilation=2) -> hardswish -> maxpool(2, stride=1)
  flatten -> dropout(0.5) -> gelu
  dense(12) -> bn -> tanh
  dense(10)
  if softened { softmax }
}
net Probabilities = Kinds(softened=yes)
"""
TRAIN = """
train Kinds {
  data = mnist5k()
  loss = cross_entropy(label_smoothing=0.1)
  optimizer = sgd(lr=0.5, momentum=0.9, nesterov=yes)
  regularize = [l2(0.05, on="weight"), l1(0.01, on="dense.3.weight")]
  batch = 4
  epochs = 1
}
"""


def kinds(net: str = "Kinds") -> Model:
    """The net; `Probabilities` ends with softmax."""
    return model(Source("kinds.net", KINDS + TRAIN), net, {})


def inputs(graph: Graph, images: int = 3) -> NDArray[np.float32]:
    """Pictures for it."""
    return np.random.default_rng(5).standard_normal((images, *graph.inputs[0].type.sample)).astype(np.float32)


def expected(graph: Graph, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """What float64 gives, with the likely weights."""
    lean = inference_graph(without_dropout(graph))
    tensors = {name: value.astype(np.float64) for name, value in likely_weights(graph).items()}
    return reference.run(lean, tensors | {graph.inputs[0].name: x.astype(np.float64)})[lean.outputs[0]]
