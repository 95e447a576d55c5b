"""netspec as a library: shapes, names, errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import netspec
from tests.e2e.process import ROOT

SPEC = """param width = 6
net Small {
  input image[2, 8, 8]
  c1: conv(width, 3x3, pad=1) -> bn -> relu -> maxpool(2)
  flatten
  head: dense(3)
}
train Small {
  data      = npz("none.npz")
  loss      = cross_entropy
  optimizer = sgd(lr=0.1, momentum=0.9)
  batch  = 16
  epochs = 1
}
"""


@pytest.fixture(scope="module")
def net() -> netspec.Net:
    return netspec.load(SPEC).compile(mode="train", batch=16, threads=1, seed=5)


def samples(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures whose class shows in their brightness."""
    labels = np.arange(count) % 3
    noise = np.random.default_rng(seed).normal(size=(count, 2, 8, 8))
    return (noise + labels[:, None, None, None]).astype(np.float32), labels


def test_importing_loads_nothing_heavy() -> None:
    program = "import sys, netspec; netspec.check; print(sorted({'numpy', 'numba', 'rich', 'torch'} & set(sys.modules)), dir(netspec))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[] ")
    assert all(f"'{name}'" in done.stdout for name in netspec.__all__)
    with pytest.raises(AttributeError, match="module 'netspec' has no attribute 'teach'"):
        _ = netspec.teach  # pyright: ignore[reportAttributeAccessIssue]


def test_everything_named_is_there() -> None:
    import netspec.trainer.loop  # a module named like a function would hide it

    for name in netspec.__all__:
        assert callable(getattr(netspec, name)), name


def test_a_report() -> None:
    report = netspec.check(SPEC, width=4)
    assert report.ok
    (found,) = report.to_dict()["nets"]  # type: ignore[misc]
    assert found["params"] == 4 * 2 * 9 + 4 + 4 + 4 + 3 * 64 + 3  # type: ignore[index, call-overload]
    wrong = netspec.check(SPEC.replace("flatten\n", ""))
    assert not wrong.ok
    assert [item.code for item in wrong.diagnostics] == ["E0202"]


@pytest.mark.parametrize("count", [1, 3, 15, 16])
def test_any_number_of_samples_up_to_the_batch(net: netspec.Net, count: int) -> None:
    x, _ = samples(16)
    whole = net(x)
    assert whole.shape == (16, 3)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(net(x[:count]), whole[:count])
    np.testing.assert_array_equal(net(x[:count].astype(np.float64)[:, ::1]), whole[:count])


def test_steps_learn() -> None:
    net = netspec.load(SPEC).compile(mode="train", batch=16, threads=2, seed=5)
    before = net.weights
    losses = [net.step(*samples(16, seed)) for seed in range(40)]
    assert losses[-1] < 0.3 * losses[0]
    assert all((net.weights[name] != value).any() for name, value in before.items())
    x, labels = samples(15, 99)
    loss, accuracy = net.evaluate(x, labels)
    assert accuracy is not None
    assert accuracy > 0.8
    assert loss < losses[0]
    assert float((net(x).argmax(axis=1) == labels).mean()) == accuracy


def test_gradients_belong_to_the_trainable_weights(net: netspec.Net) -> None:
    x, labels = samples(16)
    loss, gradients = net.gradients(x, labels)
    assert set(net.weights) - set(gradients) == {"c1.bn.0.mean", "c1.bn.0.var"}
    assert all(gradients[name].shape == net.weights[name].shape for name in gradients)
    before = net.weights
    again, _ = net.gradients(x, labels)
    assert again == loss
    assert all((net.weights[name] == value).all() for name, value in before.items())
    direction = {name: value / np.sqrt(sum((g**2).sum() for g in gradients.values())) for name, value in gradients.items()}
    slope = sum(float((gradients[name] * direction[name]).sum()) for name in gradients)
    ends = []
    for sign in (1, -1):
        net.load_weights({name: before[name] + sign * 1e-2 * direction[name] for name in direction})
        ends.append(net.gradients(x, labels)[0])
    net.load_weights(before)
    assert abs((ends[0] - ends[1]) / 2e-2 - slope) < 0.02 * slope


def test_weights_are_copies_in_pytorchs_layout(net: netspec.Net) -> None:
    shapes = {name: value.shape for name, value in net.weights.items()}
    assert shapes["c1.weight"] == (6, 2, 3, 3)
    assert shapes["head.weight"] == (3, 96)
    first = net.weights
    first["c1.weight"][:] = 0
    assert net.weights["c1.weight"].any()
    other = netspec.load(SPEC).compile(batch=16, threads=1, seed=6)
    x, _ = samples(4)
    assert (other(x) != net(x)).any()
    other.load_weights(net.weights)
    np.testing.assert_array_equal(other(x), net(x))


def test_mistakes_are_told(net: netspec.Net) -> None:
    x, labels = samples(4)
    with pytest.raises(netspec.UserError, match=r"Small takes \[N, 2, 8, 8\] with N from 1 to 16, got \[17, 2, 8, 8\]"):
        net(np.zeros((17, 2, 8, 8)))
    with pytest.raises(netspec.UserError, match=r"got \[4, 8, 8, 2\]"):
        net(x.transpose(0, 2, 3, 1))
    with pytest.raises(netspec.UserError, match="4 samples, but 3 labels"):
        net.step(x, labels[:3])
    before = net.weights
    with pytest.raises(netspec.UserError, match=r"no weight `c1.wieght`\n.*did you mean `c1.weight`"):
        net.load_weights({"head.bias": np.ones(3), "c1.wieght": np.zeros(3)})
    with pytest.raises(netspec.UserError, match=r"weight `head.bias` is \[3\], got \[4\]"):
        net.load_weights({"head.bias": np.zeros(4)})
    assert all((net.weights[name] == value).all() for name, value in before.items())
    with pytest.raises(netspec.UserError, match="batch is at least 1"):
        netspec.load(SPEC).compile(batch=0)
    with pytest.raises(netspec.SpecError, match="E0101"):
        netspec.load(SPEC.replace("flatten", "flaten"))
    with pytest.raises(netspec.UsageError, match="no parameter `widht`"):
        netspec.load(SPEC, widht=3)


def test_training_in_memory(tmp_path: Path) -> None:
    x, labels = samples(120)
    np.savez(tmp_path / "none.npz", image=x, y=labels)
    (tmp_path / "small.net").write_text(SPEC.replace("epochs = 1", "epochs = 4"))
    done = netspec.train(str(tmp_path / "small.net"), seed=3, threads=1, width=5)
    assert done.folder is None
    assert (done.result.ended, done.result.epochs, done.result.seed) == ("finished", 4, 3)
    assert done.result.train_loss is not None
    assert done.result.train_loss < 0.6
    assert done.net.weights["c1.weight"].shape == (5, 2, 3, 3)
    assert done.net(x[:7]).shape == (7, 3)
    again = netspec.train(str(tmp_path / "small.net"), seed=3, threads=1, width=5, runs=tmp_path / "runs")
    assert all((again.net.weights[name] == value).all() for name, value in done.net.weights.items())
    assert again.folder == tmp_path / "runs" / "Small" / "1"
    kept = netspec.open_run(again.folder).compile(threads=1)
    assert all((kept.weights[name] == value).all() for name, value in done.net.weights.items())
