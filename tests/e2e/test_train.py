"""`netspec train`: what it prints, what it leaves behind, and the same bits again."""

from __future__ import annotations

import json
import re
import shutil
import statistics
from pathlib import Path

import numpy as np
import pytest

from netspec.trainer.checkpoint import load
from tests.e2e.process import ROOT, epochs, last, netspec, same_bits

RESULT = {
    "about": ["net", "ended", "params", "seed", "batch", "threads", "target", "data_fingerprint"],
    "length": ["epochs", "steps", "best_epoch"],
    "quality": ["train_loss", "val_accuracy", "test_accuracy", "test_loss", "test_samples"],
    "time": ["train_images_per_second", "compile_seconds", "train_seconds", "total_seconds"],
}


def test_what_is_printed(trained: Path) -> None:
    text = (trained.parents[2] / "output.txt").read_bytes().decode()
    assert "\r" not in text
    assert "\x1b" not in text
    first, *lines, finished, saved = text.splitlines()
    assert first.startswith("training LeNet5 (61,706 parameters) on 4,500 samples for 3 epochs, ")
    assert len(lines) == 3
    line = r"epoch +\d  loss .*  accuracy .*%  val loss .*  val accuracy .*%  lr .* images/s  .* s"
    assert all(re.fullmatch(line, item) for item in lines)
    ending = r"finished after 3 epochs in .* s \(compiling .* s\), best epoch 3, test accuracy 9\d\.\d\d% on 10,000 samples"
    assert re.fullmatch(ending, finished)
    assert saved == "saved in runs/LeNet5/1"


def test_the_run_folder(trained: Path) -> None:
    names = ["best.safetensors", "last.safetensors", "metrics.csv", "result.json", "spec.net"]
    assert sorted(item.name for item in trained.iterdir()) == names
    assert (trained / "spec.net").read_text() == (ROOT / "specs" / "lenet.net").read_text()
    head, *rows = epochs(trained)
    assert head == ["epoch", "step", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]
    assert [row[:2] for row in rows] == [["1", "71"], ["2", "142"], ["3", "213"]]
    losses = [float(row[3]) for row in rows]
    assert losses == sorted(losses, reverse=True)
    result = json.loads((trained / "result.json").read_text())
    assert set(result) == {name for names in RESULT.values() for name in names}
    assert (result["net"], result["ended"], result["epochs"], result["steps"]) == ("LeNet5", "finished", 3, 213)
    assert (result["params"], result["seed"], result["batch"], result["threads"]) == (61_706, 7, 64, 2)
    assert 0.94 < result["test_accuracy"] <= 1
    assert result["test_samples"] == 10_000
    assert result["train_images_per_second"] > 0
    assert result["val_accuracy"] == float(rows[-1][6])


def test_the_weights_carry_their_spec(trained: Path) -> None:
    best, now = load(trained / "best.safetensors"), last(trained)
    assert best.tensors["c1.weight"].shape == (6, 1, 5, 5)
    assert best.tensors["f5.weight"].shape == (120, 400)
    assert sum(value.size for value in best.tensors.values()) == 61_706
    assert all(np.isfinite(value).all() for value in now.tensors.values())
    assert set(best.tensors) < set(now.tensors)
    for found in (best, now):
        assert found.metadata["spec"] == (ROOT / "specs" / "lenet.net").read_text()
        assert (found.metadata["net"], found.metadata["seed"]) == ("LeNet5", 7)


def test_going_on_gives_the_same_bits(trained: Path, tmp_path: Path) -> None:
    assert netspec("train", "--max-epochs", "1", cwd=tmp_path).returncode == 0
    run = tmp_path / "runs" / "LeNet5" / "1"
    assert not same_bits(run, trained)
    done = netspec("train", "--resume", run, "--max-epochs", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("epoch")] == ["2", "3"]
    assert same_bits(run, trained)


