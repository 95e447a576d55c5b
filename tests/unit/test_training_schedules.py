"""The rate of every step, beside PyTorch's schedulers; and chains that do not add up."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from netspec.schema import ArgumentError
from netspec.training.quantity import Quantity
from netspec.training.schedules import (
    AnyPhase,
    Constant,
    Cosine,
    Exponential,
    Linear,
    OneCycle,
    Plateau,
    Run,
    Step,
    Warmup,
    mismatch,
    rates,
)


def epochs(count: str) -> Quantity:
    return Quantity(Fraction(count), "epochs")


def steps(count: int) -> Quantity:
    return Quantity(Fraction(count), "steps")


RUN = Run(total=60, per_epoch=6)


def torch_rates(make: Any, peak: float, count: int) -> list[float]:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parity
@pytest.mark.parametrize(
    ("phases", "twin"),
    [
        ((Cosine(to=1e-3),), lambda s, o: s.CosineAnnealingLR(o, T_max=60, eta_min=1e-3)),
        ((Linear(to=0.02),), lambda s, o: s.LinearLR(o, start_factor=1, end_factor=0.1, total_iters=60)),
        ((Warmup(duration=steps(20)), Constant()), lambda s, o: s.LinearLR(o, start_factor=1 / 20, end_factor=1, total_iters=19)),
        ((Exponential(gamma=0.9, every=steps(1)),), lambda s, o: s.ExponentialLR(o, gamma=0.9)),
        ((Exponential(gamma=0.9),), lambda s, o: s.StepLR(o, step_size=6, gamma=0.9)),
        ((OneCycle(),), lambda s, o: s.OneCycleLR(o, max_lr=0.2, total_steps=60, cycle_momentum=False)),
        (
            (OneCycle(rise=0.45, div=10, final_div=100),),
            lambda s, o: s.OneCycleLR(
                o, max_lr=0.2, total_steps=60, pct_start=0.45, div_factor=10, final_div_factor=100, cycle_momentum=False
            ),
        ),
        (
            (Step(boundaries=(epochs("2"), steps(30)), values=(0.2, 0.02, 0.002)),),
            lambda s, o: s.MultiStepLR(o, milestones=[12, 30], gamma=0.1),
        ),
    ],
)
def test_equals_torch(phases: tuple[AnyPhase, ...], twin: Any) -> None:
    np.testing.assert_allclose(rates(phases, 0.2, RUN), torch_rates(twin, 0.2, 60), rtol=1e-9, atol=1e-12)


def test_warmup_then_cosine_meet_at_the_peak() -> None:
    found = rates((Warmup(duration=epochs("2")), Cosine(duration=epochs("8"), to=1e-4)), 0.05, RUN)
    assert len(found) == 60
    assert found[0] == pytest.approx(0.05 / 12)
    assert found[11] == found[12] == 0.05
    assert np.all(np.diff(found[12:]) < 0)
    assert 1e-4 < found[-1] < 2e-4


def test_each_phase_starts_where_the_last_one_ended() -> None:
    chain = (Linear(duration=0.25, to=0.4), Constant(duration=steps(15)), Cosine(duration=0.25, to=0.1), Constant())
    found = rates(chain, 1.0, RUN)
    assert found[0] == 1.0
    assert found[15:31] == [0.4] * 16
    assert found[45:] == [0.1] * 15


def test_an_exponential_chains_from_where_its_last_interval_ended() -> None:
    found = rates((Exponential(gamma=0.5, every=epochs("2"), duration=epochs("5")), Constant()), 1.0, RUN)
    assert found[::6] == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]
    third = rates((Exponential(gamma=0.5, every=Quantity(Fraction(1, 3), "epochs")),), 1.0, Run(10, 10))
    assert third == [1.0] * 4 + [0.5] * 3 + [0.25] * 3


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_cycle_of_a_few_steps(count: int) -> None:
    found = rates((OneCycle(),), 0.2, Run(count, count))
    assert len(found) == count
    assert max(found) <= 0.2


LOSSES = [1.0, 0.8, 0.79999, 0.9, 0.7, 0.71, 0.72, 0.73, 0.74, 0.75, 0.76, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]


@pytest.mark.parity
@pytest.mark.parametrize(
    ("phase", "options"),
    [
        (Plateau(patience=epochs("1")), {"patience": 1}),
        (
            Plateau(factor=0.5, patience=epochs("2"), cooldown=epochs("2"), min=0.04),
            {"factor": 0.5, "patience": 2, "cooldown": 2, "min_lr": 0.04},
        ),
        (Plateau(patience=epochs("1"), on="val.accuracy", threshold=0.05), {"patience": 1, "mode": "max", "threshold": 0.05}),
    ],
)  # fmt: skip
def test_a_plateau_reduces_the_rate_when_pytorch_does(phase: Plateau, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    seen = None
    for value in LOSSES:
        seen = phase.judge(seen, 0.2, value)
        scheduler.step(value)
        assert seen[0] == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
    assert seen is not None
    assert seen[0] < 0.2


def test_nothing_follows_a_plateau() -> None:
    found = mismatch((Plateau(duration=epochs("5")), Constant()), Run(total=90, per_epoch=1), "epochs")
    assert found == ("a phase follows `plateau`, whose last rate is only known when it is reached", "put `plateau` last")


def test_no_schedule_keeps_the_rate() -> None:
    assert rates((), 0.3, Run(4, 2)) == [0.3] * 4


def test_durations_that_are_no_whole_steps_still_add_up() -> None:
    third = Quantity(Fraction(1, 3), "epochs")
    found = rates((Constant(duration=third), Linear(duration=third, to=0.5), Constant()), 1.0, Run(10, 10))
    assert len(found) == 10
    assert found[:4] == [1.0] * 4
    assert found[7:] == [0.5] * 3


def test_step_after_a_warmup_counts_from_the_start_of_the_run() -> None:
    found = rates((Warmup(duration=epochs("1")), Step(boundaries=(epochs("5"),), values=(0.2, 0.1))), 0.2, RUN)
    assert found[6:30] == [0.2] * 24
    assert found[30:] == [0.1] * 30


@pytest.mark.parametrize(
    ("phases", "message", "help"),
    [
        (
            (Warmup(duration=epochs("5")), Cosine(duration=epochs("80"))),
            "schedule covers 85 of 90 epochs",
            "extend `cosine` to 85 epochs, or add `constant(5 epochs)`",
        ),
        (
            (Warmup(duration=epochs("5")), Cosine(duration=epochs("90"))),
            "schedule covers 95 of 90 epochs",
            "shorten `cosine` to 85 epochs, or set `epochs = 95`",
        ),
        ((Warmup(), Cosine()), "`warmup` has no duration, but a phase follows it", "say how long: `warmup(5 epochs)`"),
        (
            (Exponential(gamma=0.5), Constant()),
            "`exponential` has no duration, but a phase follows it",
            "say how long: `exponential(gamma=0.5, duration=5 epochs)`",
        ),
        ((Cosine(to=0.5), Constant()), "`cosine` has no duration, but a phase follows it", "say how long: `cosine(5 epochs, to=0.5)`"),
        (
            (Warmup(duration=epochs("90")), Cosine()),
            "schedule leaves nothing of the 90 epochs for `cosine`",
            "shorten the phases before it",
        ),
        (
            (Warmup(duration=0.5), Linear(duration=0.4)),
            "schedule covers 81 of 90 epochs",
            "extend `linear` to 45 epochs, or add `constant(9 epochs)`",
        ),
        (
            (Step(boundaries=(epochs("30"), epochs("100")), values=(3.0, 2.0, 1.0)),),
            "boundary 100 epochs of `step` is not within the 90 epochs of the run",
            "boundaries rise, count from the start of the run, and lie within it",
        ),
        (
            (Step(boundaries=(epochs("60"), epochs("30")), values=(3.0, 2.0, 1.0)),),
            "boundary 30 epochs of `step` is not after 60 epochs",
            "boundaries rise, count from the start of the run, and lie within it",
        ),
        (
            (Warmup(duration=epochs("10")), Step(boundaries=(epochs("5"),), values=(2.0, 1.0))),
            "boundary 5 epochs of `step` is not after 10 epochs",
            "boundaries rise, count from the start of the run, and lie within it",
        ),
    ],
)
def test_chains_that_do_not_add_up(phases: tuple[AnyPhase, ...], message: str, help: str) -> None:
    run = Run(total=90, per_epoch=1)
    assert mismatch(phases, run, "epochs") == (message, help)
    with pytest.raises(ValueError, match=r"^(schedule|boundary|`\w+` has no duration)"):
        rates(phases, 0.1, run)


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (2, "what does 2 count"),
        (1, "what does 1 count"),
        (Quantity(Fraction(2), "deg"), "epochs or steps, not deg"),
        (Quantity(Fraction(0), "epochs"), "must be positive"),
        (True, "a duration is"),
        ("2 epochs", "a duration is"),
    ],
)
def test_durations_say_what_they_count(duration: object, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        Warmup(duration=duration)


def test_step_needs_one_rate_more_than_boundaries() -> None:
    with pytest.raises(ArgumentError, match="2 boundaries need 3 rates, got 2"):
        Step(boundaries=(epochs("2"), epochs("4")), values=(0.1, 0.01))
