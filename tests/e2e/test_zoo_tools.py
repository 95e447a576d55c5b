"""`netspec zoo`, `new` and `diff`: the bundled nets, projects that begin as one, and what is different between two nets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netspec.checking import check_file, check_source
from netspec.diagnostics import Source, SpecError, UsageError, UserError
from netspec.sources import nets_of, read, specs
from netspec.syntax.format import layout
from netspec.tools.diff import Comparison, compare, count
from netspec.tools.diff_text import to_json, to_text
from netspec.tools.folding import folded
from netspec.tools.project import create, extracted
from netspec.tools.zoo import about
from tests.e2e.process import netspec

SMALL = """net A {
  input x[1, 12, 12]
  c1: conv(4, 3x3) -> bn -> relu
  c2: conv(8, 3x3) -> relu
  flatten -> dense(10)
}
"""


# ── zoo ──


def test_the_zoo(tmp_path: Path) -> None:
    names = [name for file in specs() for name in nets_of(file)]
    done = netspec("zoo", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == names
    (lenet,) = [line for line in done.stdout.splitlines() if line.startswith("  LeNet5 ")]
    assert lenet.split("  ")[1:2] == ["LeNet5"]
    assert "61,706" in lenet
    assert "416,520" in lenet
    assert lenet.endswith("LeNet-5, modern")
    found = json.loads(netspec("zoo", "--format", "json", cwd=tmp_path).stdout)
    assert [entry["name"] for entry in found] == names
    assert all(entry["about"] for entry in found), "every bundled file begins with a comment that says what it is"


def test_the_comment_at_the_head() -> None:
    assert about("# a net (paper): more\n# second\nnet A {}") == "a net (paper): more"
    assert about("\n## b\n") == "b"
    assert about("net A {}  # c") == ""


# ── new ──


@pytest.mark.parametrize("file", specs(), ids=lambda path: path.stem)
def test_every_net_stands_alone(file: Path) -> None:
    """Its text is canonical, needs nothing unused, and has the same graph, plan and expectations."""
    before = check_file(str(file), {})
    for name in nets_of(file)[-1:]:
        text = extracted(read(file), name)
        assert layout(text) == text
        assert text.startswith(read(file).text.partition("\n")[0])
        after = check_source(Source("net.net", text), {}, net=None, target="plain")
        assert not after.diagnostics
        (net,) = after.nets
        whole = before.net(name)
        assert (net.name, net.params, net.macs) == (name, whole.params, whole.macs)
        assert [row.path for row in net.rows] == [row.path for row in whole.rows]
        assert (net.plan is None) == (whole.plan is None)
        assert [item.text for item in after.expectations] == [item.text for item in before.expectations if item.net == name]


def test_new(tmp_path: Path) -> None:
    done = netspec("new", "mine", "--from", "vgg11", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mine/net.net: VGG11, 132,863,336 parameters, 7,609,090,048 MACs\n")
    assert "VGG13" not in (tmp_path / "mine" / "net.net").read_text()
    assert netspec("check", "mine/net.net", "--deny-warnings", cwd=tmp_path).returncode == 0
    again = netspec("new", "mine", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (1, "error: mine/net.net is there already\n  = help: choose another name\n")
    assert "VGG11" in (tmp_path / "mine" / "net.net").read_text()


def test_new_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path, nets = create("a/b.net", "lenet5")
    assert (str(path), [net.name for net in nets]) == ("a/b.net", ["LeNet5"])
    path, nets = create("family", "squeezenet")
    assert [net.name for net in nets] == ["SqueezeNet1_0", "SqueezeNet1_1"]
    assert path.read_text() == layout(path.read_text())
    with pytest.raises(UserError, match="no file and no bundled net"):
        create("c", "lenet6")
    Path("blocked").write_text("")
    with pytest.raises(UserError, match="cannot write blocked"):
        create("blocked", "lenet5")
    Path("broken.net").write_text("net N {\n  input x[3]\n  dens(3)\n}\n")
    with pytest.raises(SpecError, match="E0101"):
        create("d", "broken.net")
    assert not Path("d").exists()


def test_comments_and_what_is_used_go_along() -> None:
    text = """# head
# of the file

# about a
let a = 3   # three

block unused(c) { dense(c) }