def test_nothing_is_left_to_do(trained: Path, tmp_path: Path) -> None:
    """A run that has reached its end is tested again, with the figures of its last epoch."""
    before = json.loads((trained / "result.json").read_text())
    shutil.copytree(trained, tmp_path / "run")
    done = netspec("train", "--resume", "run", "--max-epochs", "3", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = json.loads((tmp_path / "run" / "result.json").read_text())
    for name in ("train_loss", "val_accuracy", "test_accuracy", "test_loss", "best_epoch", "epochs", "steps"):
        assert after[name] == before[name], name


@pytest.mark.parametrize(
    ("threads", "environment"),
    [("1", {}), ("4", {"NUMBA_NUM_THREADS": "4"}), ("2", {"NUMBA_THREADING_LAYER": "workqueue"})],
    ids=["one", "four", "work queue"],
)
def test_the_same_bits_for_any_number_of_threads(trained: Path, tmp_path: Path, threads: str, environment: dict[str, str]) -> None:
    done = netspec("train", "--max-epochs", "3", "--threads", threads, cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert same_bits(tmp_path / "runs" / "LeNet5" / "1", trained)
    assert ("warning: neither OpenMP (libgomp) nor TBB is installed" in done.stdout) == bool("NUMBA_THREADING_LAYER" in environment)


def test_another_seed_gives_other_bits(trained: Path, tmp_path: Path) -> None:
    done = netspec("train", "LeNet5", "--max-epochs", "1", "--seed", "8", "--quiet", "--runs", "elsewhere", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("finished after 1 epochs")
    run = tmp_path / "elsewhere" / "LeNet5" / "1"
    assert epochs(run)[1] != epochs(trained)[1]
    assert last(run).metadata["seed"] == 8


def test_settings_are_kept(tmp_path: Path) -> None:
    done = netspec("train", "mlp", "--set", "hidden=[30]", "--max-epochs", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "MLP" / "1"
    assert (run / "spec.net").read_text().startswith("# --set hidden=[30]\n")
    assert json.loads((run / "result.json").read_text())["params"] == 784 * 30 + 30 + 30 * 10 + 10
    tested = netspec("eval", run, cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr


PATIENT = """net A {
  input x[4]
  h: dense(8) -> tanh
  dense(3)
}
train A {
  data      = npz("points.npz", val=20%)
  loss      = cross_entropy
  optimizer = adam(lr=1e-12)
  batch  = 32
  epochs = 50
  stop   = patience(3 epochs, on="val.loss")
  save   = best("val.loss")
}
"""


def points(folder: Path) -> None:
    """Three clouds of points in four dimensions."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 300)
    np.savez(folder / "points.npz", x=(draw.normal(size=(300, 4)) + 3 * np.eye(4)[labels]).astype(np.float32), y=labels)


def test_patience_ends_a_run_that_learns_nothing(tmp_path: Path) -> None:
    points(tmp_path)
    (tmp_path / "a.net").write_text(PATIENT)
    done = netspec("train", "a.net", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "patience after 4 epochs" in done.stdout
    assert "best epoch 1" in done.stdout


def test_data_beside_the_spec_is_found_from_anywhere(tmp_path: Path) -> None:
    """Relative paths start at the spec's folder, also when the saved run is opened later."""
    (tmp_path / "nets").mkdir()
    (tmp_path / "work").mkdir()
    points(tmp_path / "nets")
    (tmp_path / "nets" / "a.net").write_text(PATIENT.replace("lr=1e-12", "lr=0.05").replace("epochs = 50", "epochs = 12"))
    done = netspec("train", "../nets/a.net", cwd=tmp_path / "work")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "work/runs/A/1/result.json").read_text())
    assert result["val_accuracy"] > 0.9
    assert result["test_accuracy"] is None
    tested = netspec("eval", "work/runs/A/1", cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
    assert re.fullmatch(r"A of work/runs/A/1/best.safetensors: validation loss .*, accuracy .*% on 60 samples\n", tested.stdout)


def test_values_can_be_learnt_too(tmp_path: Path) -> None:
    """An autoencoder: what the net should say is its own input."""
    points(tmp_path)
    spec = PATIENT.replace("dense(3)\n", "recon: dense(4)\n").replace("loss      = cross_entropy", "loss = mse(recon, x)")
    (tmp_path / "a.net").write_text(spec.replace("lr=1e-12", "lr=0.02").replace("epochs = 50", "epochs = 15"))
    done = netspec("train", "a.net", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    losses = [float(row[3]) for row in epochs(tmp_path / "runs/A/1")[1:]]
    assert losses[-1] < 0.3 * losses[0]
    assert "accuracy" not in done.stdout


def test_a_full_disk_does_not_end_a_run(trained: Path, tmp_path: Path) -> None:
    """The checkpoint that does not fit is told of, what does fit is there, and no half of a file."""
    done = netspec("train", "--max-epochs", "1", cwd=tmp_path, largest_file=300)
    assert done.returncode == 0, done.stderr
    expected = "warning: cannot write runs/LeNet5/1/last.safetensors: file too large; the run goes on, what was saved before stays"
    assert expected in done.stdout.splitlines()
    run = tmp_path / "runs" / "LeNet5" / "1"
    assert sorted(item.name for item in run.iterdir()) == ["best.safetensors", "metrics.csv", "result.json", "spec.net"]
    assert epochs(run) == epochs(trained)[:2]
    assert load(run / "best.safetensors").tensors["c1.weight"].shape == (6, 1, 5, 5)


@pytest.mark.slow
def test_lenet_reaches_its_accuracy(tmp_path: Path) -> None:
    """The median over three seeds on the official 10,000 test digits, after training on 4,500."""
    found = []
    for seed in (7, 8, 9):
        done = netspec("train", ROOT / "specs" / "lenet.net", "--seed", str(seed), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found.append(json.loads((tmp_path / f"runs/LeNet5/{seed - 6}/result.json").read_text())["test_accuracy"])
    assert statistics.median(found) >= 0.985, found


@pytest.mark.slow
def test_lenet_of_1998_reaches_its_accuracy(tmp_path: Path) -> None:
    """60,000 parameters, one sample at a time, second derivatives for rates, on the official 10,000 test digits."""
    done = netspec("train", ROOT / "specs" / "lenet1998.net", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "runs/LeNet5_1998/1/result.json").read_text())
    assert result["params"] == 60_000
    assert result["test_accuracy"] >= 0.975, result["test_accuracy"]
