"""What a spec may say and rarely means: warnings of a check, which leave its exit code alone.

A lint looks at nets without errors. Where a step serves several nets, calls and passes, it is found fault with once; for what is fine in
some of them, a bias that only one call of a block puts before `bn`, not at all (`EVERYWHERE`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netspec.diagnostics import Diagnostic, Source, Span
from netspec.elaborate.results import CheckedNet
from netspec.lints.names import unused_names
from netspec.lints.net import Net
from netspec.lints.undone import bias_before_norm, probabilities_before_loss
from netspec.lints.unread import unread_inputs, unread_values
from netspec.lints.windows import uneven_padding, unread_rows
from netspec.syntax import tree

LINTS: Final = (unread_rows, uneven_padding, unread_values, unread_inputs, bias_before_norm, probabilities_before_loss)
EVERYWHERE: Final = frozenset({"W0302", "W0304", "W0305"})


def lint(spec: tree.Spec, source: Source, nets: Sequence[CheckedNet]) -> tuple[Diagnostic, ...]:
    """The warnings of a file without errors, by their place."""
    found: dict[tuple[str, Span], Diagnostic] = {}
    fine: set[tuple[str, Span]] = set()
    for net in (Net.of(checked, spec, source) for checked in nets):
        for look in LINTS:
            for code, span, problem in look(net):
                if problem is None:
                    fine.add((code, span))
                else:
                    found.setdefault((code, span), problem)
    kept = [item for key, item in found.items() if key not in fine or key[0] not in EVERYWHERE]
    return tuple(sorted([*kept, *unused_names(spec, source)], key=lambda item: (item.span.file, item.span.start)))
