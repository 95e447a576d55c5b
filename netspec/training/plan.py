"""A train block as typed values: what the elaborator makes of it and the training loop runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from fractions import Fraction

from netspec.diagnostics import Diagnostic, Span, nearest
from netspec.records import record
from netspec.training.augmentation import Augmentation
from netspec.training.clipping import Clip
from netspec.training.control import Best, Last, Patience
from netspec.training.declaration import written
from netspec.training.losses import Term
from netspec.training.optimizers import Optimizer
from netspec.training.patterns import Patterns, listed, selected
from netspec.training.preparation import Preparation
from netspec.training.quantity import EPOCHS, Quantity
from netspec.training.rates import Frozen, Times, frozen
from netspec.training.readers import Reader
from netspec.training.regularizers import Regularizer
from netspec.training.schedules import AnyPhase, Plateau, Run, Step, mismatch, rates
from netspec.training.start import Load

NOT_BUILT = "E0310"


@record
class Problem:
    """What is wrong with a plan, and in which setting: the elaborator knows where that stands."""

    code: str
    setting: str
    message: str
    help: str | None = None


@record
class TrainPlan:
    """How a net is trained. Chains and lists are in the order written. Exactly one of `epochs` and `steps` is given.

    `deferred`: what the block uses and this version does not build; the block is refused when it is used, with these.
    `span` and `spans`: where the block and its settings stand.
    A plan with deferred parts may lack what they stand for: its `data`, `loss` or `optimizer` may be None.
    """

    net: str
    alias: str | None = None
    data: Reader | None = None
    augment: tuple[Augmentation, ...] = ()
    eval: tuple[Augmentation, ...] = ()
    prepare: tuple[Preparation, ...] = ()
    loss: tuple[Term, ...] = ()
    optimizer: Optimizer | None = None
    schedule: tuple[AnyPhase, ...] = ()
    regularize: tuple[Regularizer, ...] = ()
    clip: Clip | None = None
    batch: int = 64
    epochs: int | None = None
    steps: int | None = None
    seed: int = 0
    accumulate: int = 1
    precision: str = "f32"
    stop: Patience | None = None
    save: Best | Last | None = None
    rates: tuple[Times | Frozen, ...] = ()
    weights: Load | None = None
    deferred: tuple[Diagnostic, ...] = ()
    span: Span | None = None
    spans: tuple[tuple[str, Span], ...] = ()

    @property
    def name(self) -> str:
        """What `--train` calls it."""
        return self.alias or self.net

    @property
    def accumulates(self) -> bool:
        """Whether the gradients of several batches make one step."""
        return self.accumulate > 1 or (self.optimizer is not None and self.optimizer.whole)

    def batches(self, samples: int) -> int:
        """How many batches make a step, where there are so many samples."""
        whole = self.optimizer is not None and self.optimizer.whole
        return max(1, -(-samples // self.batch)) if whole else self.accumulate

    def steps_per_epoch(self, samples: int) -> int:
        """How many steps so many samples make; the last one may have fewer."""
        return -(-samples // (self.batch * self.batches(samples)))

    def run(self, per_epoch: int) -> Run:
        """The length of the run, where an epoch has `per_epoch` steps."""
        return Run(self.steps if self.steps is not None else (self.epochs or 0) * per_epoch, per_epoch)

    def learning_rates(self, per_epoch: int) -> list[float]:
        """The learning rate of every step of the run."""
        assert self.optimizer is not None
        return rates(self.schedule, self.optimizer.lr, self.run(per_epoch))

    def plateau(self, per_epoch: int) -> tuple[Plateau, int] | None:
        """The phase whose rates depend on what is reached, and its first step; None where the schedule has none."""
        *before, last = self.schedule or (None,)
        if not isinstance(last, Plateau):
            return None
        run = self.run(per_epoch)
        return last, round(sum((run.steps(phase.duration) for phase in before if phase and phase.duration), Fraction(0)))

    def __str__(self) -> str:
        """The block as the language writes it."""
        head = f"train {self.net} as {self.alias} {{" if self.alias else f"train {self.net} {{"
        return "\n".join([head, *(f"  {name} = {text}" for name, text in self._lines()), "}"])

    def _lines(self) -> Iterator[tuple[str, str]]:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in {"net", "alias", "deferred", "span", "spans"} or value in (None, ()):
                continue
            match item.name:
                case "augment" | "eval" | "prepare" | "schedule":
                    yield item.name, " -> ".join(map(str, value))
                case "loss":
                    yield item.name, " + ".join(map(str, value))
                case "precision":
                    yield item.name, value
                case _:
                    yield item.name, written(value)


def problems(plan: TrainPlan, weights: Iterable[str] | None = None, per_epoch: int | None = None) -> Iterator[Problem]:
    """What is wrong with a plan as a whole. `weights`: the net's trainable weights, where known; `per_epoch`: the steps of an epoch."""
    waived = bool(plan.deferred)
    for name in ("data", "loss", "optimizer"):
        if not getattr(plan, name) and not waived:
            yield Problem("E0305", name, f"`train {plan.name}` does not say its `{name}`", f"add `{name} = {_EXAMPLES[name]}`")
    if plan.epochs is None and plan.steps is None:
        yield Problem("E0305", "epochs", f"`train {plan.name}` does not say how long", "add `epochs = 20`")
    if plan.epochs is not None and plan.steps is not None:
        yield Problem("E0305", "steps", "both `epochs` and `steps` say how long to train", "keep one of them")
    elif mend := _schedule_problem(plan, per_epoch):
        yield Problem("E0301", "schedule", *mend)
    yield from _split_problems(plan)
    yield from _optimizer_problems(plan)
    yield from _pattern_problems(plan, list(weights)) if weights is not None else ()


