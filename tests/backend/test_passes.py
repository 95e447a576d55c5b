"""Each pass by itself: when it fires, when it does not and why, and that the values stay what they were."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from netspec.compiler import OPTIMISE, gradient_graph, inference_graph, training_graph
from netspec.graph.graph import Graph, Op, verify
from netspec.graph.types import TensorType, Value, Weight
from netspec.kernels.affine import Axis, N, axes, common_refinement
from netspec.kernels.formula import Tensor, each, largest, total
from netspec.kernels.scalar import Call, accesses, maximum
from netspec.passes import Pass, run
from netspec.passes.apply_optimizer import NORM
from netspec.passes.attach_loss import LOSS
from netspec.passes.differentiate import Differentiate
from netspec.passes.drop_dead_ops import drop_dead_ops
from netspec.passes.fold_batchnorm import fold_batchnorm
from netspec.passes.forward_copies import forward_copies
from netspec.passes.fuse_epilogues import fuse_epilogues
from netspec.passes.lower import Lower
from netspec.passes.refine_views import refine_views
from netspec.passes.split_ops import split_ops
from netspec.runtime import reference
from netspec.runtime.executable import Executable
from netspec.schedule.schedule import schedule
from netspec.schedule.targets import TARGETS
from netspec.training.losses import CrossEntropy, Term
from netspec.training.optimizers import Adam, AdamW, Optimizer, Sgd
from netspec.training.plan import TrainPlan
from netspec.training.regularizers import L2
from tests.backend.nets import Builder
from tests.backend.steps import LABEL, tensors_of

n, c, h, w = axes(n=N, c=3, h=4, w=5)
x, y, z, out = map(Tensor, ("x", "y", "z", "out"))
PICTURE = TensorType((N, 3, 4, 5))


def graph_of(ops: Iterable[Op], outputs: tuple[str, ...], weights: tuple[Weight, ...] = ()) -> Graph:
    return verify(Graph("test", (Value("x", PICTURE),), weights, tuple(ops), outputs))


def pointwise(name: str, body: object, kind: TensorType = PICTURE) -> Op:
    return Op(name, (each(Tensor(name)[n, c, h, w], body),), (Value(name, kind),), name)  # pyright: ignore[reportArgumentType]


def same_outputs(before: Graph, after: Graph, tensors: dict[str, NDArray[np.float64]]) -> None:
    one, other = (reference.run(graph, tensors, {"seed": 1}) for graph in (before, after))
    for name in before.outputs:
        np.testing.assert_allclose(other[name], one[name], rtol=1e-9, atol=1e-12, err_msg=name)


def lowered(net: Builder, *passes: Pass, training: bool = False) -> Graph:
    return run(net.graph("net"), (Lower(training), split_ops, *passes))


# ── refine_views ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("a", "b", "fine"),
    [
        ((N, 6, 4), (N, 3, 8), (N, 3, 2, 4)),
        ((N, 12), (N, 3, 2, 2), (N, 3, 2, 2)),
        ((5,), (5,), (5,)),
        ((N, 3, 4), (N, 3, 1, 4), (N, 3, 1, 4)),
    ],
)
def test_the_dimensions_that_two_views_share(a: tuple[int | str, ...], b: tuple[int | str, ...], fine: tuple[int | str, ...]) -> None:
    assert common_refinement(a, b) == common_refinement(b, a) == fine


def test_views_without_common_dimensions() -> None:
    assert common_refinement((N, 6), (N, 4)) is None
    assert common_refinement((N, 3, 4), (N, 4, 3)) is None


def test_a_dense_layer_sees_what_flatten_flattened() -> None:
    net = Builder((2, 3, 4))
    net.add("dense", net.add("flatten", net.add("relu", "image")), units=5)
    plain, refined = lowered(net), lowered(net, refine_views)
    (product,) = (formula for op in refined.ops for formula in op.formulas if formula.factors)
    assert [access.view for access in accesses(product.body)] == [(N, 2, 3, 4), (5, 2, 3, 4)]
    same_outputs(plain, refined, tensors_of(net.graph("net"), 3))


def test_an_axis_in_a_sum_keeps_the_coarse_view() -> None:
    net = Builder((2, 3, 4))
    flat = net.add("flatten", net.add("relu", "image"))
    net.add("concat", flat, flat)
    plain, refined = lowered(net), lowered(net, refine_views)
    moved = [formula for op in refined.ops if op.origin.startswith("concat") for formula in op.formulas][1]
    assert moved.out.view is None
    assert len(moved.out.indices) == 2
    same_outputs(plain, refined, tensors_of(net.graph("net"), 3))


def test_a_window_over_channels_keeps_them_whole() -> None:
    net = Builder((6, 3, 4))
    net.add("lrn", net.add("conv", "image", c=6, k=1, groups=3), n=3)
    plain, refined = lowered(net), lowered(net, refine_views)
    formulas = [formula for op in refined.ops if op.origin.startswith("lrn") for formula in op.formulas]
    assert {access.view for formula in formulas for access in formula.accesses if access.tensor.endswith("square")} == {None}
    same_outputs(plain, refined, tensors_of(net.graph("net"), 3))
    assert schedule(refined, TARGETS["avx512"], 4)


def test_nothing_viewed_nothing_done() -> None:
    net = Builder((2, 3, 4))
    net.add("relu", "image")
    graph = lowered(net)
    assert refine_views(graph) is graph


# ── forward_copies ───────────────────────────────────────────────────────────────────────────────


def test_flatten_is_no_work() -> None:
    net = Builder((2, 3, 4))
    net.add("dense", net.add("flatten", net.add("relu", "image")), units=5)
    plain = lowered(net)
    lean = run(plain, (refine_views, forward_copies, drop_dead_ops))
    assert not any(op.origin.startswith("flatten") for op in lean.ops)
    same_outputs(plain, lean, tensors_of(net.graph("net"), 3))


def test_a_copy_that_must_be_there_is_written_by_its_producer() -> None:
    net = Builder((2, 3, 4))
    net.add("flatten", net.add("relu", "image"))
    lean = lowered(net, refine_views, forward_copies, drop_dead_ops)
    (op,) = lean.ops
    assert op.outputs[0].name == net.nodes[-1].name
    assert isinstance(op.formulas[0].body, Call)


def test_a_copy_of_what_is_returned_itself_stays() -> None:
    graph = graph_of([pointwise("y", maximum(0.0, x[n, c, h, w])), pointwise("z", y[n, c, h, w])], ("y", "z"))
    assert forward_copies(graph) is graph


# ── fuse_epilogues ───────────────────────────────────────────────────────────────────────────────


def test_bias_norm_sum_and_activation_join_the_convolution() -> None:
    net = Builder((3, 6, 6))
    branch = net.add("bn", net.add("conv", "image", c=3, k=3, pad=1))
    net.add("relu", net.add("add", branch, "image"))
    graph = inference_graph(net.graph("net"))
    kernels = [op for op in graph.ops if any(formula.factors for formula in op.formulas)]
    assert len(kernels) == 1
    assert kernels[0].outputs[0].name == graph.outputs[0]
    assert [op for op in graph.ops if N in graph.shape(op.outputs[0].name)] == kernels
    same_outputs(run(net.graph("net"), (Lower(training=False),)), graph, tensors_of_picture(net, 3))


def tensors_of_picture(net: Builder, images: int) -> dict[str, NDArray[np.float64]]:
    random = np.random.default_rng(0)
    found = {item.name: np.abs(random.standard_normal([int(e) for e in item.type.shape])) + 0.1 for item in net.weights}
    return found | {"image": random.standard_normal((images, *net.shapes["image"]))}


def names_of(graph: Graph) -> list[str]:
    return [op.name for op in graph.ops]


def test_a_value_that_two_read_is_no_epilogue() -> None:
    ops = [pointwise("y", x[n, c, h, w] * 2), pointwise("z", y[n, c, h, w] + 1), pointwise("out", y[n, c, h, w] * z[n, c, h, w])]
    fused = fuse_epilogues(graph_of(ops, ("out",)))
    assert names_of(fused) == ["y", "out"]  # z joins out, which then reads y twice; y itself is read from memory


def test_what_is_returned_is_stored() -> None:
    graph = graph_of([pointwise("y", x[n, c, h, w] * 2), pointwise("z", y[n, c, h, w] + 1)], ("y", "z"))
    assert fuse_epilogues(graph) is graph


def test_another_position_is_no_epilogue() -> None:
    a = Axis("a", 3)
    shifted = Op("z", (each(z[n, c, a, w], y[n, c, a + 1, w]),), (Value("z", TensorType((N, 3, 3, 5))),), "z")
    graph = graph_of([pointwise("y", x[n, c, h, w] * 2), shifted], ("z",))
    assert fuse_epilogues(graph) is graph


def test_a_sum_is_no_epilogue() -> None:
    pooled = Op("z", (total(z[n, c], y[n, c, h, w]),), (Value("z", TensorType((N, 3))),), "z")
    graph = graph_of([pointwise("y", x[n, c, h, w] * 2), pooled], ("z",))
    assert fuse_epilogues(graph) is graph


@pytest.mark.parametrize(("body", "fires"), [(y[n, c, h, w] * x[n, c, h, w], True), (y[n, c, h, w] + 1, False)])
def test_parts_that_leave_zeros_take_only_epilogues_that_keep_zero(body: object, fires: bool) -> None:
    even = Axis("e", 2)
    parts = Op("y", (each(y[n, c, even * 2, w], x[n, c, even * 2, w]),), (Value("y", PICTURE),), "y")
    graph = graph_of([parts, pointwise("z", body)], ("z",))
    fused = fuse_epilogues(graph)
    assert names_of(fused) == (["z"] if fires else ["y", "z"])
    same_outputs(graph, fused, {"x": np.random.default_rng(0).standard_normal((2, 3, 4, 5))})


# ── drop_dead_ops ────────────────────────────────────────────────────────────────────────────────


def test_what_nobody_reads_goes() -> None:
    ops = [pointwise("y", x[n, c, h, w] * 2), pointwise("z", x[n, c, h, w] + 1)]
    assert names_of(drop_dead_ops(graph_of(ops, ("z",)))) == ["z"]
    graph = graph_of(ops, ("y", "z"))
    assert drop_dead_ops(graph) is graph


def test_the_argument_of_a_maximum_goes_alone() -> None:
    values = Value("y", TensorType((N, 3))), Value("at", TensorType((N, 3)))
    pool = Op("y", (largest(y[n, c], x[n, c, h, w], Tensor("at")[n, c]),), values, "y")
    (op,) = drop_dead_ops(graph_of([pool], ("y",))).ops
    assert op.formulas[0].argument is None
    assert [value.name for value in op.outputs] == ["y"]
    graph = graph_of([pool], ("y", "at"))
    assert drop_dead_ops(graph) is graph


# ── fold_batchnorm ───────────────────────────────────────────────────────────────────────────────


def test_a_normalisation_by_fixed_statistics_is_one_multiply_add() -> None:
    net = Builder((3, 4, 5))
    net.add("bn", "image")
    plain = lowered(net)
    folded = fold_batchnorm(plain)
    *parts, normalised = folded.ops
    assert sorted(op.name.rpartition("/")[2] for op in parts) == ["factor", "offset"]
    assert all(N not in folded.shape(op.name) for op in parts)
    assert {access.tensor for access in accesses(normalised.formulas[0].body)} == {"image", *(op.name for op in parts)}
    same_outputs(plain, folded, tensors_of_picture(net, 2))


def test_statistics_of_the_batch_are_not_folded() -> None:
    net = Builder((3, 4, 5))
    net.add("bn", "image")
    graph = lowered(net, training=True)
    assert fold_batchnorm(graph) is graph


# ── differentiate ────────────────────────────────────────────────────────────────────────────────


def test_contributions_are_summed_from_the_last_reader_to_the_first() -> None:
    ops = [
        pointwise("y", x[n, c, h, w] * 2),
        pointwise("z", y[n, c, h, w] * y[n, c, h, w]),
        pointwise("out", y[n, c, h, w] * z[n, c, h, w]),
        Op("loss", (total(Tensor("loss")[0], out[n, c, h, w]),), (Value("loss", TensorType((1,))),), "loss"),
    ]
    graph = verify(Differentiate("loss", ("x",))(graph_of(ops, ("loss",))))
    (summed,) = (op for op in graph.ops if op.name == "d:y")
    assert [access.tensor for access in accesses(summed.formulas[0].body)] == ["d:y#0", "d:y#1"]
    first, second = (next(op for op in graph.ops if op.name == name) for name in ("d:y#0", "d:y#1"))
    assert (first.origin, second.origin) == ("out", "z")
    values = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    np.testing.assert_allclose(reference.run(graph, {"x": values})["d:x"], 3 * (2 * values) ** 2 * 2)


# ── apply_optimizer ──────────────────────────────────────────────────────────────────────────────


def classifier() -> Graph:
    net = Builder((6,))
    net.add("dense", net.add("tanh", net.add("dense", "image", units=7)), units=4)
    return net.graph("classifier")


def plan(optimizer: Optimizer, decay: float = 0.0) -> TrainPlan:
    regularize = (L2(amount=decay, on="weight"),) if decay else ()
    return TrainPlan("net", loss=(Term(1.0, CrossEntropy()),), optimizer=optimizer, regularize=regularize, epochs=1)


RULES = [
    pytest.param(Sgd(lr=0.1), 0.0, lambda torch, p: torch.optim.SGD(p, lr=0.1), id="sgd"),
    pytest.param(
        Sgd(lr=0.1, momentum=0.9, nesterov=True), 1e-2,
        lambda torch, p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-2), id="nesterov",
    ),
    pytest.param(Adam(lr=0.01), 1e-2, lambda torch, p: torch.optim.Adam(p, lr=0.01, weight_decay=1e-2), id="adam"),
    pytest.param(AdamW(lr=0.01, decay=0.1), 0.0, lambda torch, p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1), id="adamw"),
]  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize(("optimizer", "decay", "theirs"), RULES)
def test_five_steps_are_pytorchs(optimizer: Optimizer, decay: float, theirs: object) -> None:
    torch = pytest.importorskip("torch")
    net, images = classifier(), 8
    graph = training_graph(net, plan(optimizer, decay))
    tensors = tensors_of(net, images)
    state = {item.name: np.zeros(item.type.sample) for item in graph.weights} | {item.name: tensors[item.name] for item in net.weights}
    # PyTorch decays every parameter; ours only what the pattern names, here the weights of layers.
    parameters = {item.name: torch.tensor(tensors[item.name], requires_grad=True) for item in net.weights}
    decayed = [value for name, value in parameters.items() if name.endswith("weight") or not decay]
    step = theirs(torch, decayed)  # pyright: ignore[reportCallIssue]
    others = [value for name, value in parameters.items() if not (name.endswith("weight") or not decay)]
    rest = theirs(torch, [{"params": others, "weight_decay": 0.0}]) if others else None  # pyright: ignore[reportCallIssue]
    label = torch.tensor(tensors[LABEL]).long()
    for number in range(1, 6):
        given = {"image": tensors["image"] * number, LABEL: tensors[LABEL]}
        values = reference.run(graph, {**state, **given}, {"lr": optimizer.lr, "step": number})
        state = {name: values[value] for name, value in graph.updates}
        first, second = (parameters[f"{node.name}.weight"] for node in net.layers if node.weights)
        biases = [parameters[f"{node.name}.bias"] for node in net.layers if node.weights]
        hidden = torch.tanh(torch.nn.functional.linear(torch.tensor(given["image"]), first, biases[0]))
        loss = torch.nn.functional.cross_entropy(torch.nn.functional.linear(hidden, second, biases[1]), label)
        for item in parameters.values():
            item.grad = None
        loss.backward()
        step.step()
        if rest is not None:
            rest.step()
        np.testing.assert_allclose(values[LOSS], [loss.item()], rtol=1e-10)
    for name, value in parameters.items():
        np.testing.assert_allclose(state[name], value.detach().numpy(), rtol=1e-8, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_a_step_that_is_not_finite_changes_nothing(spoilt: float) -> None:
    net, images = classifier(), 8
    graph = training_graph(net, plan(Adam(lr=0.01)))
    exe = Executable(schedule(graph, TARGETS["avx512"], 16, "channels"), 2)
    tensors = tensors_of(net, images)
    for item in net.weights:
        exe.write(item.name, tensors[item.name].astype(np.float32))
    given = {"image": tensors["image"].astype(np.float32), LABEL: tensors[LABEL].astype(np.float32)}
    exe.run(given, images, {"lr": 0.01, "step": 1})
    before = {item.name: exe.read(item, item.type.sample) for item in graph.weights}
    assert all(np.isfinite(value).all() and value.any() for value in before.values())
    bad = given["image"].copy()
    bad[3, 2] = spoilt
    exe.run({**given, "image": bad}, images, {"lr": 0.01, "step": 2})
    assert not np.isfinite(exe.read(NORM, (1,))).all() or not np.isfinite(exe.read(LOSS, (1,))).all()
    for item in graph.weights:
        np.testing.assert_array_equal(exe.read(item, item.type.sample), before[item.name], err_msg=item.name)
    exe.run(given, images, {"lr": 0.01, "step": 2})
    assert all(not np.array_equal(exe.read(item, item.type.sample), before[item.name]) for item in net.weights)


# ── all of them ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", range(1, len(OPTIMISE) + 1))
def test_every_prefix_of_the_pipeline_keeps_the_values(count: int) -> None:
    net = Builder((2, 6, 6))
    x = net.add("relu", net.add("bn", net.add("conv", "image", c=4, k=3, stride=2, pad=1)))
    branch = net.add("conv", x, c=4, k=3, pad=1, groups=2)
    x = net.add("concat", net.add("add", branch, x), x)
    net.add("dense", net.add("flatten", net.add("maxpool", x, k=2)), units=5)
    graph = net.graph("net")
    before = run(graph, gradient_passes())
    after = run(before, OPTIMISE[:count])
    same_outputs(before, after, tensors_of(graph, 3))
    assert gradient_graph(graph, (Term(1.0, CrossEntropy()),)).outputs == before.outputs


def gradient_passes() -> tuple[Pass, ...]:
    from netspec.passes.attach_loss import AttachLoss

    return Lower(training=True), AttachLoss((Term(1.0, CrossEntropy()),)), Differentiate(LOSS)
