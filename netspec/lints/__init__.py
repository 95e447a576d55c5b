"""What a spec may say and rarely means: warnings of a check, which leave its exit code alone.

A lint looks at nets without errors. Where a step serves several nets, calls and passes, it is found fault with once; for what is fine in
some of them, a bias that only one call of a block puts before `bn`, a value that only training reads, not at all (`EVERYWHERE`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
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
EVERYWHERE: Final = frozenset({"W0302", "W0304"})


def lint(spec: tree.Spec, source: Source, checked: Sequence[CheckedNet]) -> tuple[Diagnostic, ...]:
    """The warnings of a file without errors, by their place. Those about a file that it imports are told where that is checked."""
    bound = [item for item in checked if not item.symbols]  # what is true of some sizes alone is no warning
    nets = [net for item in bound for net in _modes(item, spec, source)]
    found = [item for net in nets for look in LINTS for item in look(net) if item.span.file == source.file]
    if found:
        found = _once(found, nets)
    return tuple(sorted([*found, *unused_names(spec, source)], key=lambda item: (item.span.file, item.span.start)))


def _modes(checked: CheckedNet, spec: tree.Spec, source: Source) -> Iterator[Net]:
    """A net as it is deployed, and as it is trained, where that is another one."""
    if checked.trained is not None:
        yield Net(checked, None, spec, source)
    yield Net(checked.in_training, checked.plan, spec, source)


def _once(found: Sequence[Diagnostic], nets: Sequence[Net]) -> list[Diagnostic]:
    """Of each place one of its kind, if it is so everywhere where it must be."""
    first: dict[tuple[str, Span], Diagnostic] = {}
    for item in found:
        first.setdefault((item.code, item.span), item)
    times = Counter((item.code, item.span) for item in found)
    steps = Counter(node.span for net in nets for node in net.graph.layers)
    return [item for key, item in first.items() if key[0] not in EVERYWHERE or times[key] >= steps[key[1]]]
