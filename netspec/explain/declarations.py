"""What the settings of a train block take: optimizers, schedules, regularisers, readers, augmentation, from their classes."""

from __future__ import annotations

import inspect

from netspec.explain import arguments
from netspec.layers import LOSSES
from netspec.schema import Schema
from netspec.training import SETTINGS


def _all() -> dict[str, tuple[str, type[Schema]]]:
    """By name: the setting, and the class. Losses are layers, and are explained as such."""
    found: dict[str, tuple[str, type[Schema]]] = {}
    for setting in SETTINGS.values():
        for name, model in setting.calls.items():
            if name not in LOSSES:
                found.setdefault(name, (setting.name, model))
    return found


def names() -> list[str]:
    """What can be called, in the order of the settings."""
    return list(_all())


def find(name: str) -> tuple[str, type[Schema]] | None:
    """The setting that takes this call, and its class."""
    return _all().get(name)


def summary(name: str) -> str:
    """The first sentence of its docstring, after its setting."""
    setting, model = _all()[name]
    first = (inspect.getdoc(model) or "").split("\n")[0].split(". ")[0].rstrip(".")
    return f"{setting}: {first}"


def text(setting: str, model: type[Schema]) -> str:
    """Everything that its class says of it."""
    out = [f"{model.name}: {inspect.getdoc(model) or ''}", "", f"  {setting} = {arguments.signature(model)}"]
    if lines := arguments.table(model):
        out += ["", "arguments", *(f"  {line}" for line in lines)]
    return "\n".join(out)


def setting(name: str) -> str | None:
    """What a setting takes, None for what is none."""
    if (found := SETTINGS.get(name)) is None:
        return None
    out = [f"{name}: a setting of a train block: {_FORMS[found.form]}"]
    takes = [*found.calls, *found.words]
    if takes:
        out += ["", "takes", *(f"  {item}" if item in found.words else f"  {arguments.signature(found.calls[item])}" for item in takes)]
    unbuilt = [word for word in found.words if found.built and word not in found.built]
    later = [*sorted(found.later), *unbuilt]
    if later:
        out += ["", f"in the language, and not built yet: {', '.join(later)}"]
    return "\n".join(out)


_FORMS = {
    "call": "one call",
    "chain": "calls in a row, `a(..) -> b(..)`",
    "list": "a list of calls, `[a(..), b(..)]`",
    "sum": "a sum of terms, `a(..) + 0.3 * b(..)`",
    "whole": "a whole number",
    "word": "a word",
}