_EXAMPLES = {"data": "mnist5k(val=500)", "loss": "cross_entropy", "optimizer": "sgd(lr=0.05, momentum=0.9)"}


def _schedule_problem(plan: TrainPlan, per_epoch: int | None) -> tuple[str, str] | None:
    if plan.epochs is None and plan.steps is None:
        return None
    counted = _durations(plan)
    epochs = any(isinstance(item, Quantity) and item.unit in EPOCHS for item in counted)
    steps = any(isinstance(item, Quantity) and item.unit not in EPOCHS for item in counted)
    if plan.epochs is not None and not steps:  # the length of an epoch then cancels out: any number tells
        return mismatch(plan.schedule, Run(plan.epochs, 1), "epochs")
    if plan.steps is not None and not epochs:
        return mismatch(plan.schedule, Run(plan.steps, 1), "steps")
    if per_epoch is None:
        return None
    return mismatch(plan.schedule, plan.run(per_epoch), "steps" if plan.epochs is None else "epochs")


def _durations(plan: TrainPlan) -> list[Quantity | float]:
    found: list[Quantity | float] = []
    for phase in plan.schedule:
        if phase.duration is not None:
            found.append(phase.duration)
        if isinstance(phase, Step):
            found += phase.boundaries
    return found


def _optimizer_problems(plan: TrainPlan) -> Iterator[Problem]:
    """What an optimizer that is no part of the compiled step cannot take account of."""
    if plan.optimizer is None or not plan.optimizer.whole:
        return
    for setting in ("augment", "regularize", "clip", "accumulate"):
        if getattr(plan, setting) not in ((), None, 1):
            message = f"`{plan.optimizer.name}` searches along the loss of all samples, which `{setting}` is no part of"
            yield Problem("E0306", setting, message, f"leave `{setting}` out, or take another optimizer")
    if any(isinstance(item, Times) for item in plan.rates):
        message = f"`{plan.optimizer.name}` moves all weights along one line, at one rate"
        yield Problem("E0306", "rates", message, "`frozen` weights stay out of it; for other rates take another optimizer")


def _split_problems(plan: TrainPlan) -> Iterator[Problem]:
    if plan.data is None or plan.data.val is not None:
        return
    watching = (("stop", plan.stop), ("save", plan.save), *(("schedule", phase) for phase in plan.schedule))
    for setting, value in watching:
        if isinstance(value, Patience | Best | Plateau) and value.on.startswith("val."):
            help = f'set some samples aside: `{plan.data.name}(.., val=10%)`, or watch "train.{value.on[4:]}"'
            yield Problem("E0306", setting, f'`{value.name}` watches "{value.on}", but no data is set aside for validation', help)


def _pattern_problems(plan: TrainPlan, weights: list[str]) -> Iterator[Problem]:
    chosen: list[tuple[str, Patterns]] = [("regularize", pattern) for item in plan.regularize for pattern in (item.on, item.except_)]
    chosen += [("rates", pattern) for item in plan.rates for pattern in (item.on, item.except_)]
    if plan.weights is not None:
        chosen.append(("weights", plan.weights.except_))
    told: set[str] = set()
    for setting, patterns in chosen:
        for pattern in listed(patterns):
            if not selected(weights, pattern):
                help = None if setting in told else _nearest_help(pattern, weights)  # the first of a setting is the one that is shown
                told.add(setting)
                yield Problem("E0303", setting, f"pattern `{pattern}` matches no parameter", help)
    if weights and len(frozen(plan.rates, weights)) == len(weights):
        yield Problem("E0306", "rates", "all weights are frozen", "leave some to be trained: `frozen(except=..)`")
    if plan.weights is not None and not plan.weights.path.endswith(".safetensors"):
        help = "convert it: `safetensors.torch.save_file(state_dict, ..)`; a pickle may run any code when it is opened"
        yield Problem("E0401", "weights", f"weights are read from safetensors files, not from `{plan.weights.path}`", help)
    if plan.optimizer is not None and plan.optimizer.whole and any(isinstance(item, Times) for item in plan.rates):
        help = "leave them out, or take an optimizer that has a learning rate"
        yield Problem(
            "E0306", "rates", f"`{plan.optimizer.name}` searches along one direction for all weights: none has a rate of its own", help
        )
    into = plan.weights and plan.weights.into
    if into is not None and not any(name.startswith(f"{into}.") for name in weights):
        help = _nearest_help(into, weights)
        yield Problem("E0303", "weights", f"`into` names `{into}`, under which the net has no parameter", help)


def _nearest_help(pattern: str, weights: list[str]) -> str:
    segments = {".".join(parts[:k]) for parts in (path.split(".") for path in weights) for k in range(1, len(parts) + 1)}
    segments |= {segment for path in weights for segment in path.split(".")}
    close = nearest(pattern, segments, limit=2) or sorted(segments)[:8]
    return "nearest: " + ", ".join(f"`{item}`" for item in close)
