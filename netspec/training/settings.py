"""The settings of a train block: what each takes, what is built, and what the language has but this version does not build yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from netspec.diagnostics import did_you_mean
from netspec.records import record
from netspec.training.augmentation import Hflip, Rotate, Shift, Zoom
from netspec.training.clipping import Clip
from netspec.training.control import Best, Last, Patience
from netspec.training.declaration import Declaration
from netspec.training.elsewhere import call_meant, setting_meant
from netspec.training.losses import Loss
from netspec.training.optimizers import Optimizer
from netspec.training.preparation import Normalize, Pad, Range
from netspec.training.rates import Frozen, Times
from netspec.training.readers import Idx, Mnist5k, Npz
from netspec.training.regularizers import Regularizer
from netspec.training.schedules import Phase, Step
from netspec.training.start import Load

Form = Literal["call", "chain", "list", "sum", "whole", "word"]
"""`a(..)` · `a(..) -> b(..)`, a tuple · `[a(..), ..]`, a tuple, also of a lone call · `a(..) + 2 * b(..)`, a tuple of Term · int · word."""


@record
class Setting:
    """One setting, a field of TrainPlan of the same name.

    `calls`: what may be called, built. `later`: what may be called and is not built. Of a number, `minimum`; of a number or word, `built`:
    the only values that are built, empty for all; `words`: the words there are.
    """

    name: str
    form: Form
    calls: Mapping[str, type[Declaration]] = field(default_factory=dict[str, type[Declaration]])
    later: frozenset[str] = frozenset()
    minimum: int = 0
    words: tuple[str, ...] = ()
    built: tuple[object, ...] = ()

    def unknown(self, word: str) -> tuple[str, str | None]:
        """Message and help for a call or word that the setting does not know."""
        known = self.words or (*self.calls, *self.later)
        meant = call_meant(word)
        help = f"here it is called `{meant}`" if meant in known else did_you_mean(word, known)
        return f"unknown `{word}` for `{self.name}`", help

    def check(self, value: object) -> str | None:
        """Why a number or word will not do, or None. Calls are checked by their declarations."""
        if self.form == "whole" and (not isinstance(value, int) or isinstance(value, bool) or value < self.minimum):
            return f"`{self.name}` is a whole number of at least {self.minimum}, got {value}"
        if self.form == "word" and value not in self.words:
            return f"`{self.name}` is one of {', '.join(self.words)}, got {value}"
        return None

    def is_built(self, value: object) -> bool:
        """Whether a number or word that is well-formed is built."""
        return not self.built or value in self.built


def _calls(*classes: type[Declaration]) -> dict[str, type[Declaration]]:
    return {item.name: item for item in classes}


def _kinds(base: type[Declaration]) -> dict[str, type[Declaration]]:
    """All that a family's file declares."""
    named = {base.name: base} if "name" in vars(base) else {}
    for kind in base.__subclasses__():
        named |= _kinds(kind)
    return named


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ALL = (
    Setting("data", "call", _calls(Mnist5k, Idx, Npz), _words("images cifar10 cifar100 csv sounds")),
    Setting(
        "augment",
        "chain",
        _calls(Shift, Rotate, Zoom, Hflip),
        _words("vflip affine elastic random_crop random_resized_crop color_jitter cutout noise mixup cutmix"),
    ),
    Setting("eval", "chain", {}, _words("resize center_crop")),
    Setting("prepare", "chain", _calls(Pad, Normalize, Range), _words("resize")),
    Setting("loss", "sum", _kinds(Loss)),
    Setting("optimizer", "call", _kinds(Optimizer)),
    Setting("schedule", "chain", {**_kinds(Phase), **_kinds(Step)}),
    Setting("regularize", "list", _kinds(Regularizer)),
    Setting("batch", "whole", minimum=1),
    Setting("epochs", "whole", minimum=1),
    Setting("steps", "whole", minimum=1),
    Setting("seed", "whole"),
    Setting("accumulate", "whole", minimum=1),
    Setting("precision", "word", words=("f32", "bf16", "f16"), built=("f32",)),
    Setting("stop", "call", _calls(Patience)),
    Setting("save", "call", _calls(Best, Last)),
    Setting("clip", "call", _kinds(Clip)),
    Setting("rates", "list", _calls(Times, Frozen)),
    Setting("weights", "call", _calls(Load)),
)

SETTINGS: dict[str, Setting] = {item.name: item for item in _ALL}


def unknown_setting(name: str) -> tuple[str, str | None]:
    """Message and help for a setting that the language does not have."""
    meant, instead = setting_meant(name)
    help = f"here it is called `{meant}`" if meant else instead or did_you_mean(name, tuple(SETTINGS))
    return f"unknown setting `{name}`", help or "known: " + ", ".join(f"`{item}`" for item in SETTINGS)
