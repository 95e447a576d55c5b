"""Nothing is lost: checkpoints under SIGKILL, full disks and truncation; run folders; metrics."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from netspec.diagnostics import UserError
from netspec.trainer import checkpoint
from netspec.trainer.files import create_run, write, write_json
from netspec.trainer.metrics import EpochRecord, MetricsFile, Progress, Result, Silent

TENSORS = {"c1.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "step": np.array(7, np.int64), "c1.bias": np.zeros(3, np.float32)}
META = {"spec": 'net A { input x[1]\n  "é" }', "epoch": 3, "cursor": [1, 2], "best": None}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    checkpoint.save(path, TENSORS, META)
    found = checkpoint.load(path)
    assert found.metadata == META
    assert list(found.tensors) == sorted(TENSORS)
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(found.tensors[name], value)
        assert found.tensors[name].dtype == value.dtype
    found.tensors["c1.weight"][0, 0] = 5
    assert [item.name for item in tmp_path.iterdir()] == ["last.safetensors"]


def test_equal_runs_give_equal_files(tmp_path: Path) -> None:
    for name, order in (("a", list(TENSORS)), ("b", list(TENSORS)[::-1])):
        checkpoint.save(tmp_path / name, {key: TENSORS[key] for key in order}, dict(reversed(META.items())) if name == "b" else META)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_arrays_of_any_layout(tmp_path: Path) -> None:
    value = np.arange(12.0).reshape(3, 4).T
    checkpoint.save(tmp_path / "a", {"w": value}, {})
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "a").tensors["w"], value)


def test_truncation_anywhere_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, TENSORS, META)
    content = path.read_bytes()
    for size in range(0, len(content), 11):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match="truncated") as caught:
            checkpoint.load(path)
        assert f"{size:,} bytes" in caught.value.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "truncated, or not a safetensors file: 0 bytes"),
        (b"PK\x03\x04 a zip file, say, or a pickle", "truncated, or not a safetensors file"),
        (b"\x02\0\0\0\0\0\0\0{}", "without netspec's description"),
        (b"\x02\0\0\0\0\0\0\0[]", "not a safetensors file"),
        (b"\x02\0\0\0\0\0\0\0{]", "not a safetensors file"),
        (b'\x0d\0\0\0\0\0\0\0{"a": [1, 2]}', "not a safetensors file"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f", "truncated, or not a safetensors file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(UserError, match=words):
        checkpoint.load(tmp_path / "a")


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        checkpoint.load(tmp_path / "a")
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.load(tmp_path)


def test_extra_bytes_are_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", TENSORS, META)
    with (tmp_path / "a").open("ab") as file:
        file.write(b"more")
    with pytest.raises(UserError, match="longer than announced"):
        checkpoint.load(tmp_path / "a")


def test_weights_of_another_net() -> None:
    path = Path("w.safetensors")
    checkpoint.check_weights(path, TENSORS, {"c1.weight": (3, 4), "step": (), "c1.bias": (3,)})
    with pytest.raises(UserError, match=r"weights: 2 missing \(`c2.weight`, `c2.bias`\), 3 unexpected") as caught:
        checkpoint.check_weights(path, TENSORS, {"c2.weight": (3, 4), "c2.bias": (3,)})
    assert caught.value.help == "looks like a rename: `c1.weight` -> `c2.weight`"
    with pytest.raises(UserError, match=r"`c1.bias` is \[3\], the net needs \[4\]"):
        checkpoint.check_weights(path, TENSORS, {"c1.weight": (3, 4), "step": (), "c1.bias": (4,)})


SAVER = """
import sys
from pathlib import Path
import numpy as np
from netspec.trainer import checkpoint
step = 1
while True:
    checkpoint.save(Path(sys.argv[1]), {"w": np.full(200_000, step, np.float32), "m": np.full(1000, -step, np.float32)}, {"step": step})
    if step == 1: print("ready", flush=True)
    step += 1