# about b
block b { dense(a) }
net T(n) {
  input x[4]
  repeat n { b }
}
net One = T(n=1)   # one
net Two = T(n=2)
expect Two { params == 27 }
train T { data = npz("a.npz"); loss = mse; optimizer = sgd(lr=0.1); epochs = 1 }
"""
    alone = extracted(Source("a.net", text), "Two")
    assert alone == text.replace("block unused(c) { dense(c) }\n\n", "").replace("net One = T(n=1)   # one\n", "")


# ── diff ──


def compared(tmp_path: Path, after: str, before: str = SMALL) -> Comparison:
    (tmp_path / "a.net").write_text(before)
    (tmp_path / "b.net").write_text(after)
    return compare(str(tmp_path / "a.net"), str(tmp_path / "b.net"))


def changes(found: Comparison) -> list[tuple[str, str | None, str | None]]:
    return [(item.change, item.a and item.a.path, item.b and item.b.path) for item in found.layers]


def test_the_same_net(tmp_path: Path) -> None:
    found = compared(tmp_path, layout("#\n" + SMALL.replace("net A", "net B")))
    assert found.same
    assert len(found.weights.load) == 10
    assert not (found.weights.missing or found.weights.unexpected or found.weights.reshaped or found.weights.renames)
    assert "the same layers, shapes and names" in to_text(found)


def test_a_renamed_line(tmp_path: Path) -> None:
    found = compared(tmp_path, SMALL.replace("c2:", "c3:"))
    assert changes(found) == [("renamed", "c2", "c3"), ("renamed", "c2.relu.0", "c3.relu.0")]
    assert [(old.name, new.name) for old, new in found.weights.renames] == [("c2.weight", "c3.weight"), ("c2.bias", "c3.bias")]
    assert "    c2.* -> c3.*\n" in to_text(found) + "\n"


def test_other_sizes(tmp_path: Path) -> None:
    found = compared(tmp_path, SMALL.replace("conv(8, 3x3)", "conv(8, 5x5)").replace("dense(10)", "dense(7)"))
    assert [item[:2] for item in changes(found)] == [(("changed"), path) for path in ("c2", "c2.relu.0", "flatten.0", "dense.0")]
    assert [(old.type.shape, new.type.shape) for old, new in found.weights.reshaped] == [
        ((8, 4, 3, 3), (8, 4, 5, 5)),
        ((10, 512), (7, 288)),
        ((10,), (7,)),
    ]
    assert count(found.weights.load) == 4 * 9 + 4 + 4 * 4 + 8


def test_layers_that_come_and_go(tmp_path: Path) -> None:
    found = compared(tmp_path, SMALL.replace(" -> bn -> relu", " -> relu -> maxpool(2)"))
    assert [item for item in changes(found) if item[0] != "changed"] == [("removed", "c1.bn.0", None), ("added", None, "c1.maxpool.0")]
    assert [weight.name for weight in found.weights.unexpected] == [f"c1.bn.0.{name}" for name in ("scale", "shift", "mean", "var")]
    data = json.loads(to_json(found))
    assert data["a"]["params"] == found.a.net.params
    assert {item["change"] for item in data["layers"]} == {"added", "removed", "changed"}
    assert [item["name"] for item in data["weights"]["unexpected"]] == [weight.name for weight in found.weights.unexpected]


def test_blocks_are_folded() -> None:
    paths = ["a.0", "s.0.b.1.c.0", "s.0.b.1.c.1", "s.0.b.1.d", "s.0.b.2.c.0", "s.0.b.2.c.1", "s.1.x", "s.1.y.0", "s.1.z.0", "x.relu.0"]
    assert [(block, list(numbers)) for block, numbers in folded(paths, ["a.1", "s.0.b.0.d", "x.1"])] == [
        (None, [0]),
        ("s.0.b.1", [1, 2, 3]),
        (None, [4]),
        (None, [5]),
        ("s.1", [6, 7, 8]),
        (None, [9]),
    ]
    text = to_text(compare("resnet18", "resnet34"))
    assert "+  stage.1.basic.3  7 layers  [128, 28, 28]    295,424  231,211,008" in text
    assert "102 load from A by name and shape: 11,699,112 of 21,814,696 numbers" in text


def test_which_nets(tmp_path: Path) -> None:
    found = compare("resnet:ResNet18", "resnet34")
    assert (found.a.net.name, found.b.net.name) == ("ResNet18", "ResNet34")
    with pytest.raises(UsageError, match="several nets"):
        compare("resnet", "lenet5")
    with pytest.raises(UsageError, match="ResNet17"):
        compare("resnet:ResNet17", "lenet5")
    both = SMALL + SMALL.replace("net A", "net B")
    assert compared(tmp_path, SMALL.replace("net A", "net B"), both).a.net.name == "B", "the name that both files have"
    (tmp_path / "broken.net").write_text(SMALL.replace("dense", "dens"))
    done = netspec("diff", "broken.net", "lenet5", cwd=tmp_path)
    assert (done.returncode, done.stderr[:12]) == (1, "error[E0101]")
