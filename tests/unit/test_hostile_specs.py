"""Files made to hang or exhaust the checker: each ends with its diagnostic, in little time and memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from elaborated import net

from netspec.checking import check_source
from netspec.diagnostics import Source


def chained(first: str, then: str, count: int) -> str:
    """Declarations in which each names the one before: `{i}` and `{j}` are their numbers."""
    return first + "\n" + "".join(then.format(i=i + 1, j=i) + "\n" for i in range(count))


def doubled(first: str, then: str, count: int = 40, call: str | None = None) -> str:
    return chained(f"block b0{first}", "block b{i}" + then, count) + net(call or f"b{count}")


HOSTILE = {
    "passes of passes": (net("repeat 10**9 { repeat 10**9 { relu } }"), "E0504"),
    "a million passes": (net("repeat 10 { " * 6 + "relu" + " }" * 6), "E0504"),
    "layers of passes": (net("repeat 60000 { relu -> relu }"), "E0504"),
    "passes without layers": (net("repeat 99999 { repeat 20 { skip } }"), "E0504"),
    "product lists": ("let a = range(300)\n" + net("for i in a { for j in a { for k in a { skip } } }"), "E0504"),
    "blocks double": (doubled(" { relu }", " {{ b{j} -> b{j} }}"), "E0504"),
    "blocks without layers double": (doubled(" { skip }", " {{ b{j} -> b{j} }}"), "E0504"),
    "blocks with arguments": (doubled("(n) { conv(n, 1) }", "(n) {{ b{j}(n) -> b{j}(n + 1) }}", call="b40(3)"), "E0504"),
    "a block doubles itself": ("block r(d) { if d > 0 { r(d - 1) -> r(d - 1) } else { relu } }\n" + net("r(60)"), "E0504"),
    "branches double": ("block r(d) { if d > 0 { add { | r(d - 1) | r(d - 1) } } else { relu } }\n" + net("r(60)"), "E0504"),
    "an unknown if doubles": (doubled(" { relu }", " {{ if in.c == 3 {{ b{j} -> b{j} }} else {{ b{j} -> b{j} -> b{j} }} }}"), "E0504"),
    "nets double": (
        chained("net M0 { input x[8]\n relu }", "net M{i} {{ input x[8]\n M{j} -> M{j} }}", 30),
        "E0504",
    ),
    "many nets": ("block b { repeat 5000 { relu } }\n" + "".join(f"net N{i} {{ input x[8]\n b }}\n" for i in range(40)), "E0504"),
    "lets in a circle": ("let a = b\nlet b = a\n" + net("conv(a, 1)"), "E0115"),
    "a long chain of lets": (chained("let a0 = 1", "let a{i} = a{j}", 5000) + net("conv(a5000, 1)"), "E0503"),
    "a deep chain of lets": (chained("let a0 = 1", "let a{i} = " + "-" * 180 + "a{j}", 20) + net("conv(a20, 1)"), "E0503"),
    "lists double": (chained("let a0 = [1]", "let a{i} = a{j} + a{j}", 60) + net("conv(a60, 1)"), "E0505"),
    "lists of lists": (chained("let a0 = [1]", "let a{i} = [a{j}, a{j}]", 60) + net("conv(a60, 1)"), "E0505"),
    "strings double": (chained('let a0 = "x"', "let a{i} = a{j} + a{j}", 60) + net("conv(a60, 1)"), "E0108"),
    "fractions grow": (chained("let a0 = 1/3", "let a{i} = a{j} * a{j} + 1/7", 60) + net("conv(a60, 1)"), "E0505"),
    "a giant list": (net("conv([0] * 10**9, 1)"), "E0505"),
    "giant lists of lists": (net("conv([[[0] * 1000] * 1000] * 1000, 1)"), "E0505"),
    "a giant string": (net('conv("x" * 10**9, 1)'), "E0108"),
    "a tower": (net("conv(9**9**9, 1)"), "E0505"),
    "ops double": (chained("op a0(x) = x * x", "op a{i}(x) = a{j}(x) * a{j}(x)", 50) + net("a50"), "E0505"),
    "ops of ops": (chained("op a0(x) = x * x + 1", "op a{i}(x) = a{j}(a{j}(x))", 50) + net("a50"), "E0505"),
    "steps of a train block": (
        "let a = [0] * 99999\n" + net("relu") + f"\ntrain N {{ batch = {' + '.join(['len(a + [1])'] * 30)} }}",
        "E0506",
    ),
    "steps of an expect block": ("let a = [0] * 99999\n" + net("relu") + "\nexpect N {\n" + "len(a + [1]) == 3\n" * 30 + "}", "E0506"),
    "stars in a pattern": (
        net("repeat 300 { conv(3, 1) }\nflatten -> dense(10)") + '\ntrain N { regularize = l2(1e-4, on="' + "*c*o*n*v" * 50 + '") }',
        "E0303",
    ),
    "more words than any net has": (net("a\n" * 120_000), "E0501"),
    "parentheses": ("let x = " + "(" * 100_000, "E0502"),
    "blank lines": ("\n" * 10_000 + "net N { rellu }", "E0101"),
    "comments": ("# x -> {\n" * 20_000 + "net N { rellu }", "E0101"),
    "powers": ("let x = " + "2**" * 80_000 + "1", "E0502"),
    "else if": (net("if no { relu }" + " else if no { relu }" * 9_000), "E0502"),
    "a direction override in a name": (net("re\u202elu"), "E0003"),
    "a homoglyph in a name": (net("r\u0435lu"), "E0003"),
    "a zero byte in a name": (net("re\0lu"), "E0003"),
}


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """What is imported late is not what these files cost."""
    for text in (net("rellu"), "op a(x) = x\n" + net("a") + "\ntrain N { batch = 4 }", doubled(" { relu }", " {{ b{j} -> b{j} }}", 30)):
        check_source(Source("warm.net", text), {}, net=None, target="plain").problems()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_with_its_diagnostic(name: str) -> None:
    text, code = HOSTILE[name]
    start = time.process_time()
    report = check_source(Source("hostile.net", text), {}, net=None, target="plain")
    shown = report.to_text() + report.problems()
    seconds = time.process_time() - start
    errors = [item.code for item in report.diagnostics if item.severity == "error"]
    assert code in errors
    assert all(f"[{item}]" in shown for item in errors)
    assert seconds < 1  # 0.1 s and less, but for long texts, on an idle machine


@pytest.mark.parametrize("name", ["blocks double", "a giant list", "ops double", "passes of passes"])
def test_a_hostile_file_takes_little_memory(name: str) -> None:
    tracemalloc.start()
    try:
        check_source(Source("hostile.net", HOSTILE[name][0]), {}, net=None, target="plain")
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_what_is_foreseen_stays_below_what_is_run() -> None:
    """Legal nets of many calls stay legal: what depends on shapes counts as little as it may, and a false `if` not at all."""
    calls = "block b(n) { if n > 3 { repeat 10**5 { relu } } else { conv(in.c, 1) -> relu } }\n"
    text = calls + net("repeat 600 as i { b(i - 600) }\nrepeat 600 { if in.c == 4 { repeat 10**5 { relu } } }")
    report = check_source(Source("legal.net", text), {}, net=None, target="plain")
    assert report.ok
    assert len(report.nets[0].rows) == 1200
