"""What does not fit into memory is told before it is taken, with the largest batch that fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.diagnostics import UserError
from netspec.model import load
from netspec.runtime import room

SPEC = """net A { input x[64]
  dense(256) -> relu -> dense(10) }
train A { data = npz("none.npz"); loss = cross_entropy; optimizer = sgd(lr=0.1); epochs = 1; batch = 4096 }
"""


def test_the_largest_batch_is_named() -> None:
    room.check(100, 1_000, lambda batch: 10 * batch)
    with pytest.raises(UserError, match=r"^a batch of 200 takes 2\.0 GiB of memory, 1000\.0 MiB are free\n  = help: `batch = 100` fits$"):
        room.check(200, 1000 << 20, lambda batch: batch * 10 << 20)


def test_steps_in_the_need_are_minded() -> None:
    """Memory grows by vectors of images: the line is only where the search starts."""
    with pytest.raises(UserError) as caught:
        room.check(1000, 5_000, lambda batch: 16 * (-(-batch // 16)) * 10)
    found = int(str(caught.value.help).split("`")[1].removeprefix("batch = "))
    assert 400 < found <= 496


@pytest.mark.parametrize("batch", [1, 50])
def test_nothing_fits(batch: int) -> None:
    with pytest.raises(UserError, match="not even a batch of 1 fits"):
        room.check(batch, 10, lambda _: 1_000)


def test_a_net_is_refused_before_its_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free", lambda: 8 << 20)
    with pytest.raises(UserError, match=r"a batch of 4096 takes .* MiB of memory, 8\.0 MiB are free\n  = help: `batch = \d+` fits"):
        load(SPEC).compile("train", layout="channels")


def test_a_containers_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 200000\n")
    assert room._group(tmp_path) == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert room._group(tmp_path) is None
    assert room._group(tmp_path / "nowhere") is None


def test_something_is_free() -> None:
    found = room.free()
    assert found is None or found > 1 << 20
