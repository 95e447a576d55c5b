"""The CUDA target without a GPU: its source, its memory, PTX of all kernels, and twins of nets in the simulator."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from netspec.compiler import inference_graph, training_graph
from netspec.diagnostics import Source, UserError
from netspec.elaborate import elaborate
from netspec.graph.graph import Graph, Op
from netspec.graph.types import ZEROS, TensorType, Value, Weight
from netspec.kernels.affine import Axis
from netspec.kernels.formula import Tensor, each
from netspec.runtime import cuda_build
from netspec.runtime.cuda_build import import_kernels, require_device
from netspec.schedule.cuda import schedule_cuda
from netspec.schedule.cuda_kernel import word
from netspec.schedule.cuda_program import CudaProgram, Kernel
from netspec.schedule.program import resolve
from netspec.schedule.targets import TARGETS
from netspec.syntax.parse import parse
from netspec.targets.cuda.source import arguments, number, source

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
BATCH = 64
with_numba_cuda = pytest.mark.skipif(
    find_spec("numba_cuda") is None, reason="numba-cuda is not installed: pip install 'netspec-compiler[cuda]'"
)

SMALL = """
net Small {
  input image[1, 4, 4]
  c1: conv(2, 3x3, pad=1) -> relu -> maxpool(2)
  flatten -> dropout(0.5)
  logits: dense(3)
}
train Small { loss = cross_entropy; optimizer = sgd(lr=0.1, momentum=0.9); epochs = 1 }
"""


def graphs(text: str) -> tuple[Graph, Graph]:
    """What is inferred and what is trained."""
    origin = Source("test.net", text)
    net = elaborate(parse(text, origin.file), origin).nets[0]
    assert net.graph is not None
    assert net.plan is not None
    return inference_graph(net.graph), training_graph(net.graph, net.plan)


def program(graph: Graph) -> CudaProgram:
    return schedule_cuda(graph, TARGETS["cuda_sm90"], BATCH)


def spec_programs() -> Iterator[CudaProgram]:
    for name in ("lenet", "mlp"):
        yield from map(program, graphs((ROOT / "specs" / f"{name}.net").read_text(encoding="utf-8")))


# ── code ─────────────────────────────────────────────────────────────────────────────────────────


def test_golden_source(golden: Callable[[Path, str], None]) -> None:
    infer, train = map(program, graphs(SMALL))
    golden(GOLDEN / "small_infer.cuda_sm90.txt", f"{infer}\n{source(infer)}")
    golden(GOLDEN / "small_train.cuda_sm90.txt", f"{train}\n{source(train)}")


def test_source_carries_no_text_of_the_spec() -> None:
    text = source(program(graphs(SMALL.replace("c1", "a_label_of_more_than_forty_characters_in_all"))[1]))
    assert not re.search("label|forty|small", text, re.IGNORECASE)
    assert re.search(r"^def dot_w0\(", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("c1.relu.0", "c1_relu_0"),
        ("d:c1.weight#0", "d_c1_weight_0"),
        ("Conv", "conv"),
        ("größe", "w7"),
        ("x" * 41, "w7"),
        ("2nd", "w7"),
        ("_a", "w7"),
    ],
)
def test_words(label: str, expected: str) -> None:
    assert word(label, 7) == expected


def test_constants_are_float32() -> None:
    assert [number(value) for value in (0.05, 1.0, float("-inf"), 1e-8)] == [
        "float32(0.05)",
        "float32(1.0)",
        "float32(-inf)",
        "float32(1e-08)",
    ]
    literals = re.compile(r"(?<![\w.(])-?\d+\.\d*(?:e-?\d+)?(?![\w.])")
    for item in spec_programs():
        code = re.sub(r'""".*?"""', "", source(item), flags=re.DOTALL)
        assert not literals.findall(re.sub(r"float32\([^()]*\)", "", code))


def test_equal_work_is_one_kernel() -> None:
    item = program(graphs(SMALL)[1])
    updates = [launch for launch in item.launches if launch.name.endswith("momentum/next")]
    assert len(updates) == 4, "two weights and two biases"
    assert len({launch.kernel for launch in updates}) == 1


# ── memory ───────────────────────────────────────────────────────────────────────────────────────


def test_what_lives_at_the_same_time_lies_apart() -> None:
    for item in spec_programs():
        lives: dict[str, tuple[int, int]] = {}
        for clock, launch in enumerate(item.launches):
            for name in launch.buffers:
                lives[name] = lives.get(name, (clock, clock))[0], clock
        shared = [buffer for buffer in item.buffers.values() if buffer.space == "shared"]
        assert shared
        for i, a in enumerate(shared):
            for b in shared[:i]:
                ends = [(resolve(x.offset, BATCH), resolve(x.offset, BATCH) + resolve(x.size, BATCH)) for x in (a, b)]
                apart = ends[0][1] <= ends[1][0] or ends[1][1] <= ends[0][0]
                never_together = lives[a.name][1] < lives[b.name][0] or lives[b.name][1] < lives[a.name][0]
                assert apart or never_together, f"{a} and {b}"
        assert all(resolve(buffer.offset, BATCH) + resolve(buffer.size, BATCH) <= item.spaces["shared"] for buffer in shared)


def test_weights_are_updated_in_place() -> None:
    item = program(graphs(SMALL)[1])
    assert item.buffers["logits.weight/next"] == replace(item.buffers["logits.weight"], name="logits.weight/next")


@pytest.mark.parametrize(("shift", "late", "message"), [(1, False, "elsewhere"), (0, True, "overwritten")])
def test_an_update_that_would_be_read_too_late_is_refused(shift: int, late: bool, message: str) -> None:
    i, w = Axis("i", 4), Tensor("w", "zero")
    kind = TensorType((4,))
    ops = [Op("next", (each(Tensor("next")[i], w[i + shift]),), (Value("next", kind),), "test")]
    ops += [Op("copy", (each(Tensor("copy")[i], w[i]),), (Value("copy", kind),), "test")] if late else []
    graph = Graph("test", (), (Weight("w", kind, ZEROS),), tuple(ops), ("copy",) if late else (), (("w", "next"),))
    with pytest.raises(AssertionError, match=message):
        program(graph)


# ── compiled and run ─────────────────────────────────────────────────────────────────────────────


def ptx(kernel: Kernel, function: Callable[..., None]) -> str:
    from numba import cuda, types

    known = {"int64": types.int64, "float32": types.float32, "float32[::1]": types.float32[::1]}
    signature = tuple(known[kind] for _, kind in arguments(kernel))
    text, _ = cuda.compile(function, signature, device=False, abi="numba", cc=(9, 0), output="ptx")
    return text if isinstance(text, str) else text.decode()


@with_numba_cuda
def test_every_kernel_compiles_to_ptx_without_a_gpu() -> None:
    """LeNet-5 and the MLP, inference and training: some 80 different kernels, 12 s."""
    done: set[Kernel] = set()
    for item in spec_programs():
        module = import_kernels(item)
        for kernel in item.kernels:
            if replace(kernel, name="") in done:
                continue
            done.add(replace(kernel, name=""))
            text = ptx(kernel, getattr(module, kernel.name).py_func)
            assert ".target sm_90" in text
            assert ".f64" not in text, f"{kernel.name} computes in float64"
    assert len(done) > 50


@with_numba_cuda
def test_simulated_kernels_equal_reference_and_cpu() -> None:
    """The simulator is chosen when numba is imported, so it takes a process of its own."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/backend/cuda_simulated.py"]
    found = subprocess.run(command, cwd=ROOT, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]


def test_without_numba_cuda_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_build, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="needs numba-cuda") as caught:
        require_device()
    assert caught.value.help == "pip install 'netspec-compiler[cuda]'"


@with_numba_cuda
def test_without_a_gpu_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba import cuda

    monkeypatch.setattr(cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no CUDA device") as caught:
        require_device()
    assert caught.value.help is not None
    assert "NUMBA_ENABLE_CUDASIM=1" in caught.value.help
