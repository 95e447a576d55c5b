"""Weights that a run starts from: which file, which names, and what is said of what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from netspec.diagnostics import SpecError
from netspec.model import Model, find_model
from netspec.trainer.start import starting_weights

SPEC = """net N {
  input x[4]
  stem: dense(3) -> bn -> relu
  body: dense(3) -> relu
  head: dense(2)
}
train N {
  data      = npz("d.npz")
  weights   = load(LOAD)
  loss      = cross_entropy
  optimizer = sgd(lr=0.1)
  epochs    = 1
}
"""
NAMES = ["stem.weight", "stem.bias", "body.weight", "body.bias", "head.weight", "head.bias"]
NORM = [f"stem.bn.0.{name}" for name in ("scale", "shift", "mean", "var")]


def net(folder: Path, load: str) -> Model:
    (folder / "n.net").write_text(SPEC.replace("LOAD", load))
    return find_model(str(folder / "n.net"), None, {})


def arrays(net: Model, **changes: str) -> dict[str, np.ndarray]:
    """What a file of this net holds, under names that are changed."""
    random = np.random.default_rng(0)
    shapes = {weight.name: tuple(weight.type.shape) for weight in net.graph.weights}
    made = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for old, new in changes.items():
        made = {new + name.removeprefix(old) if name.startswith(f"{old}.") else name: value for name, value in made.items()}
    return made


def started(model: Model) -> dict[str, np.ndarray]:
    assert model.plan is not None
    return starting_weights(model, model.plan)


def refused(model: Model) -> str:
    with pytest.raises(SpecError) as caught:
        started(model)
    (found,) = caught.value.diagnostics
    assert found.code == "E0401"
    assert model.source.text[found.span.start : found.span.end].startswith("weights   = load(")
    return f"{found.message}; {found.help}"


def test_all_weights_by_name(tmp_path: Path) -> None:
    """Moments that an optimizer keeps are passed over; other floats are converted."""
    model = net(tmp_path, '"w/a.safetensors"')
    saved = arrays(model)
    (tmp_path / "w").mkdir()
    save_file(
        {name: value.astype(np.float64) for name, value in saved.items()} | {"head.bias/momentum": saved["head.bias"]},
        tmp_path / "w/a.safetensors",
    )
    found = started(model)
    assert set(found) == {*NAMES, *NORM}
    assert all(value.dtype == np.float32 and (value == saved[name]).all() for name, value in found.items())


def test_some_of_them_under_another_name(tmp_path: Path) -> None:
    model = net(tmp_path, '"a.safetensors", except="head"')
    save_file(
        {**arrays(model), "head.weight": np.zeros((9, 9), np.float32), "head.extra": np.zeros(1, np.float32)}, tmp_path / "a.safetensors"
    )
    assert set(started(model)) == {*NAMES[:4], *NORM}
    save_file({"weight": np.ones((3, 3), np.float32), "bias": np.zeros(3, np.float32)}, tmp_path / "b.safetensors")
    model = net(tmp_path, '"b.safetensors", into="body"')
    assert {name: value.sum() for name, value in started(model).items()} == {"body.weight": 9, "body.bias": 0}


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    model = net(tmp_path, '"a.safetensors"')
    save_file(arrays(model, body="middle"), path)
    message = refused(model)
    assert "weights: 2 missing (`body.weight`, `body.bias`), 2 unexpected (`middle.bias`, `middle.weight`)" in message
    assert "looks like a rename: `middle.*` in the file, `body.*` in the net" in message
    save_file(arrays(model) | {"z": np.zeros(1, np.float32)}, path)
    assert "weights: 1 unexpected (`z`); leave out" in refused(model)
    save_file(arrays(model) | {"head.weight": np.zeros((5, 3), np.float32)}, path)
    assert 'is [5, 3] in the file, the net has [2, 3]; leave it out: `except="head"`' in refused(model)
    save_file(arrays(model) | {"head.bias": np.zeros(2, np.int64)}, path)
    assert "[2] of int64 in the file" in refused(model)


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "no such file" in refused(net(tmp_path, '"a.safetensors"'))
    (tmp_path / "a.safetensors").write_bytes(b"nothing of the kind")
    assert "not a safetensors file" in refused(net(tmp_path, '"a.safetensors"'))


def test_files_outside_of_the_project_are_not_read(tmp_path: Path) -> None:
    """Links are followed before it is judged where a file is. A folder with a project's mark is the project."""
    (tmp_path / "project" / "nets").mkdir(parents=True)
    model = net(tmp_path / "project" / "nets", '"../weights.safetensors"')
    save_file(arrays(model), tmp_path / "project" / "weights.safetensors")
    save_file(arrays(model), tmp_path / "weights.safetensors")
    assert "lies outside of the project's folder" in refused(model)
    (tmp_path / "project" / "pyproject.toml").write_text("")
    assert len(started(model)) == 10
    (tmp_path / "project" / "link.safetensors").symlink_to(tmp_path / "weights.safetensors")
    for path in ("../link.safetensors", "../../weights.safetensors", str(tmp_path / "weights.safetensors")):
        assert "lies outside of the project's folder" in refused(net(tmp_path / "project" / "nets", f'"{path}"'))
