"""Which of a file's nets, and which of its train blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netspec.diagnostics import UserError, did_you_mean
from netspec.elaborate.results import CheckedNet, Elaborated


def chosen(found: Elaborated, *, named: bool, trained: bool, block: str | None) -> CheckedNet:
    """The only net there is to choose, with the train block that is meant.

    `named`: the file was elaborated for one net alone. `trained`: where it was not, a net with a train block is preferred, and one of its
    blocks must be meant: that without a name, the only one, or the one named `block`. Raises UserError with the candidates.
    """
    file, nets = found.source.file, found.nets
    if block is not None:
        nets = _with_block(nets, block, file)
    planned = tuple(item for item in nets if item.plan is not None)
    candidates = planned if trained and not named and planned else nets
    match candidates:
        case (net,):
            pass
        case ():
            raise UserError(f"{file} has no net to compile", "a net whose parameters all have values: `net B = A(depth=3)`")
        case _:
            what = "several nets have a `train` block" if trained and planned else "it has several nets"
            raise UserError(f"{file}: {what}", f"choose one with `--net`: {', '.join(item.name for item in candidates)}")
    if trained and block is None and len(net.plans) > 1 and net.plans[0].alias is not None:
        names = ", ".join(plan.name for plan in net.plans)
        raise UserError(f"{file}: {net.name} has several `train` blocks", f"choose one with `--train`: {names}")
    return net


def _with_block(nets: Sequence[CheckedNet], block: str, file: str) -> tuple[CheckedNet, ...]:
    """The nets that have a train block of this name, with it."""
    found = tuple(replace(net, plan=plan) for net in nets for plan in net.plans if plan.alias == block)
    if not found:
        known = list(dict.fromkeys(plan.alias for net in nets for plan in net.plans if plan.alias))
        raise UserError(f"{file}: no `train` block is named `{block}`", did_you_mean(block, known))
    return found
