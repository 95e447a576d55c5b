"""Nets of several inputs, outputs and losses as users run them: trained from archives, called by name, gone on with, finetuned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netspec
from tests.e2e.process import epochs, last, same_bits
from tests.e2e.process import netspec as command

PAIRS = """block twin { conv(4, 3x3, pad=1) -> relu -> maxpool(2) -> flatten -> dense(6) -> tanh }
net Pairs {
  input left[1, 8, 8]
  input facts[5, 2]
  a: from left -> twin
  b: from facts -> flatten -> dense(6) -> tanh
  from a -> add(b) -> relu
  output same: dense(2)
  output back: dense(10)
}
train Pairs {
  data      = npz("pairs.npz", left="a", facts="b", val=20%)
  augment   = shift(1)
  prepare   = normalize(0.5, 0.5)
  loss      = cross_entropy(same) + 0.1 * mse(back, sums) + 0.01 * mse(a, b)
  optimizer = adam(lr=0.02)
  batch  = 16
  epochs = 6
  save   = best("val.accuracy")
}
train Pairs as finetune {
  data      = npz("pairs.npz", left="a", facts="b", val=20%)
  weights   = load("runs/Pairs/1/last.safetensors", except="same")
  rates     = [frozen(on=["a", "b"]), times(0.5, on="back")]
  loss      = cross_entropy(same) + mse(back, sums)
  optimizer = sgd(lr=0.1)
  batch  = 16
  epochs = 2
}
"""

CODER = """net Coder {
  input image[1, 6, 6]
  conv(4, 3x3, pad=1) -> relu -> conv(1, 3x3, pad=1) -> sigmoid
}
train Coder {
  data      = npz("images.npz", image="pictures")
  augment   = hflip
  loss      = mse(target=image)
  optimizer = adam(lr=0.02)
  batch  = 16
  epochs = 8
}
"""


def pairs(folder: Path, count: int = 110) -> dict[str, np.ndarray]:
    """A bright or dark picture and a row of numbers that are large or small: whether both say the same."""
    random = np.random.default_rng(0)
    bright, large = random.integers(0, 2, (2, count))
    made = {
        "a": (random.integers(0, 100, (count, 8, 8)) + 150 * bright[:, None, None]).astype(np.uint8),
        "b": random.normal(size=(count, 5, 2)) + 2.0 * large[:, None, None],
        "y": bright == large,
    }
    made["sums"] = np.repeat(made["b"].sum(axis=2), 2, axis=1) / 4
    np.savez(folder / "pairs.npz", **made)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `pairs.net` was trained for six epochs by two threads."""
    path = tmp_path_factory.mktemp("several")
    pairs(path)
    (path / "pairs.net").write_text(PAIRS)
    done = command("train", "pairs.net", "--threads", "2", cwd=path)
    assert done.returncode == 0, done.stderr
    return path


def test_it_learns(folder: Path) -> None:
    """The accuracy is that of the term that has classes."""
    rows = [[float(value) for value in row[3:]] for row in epochs(folder / "runs/Pairs/1")[1:]]
    assert rows[-1][0] < 0.7 * rows[0][0]
    assert rows[-1][3] > 0.75
    tested = command("eval", "runs/Pairs/1", cwd=folder)
    assert tested.returncode == 0, tested.stderr
    assert f"accuracy {rows[-1][3]:.2%} on 22 samples" in tested.stdout


