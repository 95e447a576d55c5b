"""Ratios, tables and JSON, from measurements that are made up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from netspec.bench.results import Case, Entry, Memory, as_json, table

OURS = Entry("netspec", "timed", "", "0.1.0", "avx512", 4e-7, (0.002, 0.004, 0.003), (), (3e11, 1e11, 2e11), Memory(3 << 20, 5 << 20))
BESIDE, PEAK = OURS.seconds, OURS.peak
SLOW = Entry("torch", "timed", "", "2.13", "eager", 2e-7, (0.005, 0.008, 0.009), BESIDE, PEAK, Memory(1200 << 20, 1300 << 20))
FAST = Entry("openvino", "timed", "", "2026.4", "latency", 3e-6, (0.001, 0.003, 0.0015), BESIDE, PEAK)
MISSING = Entry("ncnn", "missing", "pip install ncnn")
WRONG = Entry("jax", "wrong", "relative error 3.0e-02, at most 1e-05 is allowed", error=0.03)
FAILED = Entry("tensorflow", "failed", "its process ended by signal 9")


def case(*entries: Entry, mode: str = "infer", peak: tuple[float, ...] = (3e11, 1e11, 2e11)) -> Case:
    return Case("LeNet5", mode, 8, 2, 60_000_000, 3, entries, peak)


def test_a_ratio_is_the_median_of_the_rounds_not_the_ratio_of_medians() -> None:
    assert case(OURS, SLOW).ratio(SLOW) == pytest.approx(2.5)  # of 2.5, 2 and 3
    assert case(OURS, SLOW, FAST).ratio(FAST) == pytest.approx(0.5)  # of 0.5, 0.75 and 0.5


def test_the_best_peer_is_the_fastest_that_was_right() -> None:
    assert case(OURS, SLOW, FAST).best is FAST
    assert case(OURS, SLOW, WRONG, MISSING).best is SLOW
    assert case(OURS, MISSING).best is None


def test_a_peer_that_stopped_half_way_has_no_ratio() -> None:
    half = Entry("torch", "failed", "its process ended with 1", seconds=(0.005,), beside=BESIDE)
    assert case(OURS, half).ratio(half) is None
    assert case(OURS, half).best is None
    assert case(OURS).ratio(OURS) is None


def test_a_peer_of_another_group_is_compared_with_its_own_rounds() -> None:
    ours = Entry("netspec", "timed", seconds=(0.001, 0.001, 0.001, 0.002, 0.002, 0.002))
    first, second = (Entry(name, "timed", seconds=(0.004,) * 3, beside=ours.seconds[k : k + 3]) for k, name in ((0, "torch"), (3, "jax")))
    found = case(ours, first, second)
    assert (found.ratio(first), found.ratio(second)) == (pytest.approx(4), pytest.approx(2))
    assert ours.median == pytest.approx(0.0015)


def test_operations_and_the_share_of_the_peak() -> None:
    assert case(OURS).rate(OURS) == pytest.approx(2e10)
    assert case(OURS).share(OURS) == pytest.approx(0.1)  # of 3e10/3e11, 1.5e10/1e11 and 2e10/2e11
    unmeasured = replace(OURS, peak=())
    assert case(unmeasured).share(unmeasured) is None


def test_the_spread_is_that_of_the_middle_half() -> None:
    assert Entry("a", "timed", seconds=(1.0, 2.0, 3.0, 4.0, 5.0)).spread == pytest.approx(2 / 3)
    assert Entry("a", "timed", seconds=(1.0,)).spread == 0


TABLE = """\
LeNet5, inference, batch 8, 2 threads, 3 rounds
            median ms  spread  ratio  GFLOP/s  of peak  error  how
  openvino        1.5     67%   0.50     40.0      20%  3e-06  2026.4 latency
  netspec           3     33%            20.0      10%  4e-07  0.1.0 avx512
  torch             8     25%   2.50      7.5       4%  2e-07  2.13 eager
  jax         wrong result: relative error 3.0e-02, at most 1e-05 is allowed
  tensorflow  failed: its process ended by signal 9
  ncnn        not installed: pip install ncnn
  netspec is 0.50 x as fast as the best peer, openvino
  the machine's peak is 200 GFLOP/s of multiply-adds, in the same rounds"""


def test_the_table() -> None:
    assert table(case(OURS, SLOW, FAST, WRONG, FAILED, MISSING)) == TABLE


def test_training_tells_memory_and_who_only_infers() -> None:
    text = table(case(OURS, SLOW, Entry("openvino", "unsuited", "inference only"), mode="train"))
    assert text.splitlines()[0] == "LeNet5, training step, batch 8, 2 threads, 3 rounds"
    assert "1,200 MiB" in text and "3 MiB" in text
    assert "  openvino  inference only" in text


def test_a_case_in_which_nobody_ran() -> None:
    found = case(Entry("netspec", "failed", "IndexError"), MISSING, peak=())
    assert not found.fine
    assert table(found).splitlines() == [
        "LeNet5, inference, batch 8, 2 threads, 3 rounds",
        "  netspec  failed: IndexError",
        "  ncnn     not installed: pip install ncnn",
    ]


def test_the_json_form_has_every_measurement_and_every_reason() -> None:
    found = json.loads(json.dumps(as_json(case(OURS, SLOW, FAST, WRONG, MISSING))))
    assert (found["best_peer"], found["ratio_to_best"], found["peak_gflops"]) == ("openvino", pytest.approx(0.5), 200.0)
    ours, slow, _, wrong, missing = found["entries"]
    assert ours["ms"] == pytest.approx([2, 4, 3])
    assert ours["memory_bytes"] == {"running": 3 << 20, "most": 5 << 20}
    assert slow["ratio"] == pytest.approx(2.5)
    assert slow["netspec_ms"] == ours["ms"]
    assert wrong == {"name": "jax", "state": "wrong", "reason": WRONG.reason, "error": 0.03}
    assert missing == {"name": "ncnn", "state": "missing", "reason": "pip install ncnn"}
