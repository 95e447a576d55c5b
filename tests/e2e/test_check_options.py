"""What `netspec check` does beside its table: forms for editors and workflows, conditions, mends, watching."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from netspec.checking import check_source
from netspec.diagnostics import Diagnostic, Fix, Label, Source, Span, UsageError
from netspec.report import Report
from netspec.tools.fixes import mend
from tests.e2e.process import netspec, started

WARNS = "net N {\n  input x[3, 15, 15]\n  conv(8, 3x3, bias=no) -> bn -> relu\n  maxpool(2)\n  flatten -> dense(10)\n}\n"
BROKEN = """net N {
  input x[3, 15, 15]
  conv(8, 3x3, strid=1) -> bn -> rellu
  maxpool(2, ceil=yes)
  dense(10) -> softmax
}
train N { data = npz("a.npz"); loss = cross_entropy; optimizer = sgd(lr=0.1); epochs = 1 }
"""
MENDED = BROKEN.replace("strid=1", "stride=1, bias=no").replace("rellu", "relu").replace("dense(10) -> softmax", "flatten -> dense(10)")


def report(text: str, refused: tuple[str, ...] = ()) -> Report:
    return check_source(Source("a.net", text), {}, net=None, target="plain", refused=refused)


def test_a_line_for_each_diagnostic(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(BROKEN)
    done = netspec("check", "a.net", "--format", "concise", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == (
        "a.net:3:16: error[E0104]: `conv` has no argument `strid`\na.net:3:34: error[E0101]: unknown layer or block `rellu`\n"
    )
    assert done.stderr == ""


def test_annotations_of_a_workflow_are_escaped() -> None:
    span = Span("a,b:c.net", 0, 1, 2, 3)
    item = Diagnostic("E0101", "50% of\nit", span, "here", (Label(span, "there"),), ("so",), "do", severity="error")
    found = Report(Source("a,b:c.net", ""), (), (), (item,), "plain", 1).to_github()
    assert found == (
        "::error file=a%2Cb%3Ac.net,line=2,col=3,title=netspec E0101::50%25 of%0Ait: here%0Aa,b:c.net:2:3: there%0Anote: so%0Ahelp: do"
    )


def test_warnings_change_the_exit_code_only_where_they_are_denied(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(WARNS)
    done = netspec("check", "a.net", "--format", "human", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "a.net: no errors, 1 warning\n")
    assert done.stderr.startswith("warning[W0301]: ")
    done = netspec("check", "a.net", "--format", "github", "--deny-warnings", cwd=tmp_path)
    assert (done.returncode, done.stdout[:10]) == (1, "::warning ")
    found = json.loads(netspec("check", "a.net", "--format", "json", cwd=tmp_path).stdout)
    assert [item["severity"] for item in found["diagnostics"]] == ["warning"]


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("params > 60k", "61,706 > 60,000"),
        ("params > 70k", None),
        ("rf < 3 or c1.macs >= 100k and macs != 1", "117,600 >= 100,000; 416,520 != 1"),
        ("train_memory(batch=64) > 1 MiB", "5,825,144 bytes (5.56 MiB) > 1,048,576"),
        ("infer_memory(batch=1) > 1 MiB", None),
        ("logits == [10]", "[10] == [10]"),
        ("not (params > 70k)", ""),
    ],
)
def test_conditions(condition: str, numbers: str | None) -> None:
    text = (Path(__file__).parents[2] / "specs" / "lenet.net").read_text(encoding="utf-8")
    found = report(text, (condition,))
    expected = [] if numbers is None else [f"`{condition}` is true of LeNet5" + (f": {numbers}" if numbers else "")]
    assert [item.message for item in found.diagnostics] == expected
    assert found.ok == (numbers is None)


@pytest.mark.parametrize("condition", ["params", "prams > 3", "params >", "params > 3\nnet B {}", "1/0 > 2"])
def test_conditions_that_say_nothing(condition: str) -> None:
    with pytest.raises(UsageError):
        report(MENDED, (condition,))


def test_several_conditions_are_of_every_net(tmp_path: Path) -> None:
    done = netspec("check", "resnet", "--fail-if", "params > 40M", "--fail-if", "rf < 900", "--format", "concise", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("is true of") == 5
    assert "`params > 40M` is true of ResNet152: 60,192,808 > 40,000,000" in done.stdout
    assert netspec("check", "resnet", "--net", "resnet18", "--fail-if", "params > 40M", cwd=tmp_path).returncode == 0
    assert netspec("check", "lenet", "--fail-if", "params", cwd=tmp_path).returncode == 2


def test_fix(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_text(BROKEN)
    done = netspec("check", "a.net", "--fix", "--format", "concise", cwd=tmp_path)
    assert (done.returncode, done.stdout, path.read_text()) == (0, "", MENDED)
    assert done.stderr.splitlines() == [
        "a.net:3:16: E0104: `strid` -> `stride`",
        "a.net:3:34: E0101: `rellu` -> `relu`",
        "a.net:5:3: E0202: `flatten -> ` put in",
        "a.net:3:3: W0304: `, bias=no` put in",
        "a.net:5:27: W0305: ` -> softmax` taken out",
        "a.net: 5 mended, no errors, no warnings left",
    ]
    assert "a.net: nothing mended" in netspec("check", "a.net", "--fix", cwd=tmp_path).stdout
    done = netspec("check", "lenet", "--fix", cwd=tmp_path)
    assert (done.returncode, "works on a file" in done.stderr) == (2, True)


def test_fixes_of_faulty_syntax(tmp_path: Path) -> None:
    text = "net N {\n  x = input(4)\n  input x[4];\n  add { | dense(4), relu | }\n}\n"
    done = mend(Source("a.net", text), lambda source: report(source.text))
    before, after = (sum(item.code < "E01" for item in found.diagnostics) for found in (report(text), done.report))
    assert done.applied
    assert after < before


def test_a_fix_that_makes_things_worse_is_not_kept() -> None:
    bad, good = Span("a.net", 4, 5, 1, 5), Span("a.net", 10, 10, 2, 3)

    def check(source: Source) -> Report:
        found = () if "{{" in source.text else (Diagnostic("E0101", "bad", bad, fix=Fix(bad, "{")),)
        found += () if "relu" in source.text else (Diagnostic("E0102", "good", good, fix=Fix(good, "relu ")),)
        broken = (Diagnostic("E0001", "broken", bad),) if "{" in source.text[:6] else ()
        return Report(source, (), (), broken or found, "plain", 1)

    done = mend(Source("a.net", "net N\n{\n  x\n}\n"), check)
    assert [item.diagnostic.message for item in done.applied] == ["good"]
    assert "net N\n" in done.source.text


def test_watch(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_text(WARNS)
    with started("check", "a.net", "--watch", "--format", "human", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "a.net: no errors, 1 warning\n"
        (tmp_path / "new").write_text(WARNS.replace("maxpool(2)", "maxpool(3, stride=2)"))
        (tmp_path / "new").replace(path)  # as editors save
        assert process.stdout.readline() == "a.net: no errors, no warnings\n"
        (tmp_path / "new").write_text('use "b.net": b\n' + WARNS.replace("maxpool(2)", "b"))
        (tmp_path / "b.net").write_text("block b { maxpool(300) }\n")
        (tmp_path / "new").replace(path)
        assert process.stdout.readline() == "a.net: 1 error, no warnings\n"
        (tmp_path / "new").write_text("block b { maxpool(3, stride=2) }\n")
        (tmp_path / "new").replace(tmp_path / "b.net")
        assert process.stdout.readline() == "a.net: no errors, no warnings\n", "what it imports is watched too"
        before = _cpu(process)
        time.sleep(0.7)
        assert _cpu(process) - before < 0.1, "it waits without work"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


def _cpu(process: subprocess.Popen[str]) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