def test_one_thread_and_an_interrupted_run_give_the_same_bits(folder: Path) -> None:
    done = command("train", "pairs.net", "--threads", "1", "--max-epochs", "3", "--runs", "again", cwd=folder)
    assert done.returncode == 0, done.stderr
    done = command("train", "--resume", "again/Pairs/1", "--threads", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert same_bits(folder / "again/Pairs/1", folder / "runs/Pairs/1")


def test_the_second_block_starts_from_the_weights_of_the_first(folder: Path) -> None:
    done = command("train", "pairs.net", "--train", "finetune", "--runs", "tuned", cwd=folder)
    assert done.returncode == 0, done.stderr
    before, after = last(folder / "runs/Pairs/1").tensors, last(folder / "tuned/Pairs/1")
    assert after.metadata["block"] == "finetune"
    kept = {name for name in before if name in after.tensors and (before[name] == after.tensors[name]).all()}
    assert kept == {f"{name}.{part}" for name in ("a.conv.0", "a.dense.0", "b") for part in ("weight", "bias")}
    assert command("train", "--resume", "tuned/Pairs/1", "--quiet", cwd=folder).returncode == 0
    assert command("eval", "tuned/Pairs/1", cwd=folder).returncode == 0


def test_it_is_called_by_name_in_order_or_by_a_mapping(folder: Path) -> None:
    net = netspec.open_run(folder / "runs/Pairs/1").compile(threads=1)
    random = np.random.default_rng(1)
    left, facts = random.normal(size=(3, 1, 8, 8)), random.normal(size=(3, 5, 2))
    found = net(left, facts)
    assert {name: value.shape for name, value in found.items()} == {"same": (3, 2), "back": (3, 10)}
    for again in (net(facts=facts, left=left), net({"left": left, "facts": facts}), net(left, facts=facts)):
        assert all((again[name] == value).all() for name, value in found.items())
    for mistaken, words in (
        (lambda: net(left), "needs the input facts too"),
        (lambda: net(left, facts, facts), "has the inputs left, facts, each of which is given once"),
        (lambda: net(left, left=left, facts=facts), "each of which is given once"),
        (lambda: net(left=left, fact=facts), "no input `fact`\n.*did you mean `facts`"),
        (lambda: net(left, facts[:2]), "3 samples of `left`, 2 samples of `facts`"),
        (lambda: net(facts, left), r"takes \[N, 1, 8, 8\] as `left` .* got \[3, 5, 2\]"),
    ):
        with pytest.raises(netspec.UserError, match=words):
            mistaken()


def test_steps_with_several_targets(folder: Path) -> None:
    net = netspec.load(str(folder / "pairs.net")).compile("train", threads=1)
    data = pairs(folder)
    x = {"left": data["a"][:16, None] / 255, "facts": data["b"][:16]}
    labels = {"y": data["y"][:16], "sums": data["sums"][:16]}
    losses = [net.step(x, labels) for _ in range(20)]
    assert losses[-1] < losses[0]
    loss, gradients = net.gradients(x, labels)
    assert set(gradients) == set(net.weights)
    assert loss == pytest.approx(net.evaluate(x, labels)[0], rel=1e-5)
    for wrong, words in (
        (labels["y"], "compares with `y`, `sums`\n.*a mapping"),
        ({"y": labels["y"]}, "also compares with `sums`"),
        (labels | {"z": 1}, "reads no field `z`"),
        (labels | {"sums": labels["y"]}, r"`sums` is \[10\] for each sample, got \[\]"),
        (labels | {"y": labels["y"][:3]}, "16 samples, but 3 labels"),
    ):
        with pytest.raises(netspec.UserError, match=words):
            net.step(x, wrong)


def test_an_autoencoder_is_compared_with_its_input_as_the_net_sees_it(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures = np.zeros((80, 6, 6), np.uint8)
    pictures[np.arange(80), :, random.integers(0, 3, 80)] = 255
    np.savez(tmp_path / "images.npz", pictures=pictures)
    (tmp_path / "coder.net").write_text(CODER)
    trained = [netspec.train(str(tmp_path / "coder.net"), threads=threads) for threads in (1, 2)]
    one, two = (item.net.weights for item in trained)
    assert all((one[name] == two[name]).all() for name in one)
    x = pictures[:16, None] / 255
    loss, accuracy = trained[0].net.evaluate(x)
    assert accuracy is None
    assert loss == pytest.approx(((trained[0].net(x) - x) ** 2).mean(), rel=1e-5)
    assert loss < 0.15
    with pytest.raises(netspec.UserError, match="compares with tensors of the net alone"):
        trained[0].net.step(x, x)


def test_fields_that_the_archive_lacks(folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "pairs.npz", a=np.zeros((4, 8, 8)), y=np.zeros(4, int), sums=np.zeros((4, 10)))
    (tmp_path / "pairs.net").write_text(PAIRS.replace(', facts="b"', ""))
    done = command("train", "pairs.net", cwd=tmp_path)
    assert done.returncode == 1
    assert "no array `facts`" in done.stderr
