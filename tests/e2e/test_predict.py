"""`netspec eval` and `netspec predict` on a saved run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import netspec as api
from netspec.data.idx import read_idx
from tests.e2e.process import ROOT, netspec

DIGITS = ROOT / "netspec" / "data" / "mnist5k"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[int]]:
    """The first twenty test digits: as they are, larger, and every third one dark on light in colour."""
    folder = tmp_path_factory.mktemp("pictures")
    pixels, labels = (read_idx(DIGITS / f"t10k-{kind}-ubyte.gz")[:20] for kind in ("images-idx3", "labels-idx1"))
    paths = []
    for number, digit in enumerate(pixels):
        image = Image.fromarray(digit)
        if number % 3 == 1:
            image = image.resize((112, 112), Image.Resampling.BICUBIC)
        if number % 3 == 2:
            image = Image.fromarray(255 - digit).convert("RGB")
        paths.append(folder / f"{number}.{'png' if number % 2 else 'bmp'}")
        image.save(paths[-1])
    return paths, [int(label) for label in labels]


def test_eval_says_what_training_said(trained: Path) -> None:
    result = json.loads((trained / "result.json").read_text())
    for name in (trained, trained / "best.safetensors"):
        done = netspec("eval", name, cwd=trained)
        assert done.returncode == 0, done.stderr
        found = re.fullmatch(r"LeNet5 of (.*): test loss ([\d.]+), accuracy ([\d.]+)% on 10,000 samples\n", done.stdout)
        assert found, done.stdout
        assert found[1] == str(trained / "best.safetensors")
        assert found[2] == f"{result['test_loss']:.4f}"
        assert found[3] == f"{100 * result['test_accuracy']:.2f}"


def test_digits_are_seen(trained: Path, pictures: tuple[list[Path], list[int]]) -> None:
    paths, labels = pictures
    done = netspec("predict", trained, *paths, "--format", "json", cwd=trained)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [item["image"] for item in found] == [str(path) for path in paths]
    assert all(len(item["probabilities"]) == 10 for item in found)
    assert all(abs(sum(item["probabilities"]) - 1) < 1e-4 for item in found)
    assert all(item["class"] == int(np.argmax(item["probabilities"])) for item in found)
    assert [item["inverted"] for item in found] == [number % 3 == 2 for number in range(20)]
    assert sum(item["class"] == label for item, label in zip(found, labels, strict=True)) >= 18


def test_bars(trained: Path, pictures: tuple[list[Path], list[int]]) -> None:
    paths, labels = pictures
    done = netspec("predict", trained, paths[0], cwd=trained)
    assert done.returncode == 0, done.stderr
    head, *bars = done.stdout.rstrip().splitlines()
    assert re.fullmatch(rf".*0\.bmp: {labels[0]}, \d+\.\d%", head)
    assert [line.split()[0] for line in bars] == [str(number) for number in range(10)]
    assert max(bars, key=lambda line: line.count("█")).split()[0] == str(labels[0])


def test_the_same_in_python(trained: Path, pictures: tuple[list[Path], list[int]]) -> None:
    run = api.open_run(trained)
    net = run.compile(threads=1, batch=5)
    pixels = np.stack([np.asarray(Image.open(path).convert("L"), np.float32)[None] / 255 for path in pictures[0][:10:3]])
    expected = netspec("predict", trained, *pictures[0][:10:3], "--format", "json", cwd=trained)
    found = net(np.stack([run.prepare(item) for item in pixels])).argmax(axis=1)
    assert list(found) == [item["class"] for item in json.loads(expected.stdout)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a picture that can be read"),
        (b"GIF89a broken", "not a picture that can be read"),
        (None, "no such picture"),
    ],
    ids=["empty", "broken", "missing"],
)
def test_bad_pictures(trained: Path, tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "x.png").write_bytes(content)
    done = netspec("predict", trained, "x.png", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
