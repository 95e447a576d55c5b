"""What needs a process of its own: `python -m tests.backend.alone target avx2` or `.. bits 4`. One JSON object on the last line."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass

import numpy as np

from netspec.compiler import inference_graph, training_graph
from netspec.graph.graph import Graph
from netspec.kernels.affine import N
from netspec.passes import run
from netspec.passes.lower import Lower
from netspec.runtime import reference
from netspec.runtime.executable import Executable
from netspec.schedule.layout import Order
from netspec.schedule.schedule import schedule
from netspec.schedule.targets import TARGETS
from netspec.training.losses import CrossEntropy, Term
from netspec.training.optimizers import Sgd
from netspec.training.plan import TrainPlan
from netspec.training.regularizers import L2
from tests.backend.nets import Builder, random_net
from tests.backend.steps import LABEL, deviation, tensors_of

PLAN = TrainPlan(
    "net",
    loss=(Term(1.0, CrossEntropy(label_smoothing=0.05)),),
    optimizer=Sgd(lr=0.05, momentum=0.9, nesterov=True),
    regularize=(L2(amount=5e-4, on="weight"),),
    epochs=1,
)
BATCH, STEPS = 16, 3


def lenet() -> Graph:
    """LeNet-5 on 28x28 digits."""
    net, x = Builder((1, 28, 28)), "image"
    for c, pad in ((6, 2), (16, 0)):
        x = net.add("maxpool", net.add("relu", net.add("conv", x, c=c, k=5, pad=pad)), k=2)
    x = net.add("flatten", x)
    for units in (120, 84):
        x = net.add("relu", net.add("dense", x, units=units))
    net.add("dense", x, units=10)
    return net.graph("lenet")


@dataclass
class Training:
    """A compiled training step and its data; weights start the same in every process."""

    net: Graph
    exe: Executable
    images: int

    def __post_init__(self) -> None:
        tensors = tensors_of(self.net, self.images)
        self.given = {"image": tensors["image"].astype(np.float32), LABEL: tensors[LABEL].astype(np.float32)}
        self.start = {weight.name: tensors[weight.name] for weight in self.net.weights}
        for name, value in self.start.items():
            self.exe.write(name, value.astype(np.float32))

    def step(self, number: int) -> None:
        """One step, from 1 on."""
        self.exe.run(self.given, self.images, {"lr": 0.05, "step": number, "seed": 5})

    def weights(self) -> dict[str, np.ndarray]:
        """All that outlives a step, by name."""
        return {weight.name: self.exe.read(weight, weight.type.sample) for weight in self.net.weights}


def target(name: str) -> dict[str, float]:
    """The deviation of LeNet's logits and of its weights after a step, compiled for a target."""
    net, images = lenet(), 13
    tensors = tensors_of(net, images)
    exe = Executable(schedule(inference_graph(net), TARGETS[name], BATCH, None), 2)
    logits = np.zeros((images, 10), np.float32)
    for weight in net.weights:
        exe.write(weight.name, tensors[weight.name].astype(np.float32))
    output = net.outputs[0]
    exe.run({"image": tensors["image"].astype(np.float32), f"{output}/out": logits}, images)
    expected = reference.run(run(net, (Lower(training=False),)), tensors, batch=images)
    graph = training_graph(net, PLAN)
    training = Training(net, Executable(schedule(graph, TARGETS[name], BATCH, None), 2), images)
    training.step(1)
    state = {weight.name: np.zeros(weight.type.sample) for weight in graph.weights if weight.name not in tensors}
    after = reference.run(graph, {**tensors, **state}, {"lr": 0.05, "step": 1, "N": images}, images)
    moved = {name: value - training.start[name] for name, value in training.weights().items()}
    wanted = {name: after[value] - training.start[name] for name, value in graph.updates if name in training.start}
    assert N in graph.shape("image")
    return {"logits": deviation({output: logits}, expected), "update": deviation(moved, wanted)}


def bits(threads: int) -> dict[str, str]:
    """A hash of all weights after three steps with so many threads: LeNet in both layouts, a residual net with batch norm."""
    cases: list[tuple[str, Graph, Order]] = [
        ("lenet", lenet(), "images"),
        ("lenet", lenet(), "channels"),
        ("residual", random_net(1, wide=False), "channels"),
    ]
    found: dict[str, str] = {}
    for name, net, order in cases:
        training = Training(net, Executable(schedule(training_graph(net, PLAN), TARGETS["avx512"], 48, order), threads), 41)
        for number in range(1, STEPS + 1):
            training.step(number)
        digest = hashlib.sha256()
        for key, value in sorted(training.weights().items()):
            assert np.isfinite(value).all(), key
            digest.update(value.tobytes())
        found[f"{name} {order}"] = digest.hexdigest()
    return found


if __name__ == "__main__":
    what, argument = sys.argv[1:]
    print(json.dumps(target(argument) if what == "target" else bits(int(argument))))
