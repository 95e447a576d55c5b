"""What is written for other runtimes computes what the net computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.bench.job import without_dropout
from netspec.bench.ncnn_model import ncnn_model
from netspec.bench.onnx_model import onnx_model
from netspec.bench.twin import forward, module
from netspec.bench.weights import likely_weights
from netspec.diagnostics import UserError
from netspec.graph.graph import Graph
from netspec.model import load, model
from tests.bench.nets import expected, inputs, kinds
from tests.tolerances import error

pytestmark = pytest.mark.parity

NETS = ["Kinds", "Probabilities"]


@pytest.mark.parametrize("net", NETS)
def test_pytorch(net: str) -> None:
    torch = pytest.importorskip("torch")
    graph, x = kinds(net).graph, inputs(kinds(net).graph)
    weights = {name: torch.tensor(value).double() for name, value in likely_weights(graph).items()}
    assert error(forward(graph, torch.tensor(x).double(), weights).numpy(), expected(graph, x)) < 1e-12


def test_computing_in_place_changes_neither_the_result_nor_gradients() -> None:
    torch = pytest.importorskip("torch")
    graph = without_dropout(kinds().graph)
    weights = likely_weights(graph)
    x = torch.tensor(inputs(graph)).double()
    net = module(graph, weights, training=True).double()
    given = {name: torch.tensor(value).double().requires_grad_() for name, value in weights.items()}
    ours, plain = net(x), forward(graph, x, given, training=True)
    (ours**2).sum().backward()
    (plain**2).sum().backward()
    assert error(ours.detach(), plain.detach()) < 1e-14
    for name, parameter in net.named_parameters():
        assert error(parameter.grad, given[name.replace("__", ".")].grad) < 1e-12


def run_onnx(graph: Graph, x: Any) -> Any:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    session = runtime.InferenceSession(onnx_model(graph, likely_weights(graph), len(x)))
    return session.run(None, {graph.inputs[0].name: x})[0]


@pytest.mark.parametrize("net", NETS)
def test_onnx(net: str) -> None:
    graph = without_dropout(kinds(net).graph)
    x = inputs(graph)
    assert error(run_onnx(graph, x), expected(graph, x)) < 1e-5


def test_lenet_in_onnx_equals_the_compiled_net() -> None:
    loaded = load("lenet")
    graph = without_dropout(loaded.graph)
    x = inputs(graph, 4)
    net = loaded.compile(batch=4)
    net.load_weights(likely_weights(graph))
    assert error(run_onnx(graph, x), net(x)) < 1e-5


@pytest.mark.parametrize("net", NETS)
def test_ncnn(net: str, tmp_path: Path) -> None:
    library: Any = pytest.importorskip("ncnn")
    graph = without_dropout(kinds(net).graph)
    text, weights = ncnn_model(graph, likely_weights(graph))
    (tmp_path / "net.param").write_text(text)
    (tmp_path / "net.bin").write_bytes(weights)
    loaded = library.Net()
    loaded.opt.use_fp16_packed = loaded.opt.use_fp16_storage = loaded.opt.use_fp16_arithmetic = False
    assert loaded.load_param(str(tmp_path / "net.param")) == 0
    assert loaded.load_model(str(tmp_path / "net.bin")) == 0
    found: list[Any] = []
    for picture in inputs(graph):
        extractor = loaded.create_extractor()
        extractor.input("x", library.Mat(picture))
        found.append(np.array(extractor.extract("y")[1]))
    assert error(np.array(found), expected(graph, inputs(graph))) < 1e-4


@pytest.mark.parametrize("write", [lambda graph: ncnn_model(graph, {}), lambda graph: onnx_model(graph, {}, 1)], ids=["ncnn", "onnx"])
def test_what_is_not_built_is_named(write: Any) -> None:
    from netspec.diagnostics import Source

    graph = model(Source("a.net", "net A { input image[1, 4, 4]; stanh }"), None, {}).graph
    with pytest.raises(UserError, match="does not build `stanh`"):
        write(graph)
