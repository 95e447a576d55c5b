"""Check a spec: from its text to a report. Needs neither numpy nor numba."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec import settings as environment
from netspec import sources
from netspec.diagnostics import Source, SpecError, UsageError, did_you_mean
from netspec.elaborate import Setting, examine
from netspec.lints import lint
from netspec.report import Report
from netspec.runtime.host import host_target
from netspec.schedule.targets import TARGETS
from netspec.syntax.parse import parse


def check(path_or_text: str, *, net: str | None = None, **settings: Setting) -> Report:
    """Check a spec given as a path, a bundled net's name or its text; `settings` set its parameters.

    Errors in the spec are in the report (`report.ok`, `report.diagnostics`). Raises UserError for a file that does not exist, and its
    UsageError for a net or parameter that does not.
    """
    return _check(sources.resolve(path_or_text), settings, net, None)


def check_file(
    file: str,
    settings: Mapping[str, Setting],
    *,
    net: str | None = None,
    target: str | None = None,
    refused: Sequence[str] = (),
) -> Report:
    """Check a path or a bundled net by its name. `refused`: conditions that may not be true of a net, `params > 60k`."""
    return _check(sources.find(file), settings, net, target, refused)


def _check(
    found: sources.Found, settings: Mapping[str, Setting], net: str | None, target: str | None, refused: Sequence[str] = ()
) -> Report:
    if target is not None and target not in TARGETS:
        raise UsageError(f"unknown target `{target}`", did_you_mean(target, list(TARGETS)))
    return check_source(found.source, settings, net=net or found.net, target=host_target(target).name, refused=refused)


def check_source(source: Source, settings: Mapping[str, Setting], *, net: str | None, target: str, refused: Sequence[str] = ()) -> Report:
    """Check a text."""
    threads = environment.threads()
    try:
        spec = parse(source.text, source.file)
    except SpecError as error:
        return Report(source, (), (), error.diagnostics, target, threads)
    done = examine(spec, source, settings, net=net, refused=refused)
    diagnostics = done.diagnostics
    if not done.failed:  # errors come first
        diagnostics = (*diagnostics, *lint(spec, source, done.nets))
    return Report(source, done.nets, done.expectations, diagnostics, target, threads, done.imported)
