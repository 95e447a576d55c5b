"""A run keeps what its spec imports: it is opened where those files are gone. What exists in training alone is kept with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import netspec
from netspec.trainer.checkpoint import load
from netspec.trainer.folder import LAST

SPEC = """use "blocks/units.net": unit
net Headed {
  input x[6]
  h: unit(8)
  if training { output aux: dense(3) }
  output main: unit(3)
}
train Headed {
  data = npz("d.npz", val=25%)
  loss = cross_entropy(main) + 0.3 * cross_entropy(aux)
  optimizer = sgd(lr=0.1)
  batch = 8
  epochs = 1
}
"""


def test_a_run_is_opened_without_the_files_that_its_spec_imported(tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "units.net").write_text('use "../tools.net": act\nblock unit(c) { dense(c) -> act }')
    (tmp_path / "tools.net").write_text("block act { tanh }")
    (tmp_path / "headed.net").write_text(SPEC)
    random = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", x=random.standard_normal((32, 6)).astype(np.float32), y=np.arange(32) % 3)
    folder = netspec.train(str(tmp_path / "headed.net"), runs=tmp_path / "runs", threads=1).folder
    assert folder is not None
    saved = load(folder / LAST)
    assert set(saved.metadata["imports"]) == {"blocks/units.net", "tools.net"}  # type: ignore[arg-type]
    assert {"aux.weight", "aux.bias", "main.dense.0.weight"} <= set(saved.tensors)
    for path in tmp_path.rglob("*.net"):
        path.unlink()
    run = netspec.open_run(folder)
    loss, accuracy, samples, split = run.evaluate(threads=1)
    assert (samples, split) == (8, "validation")
    assert np.isfinite(loss)
    assert accuracy is not None
    names = {weight.name for weight in run.model.weights}
    assert names == {f"{name}.{kind}" for name in ("h.dense.0", "aux", "main.dense.0") for kind in ("weight", "bias")}
