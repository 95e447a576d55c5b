"""Runs whose steps are made of several batches, whose rates depend on what is reached, and whose second derivatives are estimated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netspec.diagnostics import UserError
from netspec.model import find_model
from netspec.trainer.loop import Options, Training
from tests.e2e.process import epochs, same_bits

SPEC = """
net Small {
  input image[6]
  hidden: dense(5) -> tanh
  dense(3)
}
train Small {
  data = npz("small.npz", image="x", y="y", val=20%)
  loss = hinge
  optimizer = sdlm(lr=0.05, samples=20)
  schedule = plateau(factor=0.5, patience=1 epoch, threshold=0.5)
  regularize = [l2(1e-3), max_norm(4, on="weight")]
  clip = norm(1.0)
  batch = 8; accumulate = 3; epochs = 6; save = best
}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes by the signs of two numbers; 56 samples to train on: three steps an epoch, the last of one batch."""
    folder, random = tmp_path_factory.mktemp("updates"), np.random.default_rng(0)
    x = random.standard_normal((70, 6)).astype(np.float32)
    np.savez(folder / "small.npz", x=x, y=(x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0))
    (folder / "small.net").write_text(SPEC)
    return folder / "small.net"


def run(spec: Path, folder: Path, threads: int, epochs: int | None = None, resume: Path | None = None) -> Path:
    training = Training(find_model(str(spec), None, {}), Options(folder, threads, max_epochs=epochs, resume=resume))
    training.run()
    assert training.folder is not None
    return training.folder


def test_searches_on_all_samples_go_on_with_the_same_bits_and_learn(spec: Path, tmp_path: Path) -> None:
    """lbfgs: a step an epoch, of several searches, which remember what the run's last steps showed."""
    lines = [line for line in SPEC.splitlines() if not line.strip().startswith(("schedule", "regularize", "clip", "batch"))]
    text = "\n".join(lines).replace("sdlm(lr=0.05, samples=20)", "lbfgs(iterations=3, history=4)").replace("hinge", "cross_entropy")
    other = spec.with_name("searched.net")
    other.write_text(text.replace("data =", "batch = 24; epochs = 6; save = best\n  data ="))
    whole, parted = run(other, tmp_path, 1), run(other, tmp_path, 2, epochs=3)
    run(other, tmp_path, 2, resume=parted)
    assert same_bits(whole, parted)
    losses = [float(row[3]) for row in epochs(whole)[1:]]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.2 * losses[0]
    with pytest.raises(UserError, match="no optimizer that makes steps on batches"):
        find_model(str(other), None, {}).uncompiled().step(np.zeros((1, 6)), np.zeros(1))


def test_a_run_that_goes_on_has_the_same_bits_and_learns(spec: Path, tmp_path: Path) -> None:
    whole = run(spec, tmp_path, 1)
    parted = run(spec, tmp_path, 2, epochs=4)
    assert not same_bits(whole, parted)
    run(spec, tmp_path, 2, resume=parted)
    assert same_bits(whole, parted)
    rows = epochs(whole)[1:]
    assert [row[1] for row in rows] == ["3", "6", "9", "12", "15", "18"]
    rates = [float(row[2]) for row in rows]
    assert rates[:2] == [pytest.approx(0.05)] * 2
    assert rates[-1] < 0.05
    assert float(rows[-1][3]) < 0.5 * float(rows[0][3])
