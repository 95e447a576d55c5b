"""No text keeps the checker busy: every limit is a diagnostic, soon."""

from __future__ import annotations

import sys
import time

import pytest
from elaborated import examined, net, only_error

from netspec.elaborate import limits


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (net("repeat 10**9 { relu }"), "E0504"),
        (net("repeat 10**9 { repeat 10**9 { skip } }"), "E0504"),
        (net("repeat 1000 { repeat 1000 { repeat 1000 { skip } } }"), "E0504"),
        (net("for i in 0..10**17 { relu }"), "E0505"),
        ("block r { r }\n" + net("r"), "E0503"),
        ("block a { b }\nblock b { a }\n" + net("a"), "E0503"),
        (net("conv(10**10**10, 1)"), "E0505"),
    ],
)
def test_an_excess_is_an_error_at_once(text: str, code: str) -> None:
    start = time.perf_counter()
    assert only_error(text).code == code
    assert time.perf_counter() - start < 1


def test_layers_and_calls_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BODIES", 3000)
    monkeypatch.setattr(limits, "MAX_LAYERS", 1000)
    assert only_error(net("repeat 900 { relu -> relu }")).code == "E0504"
    assert only_error(net("repeat 900 { relu }") + "\n" + net("repeat 900 { relu }").replace("N", "M", 1)).code == "E0504", (
        "over the whole file"
    )
    doubling = "block b0 { skip }\n" + "".join(f"block b{i + 1} {{ b{i} -> b{i} -> b{i} -> b{i} }}\n" for i in range(40))
    assert only_error(doubling + net("b40")).code == "E0504"


def test_formulas_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PARTS", 1000)
    assert not examined(net("convt(2, 16, stride=16)")).diagnostics
    found = only_error(net("convt(2, 16, stride=16) -> maxpool(16) -> convt(2, 15, stride=16)"))
    assert (found.code, found.message) == ("E0504", "the formulas of the layers have more than 1,000 parts")


def test_a_net_beyond_a_limit_has_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LAYERS", 100)
    found = examined(net("output a: relu\nrepeat 200 { relu }")).nets[0]
    assert (found.rows, found.output_shapes(), found.graph) == ((), {}, None)


def test_blocks_may_call_each_other_64_deep_with_bodies_between() -> None:
    text = "block r(d) { if d > 1 { add { | when yes: if yes { repeat 1 { r(d - 1) } } } } else { relu } }\n"
    limit = sys.getrecursionlimit()
    assert not examined(text + net("r(64)")).diagnostics
    assert only_error(text + net("r(65)")).code == "E0503"
    assert sys.getrecursionlimit() == limit


def test_time_grows_linearly_with_the_layers() -> None:
    def seconds(layers: int) -> float:
        text = net(f"repeat {layers // 2} {{ conv(4, 3x3, pad=1) -> relu }}")
        start = time.perf_counter()
        assert len(examined(text).nets[0].rows) == layers
        return time.perf_counter() - start

    seconds(100)
    short, long = min(seconds(1000) for _ in range(3)), min(seconds(8000) for _ in range(2))
    assert long < 24 * short


def test_many_different_errors_are_cut() -> None:
    text = net("\n".join(f"from x -> unknown{i}" for i in range(500)))
    assert len(examined(text).diagnostics) == 50
