"""What newcomers bring from other languages: each habit has a message of its own, and one message alone."""

from __future__ import annotations

import pytest

from netspec import training
from netspec.checking import check_source
from netspec.diagnostics import Diagnostic, Source
from netspec.layers import LAYERS, argument_meant, instead_of, layer_meant
from netspec.training import elsewhere


def errors(text: str) -> tuple[Diagnostic, ...]:
    found = check_source(Source("n.net", text), {}, net=None, target="plain").diagnostics
    return tuple(item for item in found if item.severity == "error")


def net(body: str) -> str:
    return f"net N {{\n  input image[1, 28, 28]\n  {body}\n}}\n"


STEPS = [
    ("x = conv(6, 5x5)", "E0004", "a label is written `x: conv(..)`", "x: conv(6, 5x5)"),
    ("self.x = conv(6, 5x5)", "E0004", "a label is written `x: ..`", "x: conv(6, 5x5)"),
    ("n = 3", "E0004", "a constant is written `let n = ..`", "let n = 3\n  relu"),
    ("conv 6 5x5", "E0001", "arguments stand in brackets: `conv(6, 5x5)`", "conv(6, 5x5)"),
    ("conv 6, 5x5", "E0001", "arguments stand in brackets: `conv(6, 5x5)`", "conv(6, 5x5)"),
    ("conv[6, 5x5]", "E0001", "arguments stand in round brackets: `conv(..)`", None),
    ("conv(6 5x5)", "E0001", "separate them by a comma: `6, 5x5`", "conv(6, 5x5)"),
    ("conv(6, 5 x 5)", "E0001", "sizes are written without spaces: `5x5`", "conv(6, 5x5)"),
    ("conv(6, 5×5)", "E0003", "write `x`", "conv(6, 5x5)"),
    ('conv(6, "5x5")', "E0106", "without quotes: `5x5`", None),
    ("conv(6, 5x5, pad='same')", "E0003", 'strings stand in double quotes: `"same"`', 'conv(6, 5x5, pad="same")'),
    ("conv(6, 5x5, pad=“same”)", "E0003", 'write `"`', None),
    ("conv(6, 5x5, bias=False)", "E0102", "write `no`", "conv(6, 5x5, bias=no)"),
    ("conv(6, 5x5, bias=None)", "E0102", "leave the argument out", None),
    ("conv(6, 5x5)(image)", "E0001", "`from image -> ..` makes another one current", None),
    ("conv(6, 5x5) => relu", "E0001", "steps are joined by `->`", "conv(6, 5x5) -> relu"),
    ("conv(6, 5x5) |> relu", "E0001", "steps are joined by `->`", "conv(6, 5x5) -> relu"),
    ("conv(6, 5x5) >> relu", "E0001", "steps are joined by `->`", "conv(6, 5x5) -> relu"),
    ("conv(6, 5x5) | relu", "E0001", "branches stand inside of a merge", "conv(6, 5x5) -> relu"),
    ("conv(6, 5x5) relu", "E0001", "joined by an arrow: `-> relu`", "conv(6, 5x5) -> relu"),
    ("conv(6, 5x5)\n  .relu()", "E0001", "joined by an arrow: `-> relu`", None),
    ("nn.relu()", "E0001", "leave out what stands before it: `relu`", "relu()"),
    ("torch.nn.relu()", "E0001", "leave out what stands before it: `relu`", "relu()"),
    ("relu // rectify", "E0001", "comments start with `#`", "relu # rectify"),
    ("// rectify\n  relu", "E0001", "comments start with `#`", "# rectify\n  relu"),
    ("/* rectify */ relu", "E0001", "comments start with `#`", None),
    ("relu -- rectify", "E0001", "comments start with `#`", "relu # rectify"),
    ("return relu", "E0001", "leave `return` out", None),
    ("if yes { relu } elif no { tanh }", "E0001", "write `else if`", "if yes { relu } else if no { tanh }"),
    ("if yes && no { relu }", "E0003", "write `and`", None),
    ("repeat 3: relu", "E0001", "a body stands in braces: `repeat 3 { .. }`", None),
    ("for i in 3 { relu }", "E0108", "`repeat 3 as i` counts", None),
    ("flatten -> output dense(10)", "E0001", "it stands on a line of its own", None),
    ("output dense(10)", "E0001", "a result is named: `output logits: dense(10)`", None),
    ("output = dense(10)", "E0001", "a result is named: `output logits: dense(10)`", None),
    ("conv(repeat, 3x3)", "E0006", "names of their own", None),
    ("add(relu, relu)", "E0106", "steps stand in branches: `add { | relu | .. }`", None),
    ("Conv2d(6, 5)", "E0101", "here it is called `conv`", "conv(6, 5)"),
    ("MaxPooling2D(2)", "E0101", "here it is called `maxpool`", "maxpool(2)"),
    ("flatten -> Linear(10)", "E0101", "here it is called `dense`", "flatten -> dense(10)"),
    ("BatchNorm2d", "E0101", "here it is called `bn`", "bn"),
    ("ReLU()", "E0101", "here it is called `relu`", "relu()"),
    ("identity", "E0101", "here it is called `skip`", "skip"),
    ("conv(filters=6, k=5)", "E0104", "here it is called `c`", "conv(c=6, k=5)"),
    ("conv(out_channels=6, k=5)", "E0104", "here it is called `c`", "conv(c=6, k=5)"),
    ("conv(6, kernel_size=5)", "E0104", "here it is called `k`", "conv(6, k=5)"),
    ("conv(6, 5, padding=2)", "E0104", "here it is called `pad`", "conv(6, 5, pad=2)"),
    ("conv(6, 5, strides=2)", "E0104", "here it is called `stride`", "conv(6, 5, stride=2)"),
    ("flatten -> dense(out_features=9)", "E0104", "here it is called `units`", "flatten -> dense(units=9)"),
    ("dropout(p=0.5)", "E0104", "here it is called `rate`", "dropout(rate=0.5)"),
    ("conv(6, 5, in_channels=1)", "E0104", "leave it out", None),
    ("conv(6, 5, activation=relu)", "E0104", "an activation is a step of its own", None),
    ("softmax(dim=1)", "E0104", "`softmax` takes no arguments", None),
    ("relu + tanh", "E0001", "tensors are joined by a merge: `add {", None),
    ("relu * tanh", "E0001", "tensors are joined by a merge: `mul {", None),
    ("conv(6, 5x5).relu", "E0001", "joined by an arrow: `-> relu`", "conv(6, 5x5)-> relu"),
    ("while yes { relu }", "E0001", "`repeat 3 { .. }`", None),
    ("repeat 3 times { relu }", "E0001", "`repeat 3 as i { .. }`", None),
    ("repeat i in 3 { relu }", "E0001", "`repeat 3 as i { .. }`", None),
    ("for i = 0..2 { relu }", "E0001", "`for i in 0..2 { .. }`", None),
    ('conv(6, 5x5, "same")', "E0106", "say which it is: `pad=same`", None),
    ("conv(6, 5x5, pad=valid)", "E0102", "its default is taken", None),
    ("dropout 0.5", "E0001", "arguments stand in brackets: `dropout(0.5)`", "dropout(0.5)"),
]


