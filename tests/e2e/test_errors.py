"""Bad input: one clear error, the exit code that belongs to it, and nothing left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from netspec import cli
from netspec.trainer.checkpoint import load
from tests.e2e.process import ROOT, idx, last, netspec

SPEC = """net A {
  input image[1, 8, 8]
  flatten
  h: dense(6) -> relu
  dense(3)
}
train A {
  data      = idx("digits", val=20%)
  loss      = cross_entropy
  optimizer = sgd(lr=0.1)
  batch  = 8
  epochs = 2
}
"""


def digits(folder: Path, labels: int = 40, classes: int = 3, cut: int = 0) -> None:
    """Forty noisy pictures and their labels as IDX files; `cut` bytes are missing from the pictures."""
    draw = np.random.default_rng(0)
    folder.mkdir()
    images = idx(draw.integers(0, 256, (40, 8, 8)))
    (folder / "train-images-idx3-ubyte").write_bytes(images[: len(images) - cut])
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(labels) % classes))


def refused(folder: Path, *arguments: str, code: int = 1) -> str:
    """The error of a command that may leave no run behind."""
    done = netspec(*arguments, cwd=folder)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error") == 1
    assert not list(folder.rglob("*.safetensors"))
    return done.stderr


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            {"labels": 39},
            "error: train-labels-idx1-ubyte has 39 labels, train-images-idx3-ubyte 40 images\n  = help: both must be of one set\n",
        ),
        (
            {"classes": 5},
            "error: `cross_entropy` has 3 logits, the data 5 classes: 14 labels beyond, the first is training sample 3, class 3\n"
            "  = help: `--set classes=5`, if the net has that parameter\n",
        ),
        (
            {"cut": 7},
            "error: {folder}/digits/train-images-idx3-ubyte: truncated: 40x8x8 elements take 2,576 bytes with the header, "
            "found 2,569 bytes\n"
            "  = help: fetch the file again\n",
        ),
        (None, "error: {folder}/digits: no such folder\n  = help: looked in {folder}\n"),
    ],
    ids=["labels for another set", "too many classes", "truncated", "no data"],
)
def test_bad_data(tmp_path: Path, data: dict[str, int] | None, expected: str) -> None:
    if data is not None:
        digits(tmp_path / "digits", **data)
    (tmp_path / "a.net").write_text(SPEC)
    assert refused(tmp_path, "train", str(tmp_path / "a.net")) == expected.format(folder=tmp_path)


def test_no_spec(tmp_path: Path) -> None:
    assert refused(tmp_path, "train", "a.net") == "error: no such file: a.net\n"
    assert "did you mean `LeNet5`?" in refused(tmp_path, "train", "lenet6")
    (tmp_path / "a.net").write_text("")
    assert refused(tmp_path, "train", "a.net").startswith("error[E0007]: this file declares nothing\n --> a.net:1:1\n")
    (tmp_path / "a.net").write_bytes(b"\xff\xfe\x00")
    assert refused(tmp_path, "train", "a.net").startswith("error: a.net is no text: byte 0 is not UTF-8")


def test_which_net(tmp_path: Path) -> None:
    digits(tmp_path / "digits")
    (tmp_path / "a.net").write_text(SPEC + SPEC.replace("net A", "net B").replace("train A", "train B"))
    expected = "error: a.net: several nets have a `train` block\n  = help: choose one with `--net`: A, B\n"
    assert refused(tmp_path, "train", "a.net") == expected
    done = netspec("train", "a.net", "--net", "B", "--max-epochs", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "B" / "1" / "last.safetensors").exists()


def test_no_train_block(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(SPEC[: SPEC.index("train A")])
    expected = "error: A has no `train` block\n  = help: add `train A { data = ..; loss = ..; optimizer = ..; epochs = .. }`\n"
    assert refused(tmp_path, "train", "a.net") == expected


def test_an_unwritable_folder(tmp_path: Path) -> None:
    """A file in the folder's place: that stops root too."""
    digits(tmp_path / "digits")
    (tmp_path / "a.net").write_text(SPEC)
    (tmp_path / "blocked").write_text("")
    expected = "error: cannot write blocked/A: not a directory\n  = help: choose another folder with `--runs`\n"
    assert refused(tmp_path, "train", "a.net", "--runs", "blocked") == expected
    (tmp_path / "runs").write_text("")
    assert refused(tmp_path, "train", "a.net").startswith("error: cannot write runs/A: ")


def test_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    """The message names the layer, the step and the samples; the weights are those before the step."""
    digits(tmp_path / "digits")
    (tmp_path / "a.net").write_text(SPEC.replace("lr=0.1", "lr=1e17").replace(" -> relu", ""))
    done = netspec("train", "a.net", cwd=tmp_path)
    assert done.returncode == 1
    first, mend = done.stderr.splitlines()
    assert first.startswith("error: epoch 1, step ")
    assert "the loss or its gradient is not finite; no weight was changed: it begins with the " in first
    assert any(f"of `{layer}` for sample" in first for layer in ("h", "dense.0", "loss")), first
    assert mend == "  = help: lower the learning rate (lr=1e+17), or warm up longer"
    kept = last(tmp_path / "runs" / "A" / "1")
    assert all(np.isfinite(value).all() for value in kept.tensors.values())
    state = kept.metadata["state"]
    assert isinstance(state, dict)
    assert f"epoch 1, step {int(state['steps']) + 1}:" in first  # type: ignore[arg-type]


