"""`netspec check`: the zoo's numbers, the report's forms, exit codes, and what a start may load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import netspec
from netspec.checking import check_file
from netspec.diagnostics import UserError
from netspec.sources import nets_of, specs

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "examples"

ZOO: dict[str, tuple[int, int | str]] = {
    "AlexNet": (61_100_840, 714_188_480),
    "AlexNet_2012": (60_965_224, 724_406_816),
    "AlphaGoZero": (22_827_877, 8_105_976_564),
    "Autoencoder": (60_289, 1_003_520),
    "DenseNet121": (7_978_856, 2_834_161_664),
    "EfficientNetB0": (5_288_548, 385_814_752),
    "GoogLeNet": (6_998_552, 1_582_671_872),
    "GoogLeNet_BN": (6_624_904, 1_498_376_192),
    "LeNet5": (61_706, 416_520),
    "LeNet5_1998": (60_000, 325_680),
    "MLP": (266_610, 266_200),
    "DeepMLP": (11_972_510, 11_965_000),
    "MobileNetV1": (4_231_976, 568_740_352),
    "MobileNetV2": (3_504_872, 300_774_272),
    "ResNet18": (11_689_512, 1_814_073_344),
    "ResNet34": (21_797_672, 3_663_761_408),
    "ResNet50": (25_557_032, 4_089_184_256),
    "ResNet101": (44_549_160, 7_801_405_440),
    "ResNet152": (60_192_808, 11_513_626_624),
    "CifarResNet20": (269_722, 40_551_040),
    "CifarResNet56": (853_018, 125_485_696),
    "ResNeXt50_32x4d": (25_028_904, 4_230_479_872),
    "SEResNet50": (28_088_024, 4_091_699_200),
    "Siamese": (38_951_745, 1_817_251_840),
    "Speech": (178_595, 8_484_224),
    "SpeechAny": (112_547, "25600*((T + 1)//2) + 81920*((T + 3)//4) - 292480"),
    "SpeechPicture": (1_329_859, 119_601_536),
    "SqueezeNet1_0": (1_248_424, 818_924_576),
    "SqueezeNet1_1": (1_235_496, 349_151_936),
    "UNet": (31_037_698, "735040*H*W"),
    "UNet2015": (31_030_658, 150_428_424_448),
    "VGG11": (132_863_336, 7_609_090_048),
    "VGG13": (133_047_848, 11_308_466_176),
    "VGG16": (138_357_544, 15_470_264_320),
    "VGG19": (143_667_240, 19_632_062_464),
}
"""Parameters and multiplications, as torchvision's models have them, and other sources where it has none: papers, Keras, timm."""

TRAINED = {"GoogLeNet": 13_378_280, "GoogLeNet_BN": 13_004_888}
"""Parameters with the heads that only training has."""


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    environment.pop("NETSPEC_TARGET", None)
    command = [sys.executable, "-m", "netspec", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False, timeout=60)


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo(name: str) -> None:
    report = check_file(name.lower(), {})
    assert report.ok, report.problems()
    (net,) = report.to_dict()["nets"]  # type: ignore[misc]
    assert (net["name"], net["params"], net["macs"]) == (name, *ZOO[name])  # type: ignore[index, call-overload]
    assert net["train_params"] == TRAINED.get(name, ZOO[name][0])  # type: ignore[index, call-overload]
    if isinstance(ZOO[name][1], int):
        assert sum(layer["macs"] for layer in net["layers"]) == ZOO[name][1]  # type: ignore[index, call-overload, union-attr]
    assert all(item.holds for item in report.expectations)


def test_every_bundled_spec_is_sound_and_in_the_zoo() -> None:
    assert {net for file in specs() for net in nets_of(file)} == set(ZOO)
    for file in specs():
        report = check_file(str(file), {})
        assert not report.diagnostics, report.problems()
        assert report.expectations
        assert all(net.plan is not None for net in report.nets)


def test_a_file_name_stands_for_all_its_nets() -> None:
    assert [net.name for net in check_file("resnet", {}).nets] == ["ResNet18", "ResNet34", "ResNet50", "ResNet101", "ResNet152"]


REFUSED = {"unet": {"E0302"}}
"""Examples that use what is not supported yet: a loss of each pixel."""


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.net")), ids=lambda path: path.stem)
def test_examples_are_sound_or_say_what_is_not_supported_yet(path: Path) -> None:
    report = check_file(str(path), {})
    codes = {item.code for item in report.diagnostics if item.severity == "error"}
    assert codes == REFUSED.get(path.stem, set()), report.problems()
    assert all(item.holds for item in report.expectations)