"""


def test_killed_while_saving(tmp_path: Path) -> None:
    """SIGKILL at 20 moments of a process that does nothing but save: each time a whole checkpoint is there, never older than the last."""
    path = tmp_path / "last.safetensors"
    saver = [sys.executable, "-c", SAVER, str(path)]
    for moment in range(20):
        with subprocess.Popen(saver, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            time.sleep(0.0007 * moment)
            process.send_signal(signal.SIGKILL)
        found = checkpoint.load(path)
        step = found.metadata["step"]
        assert isinstance(step, int) and step >= 1
        assert (found.tensors["w"] == step).all() and (found.tensors["m"] == -step).all()
        assert {item.name for item in tmp_path.iterdir()} <= {path.name, f".{path.name}.tmp"}
    checkpoint.save(path, TENSORS, META)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    checkpoint.save(path, TENSORS, META)
    old = path.read_bytes()
    code = (
        "import resource, signal, sys, numpy as np\nfrom pathlib import Path\nfrom netspec.trainer import checkpoint\n"
        "from netspec.diagnostics import UserError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try: checkpoint.save(Path(sys.argv[1]), {'w': np.zeros(100_000, np.float32)}, {})\n"
        "except UserError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert f"cannot write {path}: file too large" in done.stdout
    assert path.read_bytes() == old
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_file_in_a_folders_place(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*runs/Net: (not a directory|file exists)"):
        create_run(tmp_path / "runs", "Net")
    with pytest.raises(UserError, match="not a directory"):
        write(tmp_path / "runs" / "a", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="is a directory"):
        write(tmp_path / "folder", b"")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["folder", "runs"]


def test_run_folders_are_numbered_and_never_shared(tmp_path: Path) -> None:
    assert create_run(tmp_path, "Net") == tmp_path / "Net" / "1"
    (tmp_path / "Net" / "7").mkdir()
    (tmp_path / "Net" / "notes").mkdir()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_run(tmp_path, "Net"), range(24)))
    assert sorted(int(folder.name) for folder in made) == list(range(8, 32))
    assert create_run(tmp_path, "Other").name == "1"


def record(epoch: int) -> EpochRecord:
    return EpochRecord(epoch, 70 * epoch, 0.05 / epoch, 1 / 3, 0.5, None if epoch == 2 else 0.25, None, 12_345.6, 1.5)


def test_metrics_go_on_where_a_run_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    file = MetricsFile(path)
    for epoch in (1, 2, 3):
        file.append(record(epoch))
        assert len(path.read_text().splitlines()) == epoch + 1
    whole = path.read_text()
    again = MetricsFile(path, kept=1)
    again.append(record(2))
    again.append(record(3))
    assert path.read_text() == whole
    assert whole.splitlines()[0].startswith("epoch,step,lr,train_loss,")
    assert whole.splitlines()[1] == "1,70,0.05,0.3333333333333333,0.5,0.25,,12345.6,1.5"
    with pytest.raises(UserError, match="3 epochs, the checkpoint stands after 5"):
        MetricsFile(path, kept=5)
    path.write_text("epoch,loss\n1,2\n")
    with pytest.raises(UserError, match="columns epoch, loss, expected"):
        MetricsFile(path, kept=1)
    with pytest.raises(UserError, match="cannot go on with it"):
        MetricsFile(tmp_path / "nothing.csv", kept=1)


def test_metrics_by_name() -> None:
    assert record(1).metric("train.accuracy") == 0.5
    assert record(1).metric("val.loss") == 0.25
    assert record(1).metric("val.accuracy") is None


def test_the_result_is_json(tmp_path: Path) -> None:
    result = Result("A", "finished", 3, 210, 2, 0.5, 0.97, 0.98, 0.1, 10_000, 5e4, 2.5, 1.25, 4.0, 61_706, 7, 64, 2, "avx512", "abc")
    result.write(tmp_path / "result.json")
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["test_accuracy"] == 0.98
    assert found["train_images_per_second"] == 5e4
    assert {"compile_seconds", "train_seconds", "seed", "target", "threads"} <= set(found)
    write_json(tmp_path / "result.json", {"a": [1, None]})
    assert json.loads((tmp_path / "result.json").read_text()) == {"a": [1, None]}


def test_a_silent_display_takes_everything() -> None:
    display: Progress = Silent()
    display.epoch(record(1))
    display.warn("x")
    display.close()