@pytest.mark.parametrize(("body", "code", "help", "mended"), STEPS, ids=[item[0] for item in STEPS])
def test_a_habit_is_explained_and_mended(body: str, code: str, help: str, mended: str | None) -> None:
    """The fix, where there is one, gives a sound net."""
    first = errors(net(body))[0]
    assert {item.code for item in errors(net(body))} == {code}
    assert help in (first.help or "")
    if mended is None:
        return
    fix, text = first.fix, net(body)
    assert fix is not None
    fixed = text[: fix.span.start] + fix.text + text[fix.span.end :]
    assert fixed.split("\n")[2].split() == mended.split("\n")[0].split()
    assert not errors(net(mended))


FILES = [
    ("[convolutional]\nfilters=6\nsize=5\n\n[maxpool]\nsize=2\n", "a section of Darknet's format", "layers are calls in a net"),
    ("net N:\n  input image[1, 28, 28]\n  conv(6, 5x5)\n", "unexpected `:`", "a body stands in braces: `net N { .. }`"),
    ("model N {\n  input x[3]\n  dense(3)\n}\n", "unexpected `model`", "it is written `net NAME {"),
    ("class N(nn.Module):\n  def forward(self, x):\n    return x\n", "unexpected `class`", "it is written `net NAME {"),
    ("import torch\n" + net("relu"), "unexpected `import`", "it is written `use std.vision: conv_bn`"),
    ("classes = 10\n" + net("relu"), "`classes = ..` is not a declaration", "`let classes = ..`"),
    ("net N {\n  input image(1, 28, 28)\n  relu\n}\n", "unexpected `(`", "`input image[1, 28, 28]`"),
    ("net N {\n  input image: [3, 8, 8]\n  relu\n}\n", "unexpected `:`", "`input image[3, 8, 8]`"),
    ("net N {\n  input image[1x28x28]\n  relu\n}\n", "a dimension needs a number", "separated by commas: `1, 28, 28`"),
    ("net {\n  input x[3]\n  dense(3)\n}\n", "`net` needs a name", "`net NAME {"),
    ("net N {\n  input [1, 28, 28]\n  relu\n}\n", "unexpected `[`", "`input image[1, 28, 28]`"),
]