def test_data_that_is_not_finite(tmp_path: Path) -> None:
    inputs = np.ones((40, 1, 8, 8), np.float32)
    inputs[17, 0, 3, 3] = np.nan
    np.savez(tmp_path / "d.npz", image=inputs, y=np.arange(40) % 3)
    (tmp_path / "a.net").write_text(SPEC.replace('idx("digits", val=20%)', 'npz("d.npz")'))
    done = netspec("train", "a.net", cwd=tmp_path)
    assert done.returncode == 1
    assert "sample 17" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_not_built_is_checked_but_not_trained(tmp_path: Path) -> None:
    """ImageNet's reader and augmentation: `check` reads them, `train` names each."""
    checked = netspec("check", "resnet50", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    done = netspec("train", "resnet50", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("error[E0310]") == 4
    assert done.stderr.count("`check` reads it; `train` refuses the block") == 4
    assert not (tmp_path / "runs").exists()


def test_runs_that_are_none(trained: Path, tmp_path: Path) -> None:
    for command in ("eval", "train --resume"):
        assert refused(tmp_path, *command.split(), "nowhere").startswith("error: nowhere")
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path, "eval", "empty").startswith("error: empty holds no weights")
    (tmp_path / "x.safetensors").write_bytes((trained / "best.safetensors").read_bytes()[:-5])
    done = netspec("eval", "x.safetensors", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: x.safetensors: truncated: ")


def test_going_on_with_something_else(trained: Path, tmp_path: Path) -> None:
    done = netspec("train", "--resume", trained, "--seed", "8", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"error: {trained}: the run was made with another plan\n  = help: it was seed = 7, now it is seed = 8\n"
    assert refused(tmp_path, "train", "mlp", "--resume", str(trained), code=2).startswith("error: a run says itself which net it is of")
    assert load(trained / "last.safetensors").metadata["seed"] == 7


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("check lenet", 0, ""),
        ("--help", 0, ""),
        (f"check {ROOT}/tests/errors/typo.net", 1, "error[E0104]"),
        ("check nowhere.net", 1, "error: no such file"),
        ("", 2, ""),
        ("frobnicate", 2, "invalid choice: 'frobnicate'"),
        ("train --frobnicate", 2, "unrecognized arguments: --frobnicate"),
        ("train --threads 0", 2, "--threads"),
        ("train lenet --set classes", 2, "is not NAME=VALUE"),
        ("train lenet --set clases=3", 2, "did you mean `classes`?"),
        ("train lenet --net LeNet6", 2, "did you mean `LeNet5`?"),
        ("check lenet --format xml", 2, "invalid choice: 'xml'"),
        ("check lenet --target avx1024", 2, "unknown target"),
        ("show lenet --emit wasm", 2, "invalid choice: 'wasm'"),
        ("show lenet --emit svg --unfold", 0, ""),
        ("explain", 0, ""),
        ("explain E0201", 0, ""),
        ("explain lenet:6", 0, ""),
        ("explain covn", 2, "did you mean `conv`?"),
        ("explain lenet:5", 1, "makes no layer"),
        ("eval", 2, "are required: RUN"),
    ],
)
def test_exit_codes(tmp_path: Path, command: str, code: int, message: str) -> None:
    done = netspec(*command.split(), cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (code and done.stdout and command)


def test_a_fault_of_netspec(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody foresaw ends with code 3, the traceback, and where to turn."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("netspec.checking.check_file", fail)
    monkeypatch.setattr(sys, "argv", ["netspec", "check", "lenet"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 3
    text = capsys.readouterr().err
    assert "RuntimeError: unforeseen" in text
    assert "a fault of netspec, not of your spec" in text


HOSTILE = """param classes = 3
net A {
  input image[1, 8, 8]
  flatten
  __import__: dense(5) -> relu
  os_system_rm_rf: dense(classes) -> relu        # "); __import__('os').system('echo
  def_eval_exec: dense(3)
}
"""


@pytest.mark.parametrize("mode", ["infer", "train"])
def test_no_text_of_a_spec_reaches_generated_source(tmp_path: Path, mode: str) -> None:
    (tmp_path / "a.net").write_text(HOSTILE + SPEC[SPEC.index("train A") :])
    done = netspec("show", "a.net", "--emit", "source", "--mode", mode, "--target", "avx512", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "make_drivers(" in done.stdout
    for word in ("__import__", "os_system_rm_rf", "def_eval_exec", "echo", "a.net", "image"):
        assert word not in done.stdout, word