def test_json() -> None:
    done = run("check", "lenet5", "--format", "json", "--target", "avx2", "--set", "classes=26")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, ""), "the data have 10 classes"
    assert list(report) == ["target", "threads", "nets", "expects", "diagnostics"]
    assert report["target"] == "avx2"
    (net,) = report["nets"]
    assert list(net) == ["name", "inputs", "outputs", "params", "train_params", "macs", "receptive_field", "memory", "layers"]
    assert (net["inputs"], net["outputs"]) == ({"image": [1, 28, 28]}, {"logits": [26]})
    assert set(net["memory"]) == {"infer", "train"}
    assert set(net["memory"]["train"]) == {"fixed", "per_sample"}
    assert net["layers"][0] == {
        "path": "c1",
        "kind": "conv",
        "line": 6,
        "input": [1, 28, 28],
        "output": [6, 28, 28],
        "params": 156,
        "macs": 117_600,
        "receptive_field": 5,
        "pads": [[2, 2], [2, 2]],
    }
    assert net["layers"][-1]["receptive_field"] is None
    assert report["expects"][0] == {"net": "LeNet5", "text": "params == 61_706", "line": 15, "status": "not applicable", "actual": None}
    (error,) = report["diagnostics"]
    assert list(error) == ["code", "severity", "message", "file", "span", "labels", "notes", "help", "fix"]
    assert (error["code"], error["severity"], error["help"]) == ("E0302", "error", "`--set classes=10`")
    assert error["span"] == {"start": {"line": 21, "column": 16}, "end": {"line": 21, "column": 51}}


def test_json_of_a_broken_file_has_its_labels_and_fix() -> None:
    report = json.loads(run("check", "tests/errors/flat.net", "--format", "json").stdout)
    (error,) = report["diagnostics"]
    assert error["labels"] == [
        {"text": "produces [16, 12, 12]", "span": {"start": {"line": 3, "column": 20}, "end": {"line": 3, "column": 30}}}
    ]
    assert error["fix"] == {"text": "flatten -> ", "span": {"start": {"line": 4, "column": 3}, "end": {"line": 4, "column": 3}}}
    assert [layer["path"] for layer in report["nets"][0]["layers"]] == ["conv.0", "maxpool.0"]
    assert report["nets"][0]["memory"] is None
    syntax = json.loads(run("check", "tests/errors/two.net", "--format", "json").stdout)
    assert [item["span"]["start"]["line"] for item in syntax["diagnostics"]] == [3, 5, 8]
    assert syntax["nets"] == []


def test_a_table_on_standard_output_and_diagnostics_on_standard_error() -> None:
    done = run("check", "tests/errors/window.net")
    assert done.returncode == 1
    assert done.stdout.startswith("LeNet  image [1, 28, 28] -> ?\n")
    assert "c2.maxpool.0" in done.stdout
    assert done.stderr == (ROOT / "tests/errors/window.txt").read_text(encoding="utf-8").replace("--> ", "--> tests/errors/")


def test_the_table(golden) -> None:  # type: ignore[no-untyped-def]
    report = check_file("lenet5", {})
    golden(ROOT / "tests/golden/check_lenet5.txt", report.to_text() + "\n")
    golden(ROOT / "tests/golden/check_lenet5.md", report.to_markdown() + "\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("check", "nothing.net"), 1, "error: no such file: nothing.net"),
        (("check", "lenet55"), 1, "did you mean `LeNet5`?"),
        (("check", "tests"), 1, "error: tests is a folder"),
        (("check", "lenet5", "--set", "clases=3"), 2, "did you mean `classes`?"),
        (("check", "lenet5", "--set", "classes"), 2, "is not NAME=VALUE"),
        (("check", "lenet5", "--set", "classes=[1"), 2, "a value as the language writes it"),
        (("check", "resnet", "--net", "resnet51"), 2, "did you mean"),
        (("check", "lenet5", "--target", "avx3"), 2, "did you mean `avx2`?"),
        (("check", "lenet5", "--format", "xml"), 2, "invalid choice: 'xml'"),
        (("check",), 2, "the following arguments are required: FILE"),
        (("chekc", "lenet5"), 2, "invalid choice: 'chekc'"),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int, message: str) -> None:
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_files_that_are_no_specs(tmp_path: Path) -> None:
    for name, data, message in (
        ("empty.net", b"", "error[E0007]"),
        ("bytes.net", b"net \xff\xfe", "is no text: byte 4 is not UTF-8"),
        ("large.net", b"#" * 300_000, "error[E0501]"),
    ):
        (tmp_path / name).write_bytes(data)
        done = run("check", name, cwd=tmp_path)
        assert (done.returncode, message in done.stderr) == (1, True), done.stderr


def test_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    text = (EXAMPLES / "lenet.net").read_bytes()
    (tmp_path / "crlf.net").write_bytes(text.replace(b"\n", b"\r\n"))
    assert check_file(str(tmp_path / "crlf.net"), {}).net("LeNet5").params == 61_706


def test_a_check_loads_neither_numpy_nor_numba() -> None:
    code = "import netspec, sys; assert netspec.check('resnet50').ok; print({'numpy', 'numba', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60)
    assert done.stdout == "set()\n"


def test_embedding() -> None:
    report = netspec.check("net N { input x[4]\ndense(3) }")
    assert report.ok
    assert report.net("N").params == 15
    assert "dense.0" in str(report)
    wrong = netspec.check("param c = 3\nnet N { input x[4]\ndense(c) }", c=0)
    assert not wrong.ok
    assert wrong.problems().startswith("error[E0106]: `units` of `dense` must be at least 1, got 0\n --> <text>:3:7")
    assert netspec.check(str(EXAMPLES / "lenet.net"), net="lenet5").nets[0].name == "LeNet5"
    with pytest.raises(UserError):
        netspec.check("no_such_net")
    with pytest.raises(AttributeError):
        netspec.nothing  # noqa: B018