@pytest.mark.parametrize(("text", "message", "help"), FILES, ids=[item[0].split("\n")[0] for item in FILES])
def test_a_file_in_another_language_gives_one_error(text: str, message: str, help: str) -> None:
    (error,) = errors(text)
    assert message in error.message
    assert help in (error.help or "")


SETTINGS = [
    ("batch_size = 4", "here it is called `batch`"),
    ("num_epochs = 4", "here it is called `epochs`"),
    ("learning_rate = 0.1", "it belongs to the optimizer"),
    ("weight_decay = 1e-4", "it is a regulariser"),
    ("scheduler = cosine", "here it is called `schedule`"),
    ("schedule = CosineAnnealingLR", "here it is called `cosine`"),
    ("augment = RandomHorizontalFlip", "here it is called `hflip`"),
    ('prepare = "normalize"', None),
    ("augment = horizontalflip(0.5)", None),
]


@pytest.mark.parametrize(("setting", "help"), SETTINGS, ids=[item[0] for item in SETTINGS])
def test_settings_from_elsewhere(setting: str, help: str | None) -> None:
    train = f"train N {{ data = mnist5k; loss = cross_entropy; optimizer = sgd(lr=0.1); epochs = 2; {setting} }}"
    (error,) = errors(net("flatten -> dense(10)") + train)
    assert error.code == "E0307"
    assert help is None or help in (error.help or "")


def test_settings_are_given_by_an_equals_sign() -> None:
    text = net("flatten -> dense(10)") + "train N { data = mnist5k; loss: cross_entropy; optimizer = sgd(lr=0.1); epochs = 2 }"
    (error,) = errors(text)
    assert (error.code, error.help) == ("E0001", "a setting is given by `=`: `loss = ..`")
    assert error.fix is not None
    assert not errors(text[: error.fix.span.start] + error.fix.text + text[error.fix.span.end :])


def test_foreign_settings_lead_to_what_there_is() -> None:
    calls = {name for setting in training.SETTINGS.values() for name in (*setting.calls, *setting.later)}
    assert set(elsewhere._SETTINGS.values()) <= set(training.SETTINGS)
    assert set(elsewhere._CALLS.values()) <= calls
    assert not set(elsewhere._SETTINGS) & set(training.SETTINGS)


def test_pictures_with_their_channels_last() -> None:
    (error,) = errors("net N { input x[28, 28, 3]\n conv(6, 5x5) }")
    assert "shapes are [c, h, w]: was `[3, 28, 28]` meant?" in error.notes
    (error,) = errors("net N { input x[3, 4, 3]\n conv(6, 5x5) }")
    assert not any("meant" in note for note in error.notes)


def test_an_error_in_a_loop_says_in_which_pass() -> None:
    (error,) = errors(net("for k in [3, 5, 99] { repeat 2 { conv(4, k) } }"))
    assert "in pass 3 of 3, k = 99" in error.notes
    (error,) = errors("block b(n) { repeat n as j { conv(4, 5x5) } }\n" + net("repeat 3 as i { b(3 * i) }"))
    assert error.notes[1:] == ("in pass 4 of 6, j = 3", "in b(6), called at n.net:4:19, input [4, 16, 16]", "in pass 3 of 3, i = 2")


def test_names_from_elsewhere_lead_to_what_there_is() -> None:
    """No foreign name hides one of ours, and what a library has in two spellings is one."""
    assert all(layer_meant(name, LAYERS) == name for name in LAYERS)
    assert {layer_meant(name, LAYERS) for name in ("Conv2d", "conv_2d", "Convolution", "CONV1D")} == {"conv"}
    assert layer_meant("transformer", LAYERS) is None
    assert argument_meant("alpha", ["slope"]) == "slope"
    assert argument_meant("size", ["units"]) is None
    assert (argument_meant("size", ["n", "k"]), argument_meant("size", ["c", "k"])) == ("n", "k")
    assert instead_of("input_shape") is not None
    assert instead_of("stride") is None
