"""`netspec compile`: what it compiles is what train, eval and predict find; the second time there is nothing to do."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from netspec import ahead
from netspec.diagnostics import UserError
from netspec.model import load
from netspec.runtime import engine
from tests.e2e.process import netspec

SPEC = """net A { input x[6]
  dense(8) -> tanh -> dense(3) }
train A { data = npz("none.npz"); loss = cross_entropy; optimizer = sgd(lr=0.1); epochs = 1; batch = 4 }
"""


def compiled() -> int:
    return sum(1 for _ in Path(os.environ["NETSPEC_CACHE"]).rglob("*.nbc"))


def test_the_second_time_compiles_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(SPEC)
    first = netspec("compile", "a.net", "--target", "avx2", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    lines = first.stdout.splitlines()
    assert lines[0] == "A, avx2"
    assert [line.split()[:2] for line in lines[3:7]] == [["infer", "4"], ["infer", "1"], ["train", "4"], ["evaluate", "4"]]
    assert "(at most 40 are aimed at), 3 compiled parallel regions (at most 10)" in first.stdout
    before = compiled()
    second = netspec("compile", "a.net", "--target", "avx2", cwd=tmp_path)
    assert second.stdout.splitlines()[-1].startswith("  0 drivers compiled, ")
    assert compiled() == before
    again = netspec("profile", "a.net", "--mode", "train", "--target", "avx2", cwd=tmp_path)
    assert again.returncode == 0
    assert compiled() <= before + 1, "nothing but what measures the bandwidth"


def test_modes_and_batches() -> None:
    found = ahead.fill(load(SPEC), "infer", 4, "avx2")
    assert [(item.stage, item.batch) for item in found.stages] == [("infer", 4)]
    plain = load("net A { input x[6]; dense(3) }")
    assert [(item.stage, item.batch) for item in ahead.fill(plain, "both", 2, "avx2").stages] == [("infer", 2)]
    with pytest.raises(UserError, match="A has no `train` block"):
        ahead.fill(plain, "train", 2, "avx2")
    with pytest.raises(UserError, match="compiled ahead for the CPU"):
        ahead.fill(plain, "infer", 2, "cuda_sm90")


def test_the_engine_has_as_many_parallel_regions_as_is_said() -> None:
    tree = ast.parse(Path(engine.__file__).read_text())
    regions = [node for node in ast.walk(tree) if isinstance(node, ast.For) and ast.unparse(node.iter).startswith("prange(")]
    assert len(regions) == ahead.ENGINE <= ahead.REGIONS
