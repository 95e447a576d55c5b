"""Train blocks as values: arguments, patterns, what is wrong with a plan as a whole, and how it is written."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import pytest

from netspec.diagnostics import Diagnostic, Span
from netspec.graph.types import ShapeError
from netspec.schema import ArgumentError
from netspec.training import NOT_BUILT, SETTINGS, Problem, Quantity, Term, TrainPlan, problems, unknown_setting
from netspec.training.augmentation import Hflip, Move, Rotate, Shift, Zoom
from netspec.training.control import Best, Patience
from netspec.training.losses import CrossEntropy, Mse
from netspec.training.optimizers import Sgd
from netspec.training.patterns import matches, selected
from netspec.training.preparation import Normalize, Pad, Range, prepared
from netspec.training.readers import Idx, Mnist5k, Npz
from netspec.training.regularizers import L1, L2
from netspec.training.schedules import Cosine, Warmup


def epochs(count: int) -> Quantity:
    return Quantity(Fraction(count), "epochs")


LENET = TrainPlan(
    "LeNet5",
    data=Mnist5k(val=500),
    augment=(Shift(pixels=2), Rotate(angle=Quantity(Fraction(10), "deg"))),
    prepare=(Normalize(mean=0.1307, std=0.3081),),
    loss=(Term(1, CrossEntropy(label_smoothing=0.05)),),
    optimizer=Sgd(lr=0.05, momentum=0.9, nesterov=True),
    schedule=(Warmup(duration=epochs(2)), Cosine(duration=epochs(18), to=1e-4)),
    regularize=(L2(amount=5e-4, on="weight"), L1(amount=1e-6, on=("f5.weight",), except_="bias")),
    epochs=20,
    seed=7,
    stop=Patience(epochs=epochs(5)),
    save=Best(),
)
WEIGHTS = ["c1.weight", "c1.bias", "f5.weight", "f5.bias"]


def changed(**changes: object) -> TrainPlan:
    values = {name: getattr(LENET, name) for name in LENET.__dataclass_fields__} | changes
    return TrainPlan(**values)


def codes(plan: TrainPlan, per_epoch: int | None = None) -> list[tuple[str, str]]:
    return [(item.code, item.setting) for item in problems(plan, ["c1.weight", "c1.bias", "f5.weight", "f5.bias"], per_epoch)]


def test_a_plan_is_written_as_the_language_writes_it() -> None:
    assert (
        str(LENET)
        == """train LeNet5 {
  data = mnist5k(val=500)
  augment = shift(pixels=2) -> rotate(angle=10)
  prepare = normalize(mean=0.1307, std=0.3081)
  loss = cross_entropy(label_smoothing=0.05)
  optimizer = sgd(lr=0.05, momentum=0.9, nesterov=yes)
  schedule = warmup(duration=2 epochs) -> cosine(duration=18 epochs, to=0.0001)
  regularize = [l2(amount=0.0005, on="weight"), l1(amount=1e-6, on=["f5.weight"], except="bias")]
  batch = 64
  epochs = 20
  seed = 7
  accumulate = 1
  precision = f32
  stop = patience(epochs=5 epochs)
  save = best
}"""
    )


def test_a_sound_plan_has_no_problems_and_can_be_hashed() -> None:
    assert codes(LENET, 71) == []
    assert len({LENET, changed()}) == 1
    assert len(LENET.learning_rates(71)) == 1420


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (changed(data=None, save=None, stop=None), [("E0305", "data")]),
        (changed(loss=()), [("E0305", "loss")]),
        (changed(optimizer=None), [("E0305", "optimizer")]),
        (changed(epochs=None), [("E0305", "epochs")]),
        (changed(steps=100), [("E0305", "steps")]),
        (changed(epochs=30), [("E0301", "schedule")]),
        (changed(data=Mnist5k()), [("E0306", "stop"), ("E0306", "save")]),
        (changed(data=Mnist5k(), stop=None, save=Best(on="train.loss")), []),
        (changed(regularize=(L2(amount=1, on="f9.weight"),)), [("E0303", "regularize")]),
        (changed(regularize=(L2(amount=1, except_=("bias", "bn")),)), [("E0303", "regularize")]),
    ],
)
def test_problems_of_the_whole(plan: TrainPlan, expected: list[tuple[str, str]]) -> None:
    assert codes(plan) == expected


def test_the_nearest_weight_is_offered() -> None:
    (problem,) = problems(changed(regularize=(L2(amount=1, on="f9.weight"),)), WEIGHTS)
    assert problem == Problem("E0303", "regularize", "pattern `f9.weight` matches no parameter", "nearest: `f5.weight`, `c1.weight`")


def test_durations_in_steps_are_judged_when_an_epoch_is_known() -> None:
    plan = changed(schedule=(Warmup(duration=Quantity(Fraction(142), "steps")), Cosine(duration=epochs(17))))
    assert codes(plan) == []
    assert codes(plan, 142) == [("E0301", "schedule")]
    assert codes(plan, 71) == [("E0301", "schedule")]
    (problem,) = (item for item in problems(plan, None, 71) if item.code == "E0301")
    assert problem.message == "schedule covers 19 of 20 epochs"


def test_what_is_not_built_excuses_what_it_stands_for() -> None:
    later = Diagnostic(NOT_BUILT, "`images` is not built yet", Span("a.net", 0, 1, 1, 1))
    assert codes(changed(data=None, stop=None, save=None, deferred=(later,))) == []


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("weight", "c1.weight", True),
        ("weight", "c1.weights", False),
        ("c1.bias", "c1.bias", True),
        ("c1.bias", "c1.bn.bias", False),
        ("stage.0", "stage.0.conv.weight", True),
        ("stage.0", "stage.00.weight", False),
        ("bn", "c1.bn.0.scale", True),
        ("*.bias", "c1.bias", True),
        ("*.bias", "bias", False),
        ("head.*", "head.conv.0.weight", True),
        ("c*.weight", "c1.weight", True),
        ("c*.weight", "c1.bn.weight", False),
        ("*", "anything.at.all", True),
        ("f.", "f5.weight", False),
        ("f[5]", "f5", False),
    ],
)
def test_patterns_are_segments_in_a_row(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


def test_selection_keeps_the_order_of_the_weights() -> None:
    assert selected(WEIGHTS) == WEIGHTS
    assert selected(WEIGHTS, ("f5", "bias")) == ["c1.bias", "f5.weight", "f5.bias"]
    assert selected(WEIGHTS, "weight", "c1") == ["f5.weight"]


@pytest.mark.parametrize(
    ("step", "move"),
    [
        (Shift(pixels=1.5), Move(shift=1.5)),
        (Rotate(angle=180), Move(angle=3.141592653589793)),
        (Zoom(factor=0.25), Move(smallest=0.75, largest=1.25)),
        (Zoom(factor=(0.8, 1.25)), Move(smallest=0.8, largest=1.25)),
        (Hflip(), Move(flip=0.5)),
    ],
)
def test_every_augmentation_is_one_move(step: Shift | Rotate | Zoom | Hflip, move: Move) -> None:
    assert step.move() == move


@pytest.mark.parametrize("factor", [0, -0.5, 1.2, (1.2, 0.8), (0.0, 1.0), "big", (1, 2, 3)])
def test_zoom_refuses_what_is_no_range_of_factors(factor: object) -> None:
    with pytest.raises(ArgumentError, match="zoom takes a share"):
        Zoom(factor=factor)


def test_preparation_is_one_affine_map_inside_rings() -> None:
    found = prepared((Pad(pixels=1), Range(low=-1, high=3), Pad(pixels=2), Normalize(mean=(1.0, 2.0), std=(2.0, 4.0))), (2, 5, 6))
    assert found.shape == (2, 11, 12)
    assert found.pad == 3
    assert found.scale == (2.0, 1.0)
    assert found.offset == (-1.0, -0.75)
    assert found.rings == ((1, (-1.0, -0.75)), (2, (-0.5, -0.5)))


def test_preparation_refuses_other_shapes() -> None:
    with pytest.raises(ShapeError, match=r"`normalize` lists 3 channels, the data has 1"):
        prepared((Normalize(mean=(1.0, 2.0, 3.0), std=1.0),), (1, 28, 28))
    with pytest.raises(ShapeError, match=r"`pad` needs pictures \[c, h, w\], the data has \[784\]"):
        prepared((Pad(pixels=2),), (784,))
    with pytest.raises(ArgumentError, match="rises from its first number"):
        Range(low=1, high=-1)


@pytest.mark.parametrize("val", [0, -1, 1.0, 0.0, True, "10%"])
def test_val_is_a_number_or_a_share(val: object) -> None:
    with pytest.raises(ArgumentError, match="val is a number of samples"):
        Mnist5k(val=val)


def test_positional_order_and_open_keywords() -> None:
    assert tuple(Idx.arguments()) == ("folder", "val")
    assert tuple(Npz.arguments()) == ("path", "val")
    assert tuple(L1.arguments()) == ("amount", "on", "except")
    assert tuple(Cosine.arguments()) == ("duration", "to")
    assert tuple(CrossEntropy.arguments()) == ("output", "target", "label_smoothing", "class_weights")
    assert Npz.rest() is not None and Idx.rest() is None
    reader = Npz(path="a.npz", image="x", y="mask")
    assert reader.fields == {"image": "x", "y": "mask"}
    assert str(reader) == 'npz(path="a.npz", image="x", y="mask")'
    with pytest.raises(ArgumentError, match="`image` must be a string"):
        Npz(path="a.npz", image=3)


def test_losses_give_their_layer_its_options() -> None:
    assert CrossEntropy(output="main", label_smoothing=0.1).options() == {"label_smoothing": 0.1}
    assert Mse(target="image").options() == {}
    assert str(Term(0.3, Mse(output="a"))) == '0.3 * mse(output="a")'


def test_settings_are_the_fields_of_the_plan() -> None:
    fields = set(TrainPlan.__dataclass_fields__) - {"net", "alias", "deferred", "span", "spans"}
    assert set(SETTINGS) == fields
    for setting in SETTINGS.values():
        assert setting.later.isdisjoint(setting.calls)
        assert all(name == item.name and item.__doc__ for name, item in setting.calls.items())


def test_settings_know_what_is_meant() -> None:
    assert unknown_setting("optimiser") == ("unknown setting `optimiser`", "did you mean `optimizer`?")
    assert SETTINGS["optimizer"].unknown("adma") == ("unknown `adma` for `optimizer`", "did you mean `adam`?")
    assert SETTINGS["augment"].unknown("random_crp")[1] == "did you mean `random_crop`?"
    assert SETTINGS["precision"].unknown("f23")[1] == "did you mean `f32`?"
    assert SETTINGS["batch"].check(0) == "`batch` is a whole number of at least 1, got 0"
    assert SETTINGS["batch"].check(64) is None
    assert SETTINGS["seed"].check(True) is not None
    assert SETTINGS["precision"].is_built("f32") and not SETTINGS["precision"].is_built("bf16")


def test_declarations_need_no_numpy() -> None:
    code = "import sys, netspec.training; assert 'numpy' not in sys.modules and 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
