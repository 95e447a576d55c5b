"""The commands on specs themselves: check, fmt, diff, zoo, new. What each needs is imported when it runs."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from netspec import settings as environment
from netspec.diagnostics import Source, SpecError, UsageError, UserError

if TYPE_CHECKING:
    from netspec.report import Report

FINE, WRONG = 0, 1


def check(given: Namespace) -> int:
    """Check a spec: shapes, parameters, MACs, receptive fields, memory, expectations."""
    if given.fix:
        return _fix(given)
    if given.watch:
        _watch(given)
    return _show(_report(given), given)


def _report(given: Namespace) -> Report:
    from netspec import checking

    return checking.check_file(given.file, dict(given.set), net=given.net, target=given.target, refused=given.fail_if)


def _show(report: Report, given: Namespace) -> int:
    """Print a report as it is asked for; the exit code that it stands for."""
    match given.format:
        case "json":
            print(report.to_json())
        case "concise" | "github":
            if report.diagnostics:
                print(report.to_concise() if given.format == "concise" else report.to_github())
        case "human":
            show_problems(report)
            print(f"{report.source.file}: {report.summary()}")
        case _:
            show_report(report, markdown=given.format == "md")
    return FINE if report.ok and not (given.deny_warnings and report.diagnostics) else WRONG


def show_report(report: Report, *, markdown: bool) -> None:
    """Tables on standard output, diagnostics on standard error, in colour where that is a terminal."""
    if tables := report.to_markdown() if markdown else report.to_text(colour=environment.colour(sys.stdout)):
        print(tables, flush=True)
    show_problems(report)


def show_problems(report: Report) -> None:
    """Diagnostics on standard error, in colour where that is a terminal."""
    if report.diagnostics:
        from netspec.report import highlight

        problems = report.problems()
        print(highlight(problems) if environment.colour(sys.stderr) else problems, file=sys.stderr, flush=True)


def _fix(given: Namespace) -> int:
    """Mend a file as its diagnostics say, and show what was changed and what is left."""
    from netspec import checking, sources
    from netspec.runtime.host import host_target
    from netspec.tools.fixes import mend
    from netspec.tools.formatting import replace

    path = _own_file(given.file, "--fix")
    target = host_target(given.target).name
    done = mend(
        sources.read(path),
        lambda source: checking.check_source(source, dict(given.set), net=given.net, target=target, refused=given.fail_if),
    )
    if done.applied:
        replace(path, done.source.text)
    out = sys.stderr if given.format in ("json", "concise", "github") else sys.stdout
    for item in done.applied:
        print(item, file=out)
    print(f"{path}: {len(done.applied) or 'nothing'} mended, {done.report.summary()} left", file=out, flush=True)
    return _show(done.report, given)


def _own_file(name: str, option: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"`{option}` works on a file, `{name}` is none", "name a path, `net.net`")
    return path


def _watch(given: Namespace) -> None:
    """Check again whenever the file, or what it imports, changes, until Ctrl-C."""
    from netspec.tools.watching import changes

    clear = "\x1b[2J\x1b[H" if environment.colour(sys.stdout) else ""
    imported: list[Path] = []
    for _ in changes(_own_file(given.file, "--watch"), imported):
        print(clear, end="", flush=True)
        try:
            report = _report(given)
        except UserError as error:  # it may be gone, or half written, while an editor saves
            print(f"error: {error}", file=sys.stderr)
            continue
        imported[:] = (Path(source.file) for source in report.imported)
        _show(report, given)
        if given.format in ("table", "md"):
            print(f"{given.file}: {report.summary()}; waiting for changes, Ctrl-C ends", flush=True)


def fmt(given: Namespace) -> int:
    """Bring specs into canonical layout; comments stay, and so does what the text says."""
    from netspec.tools import formatting

    if "-" in given.files:
        print(formatting.reformat(Source("<stdin>", sys.stdin.read()), annotate=given.annotate).after, end="")
        return FINE
    code = FINE
    for path in formatting.files(given.files):
        try:
            changed = formatting.reformat_file(path, annotate=given.annotate, write=not given.check)
        except SpecError as error:
            print(error, file=sys.stderr)
            code = WRONG
            continue
        if changed:
            print(f"{'would reformat' if given.check else 'reformatted'} {path}")
            code = WRONG if given.check else code
    return code


def diff(given: Namespace) -> int:
    """Compare two nets: layers, counts, and which weights of the first load into the second."""
    from netspec.tools.diff import compare
    from netspec.tools.diff_text import to_json, to_text

    found = compare(given.a, given.b)
    print(to_json(found) if given.format == "json" else to_text(found))
    return FINE


def zoo(given: Namespace) -> int:
    """List the nets that come with netspec."""
    from netspec.tools.zoo import to_text

    print(to_text(given.format))
    return FINE


def new(given: Namespace) -> int:
    """Start a project: a spec of your own that begins as a bundled net."""
    from netspec.tools.project import create

    path, nets = create(given.name, given.origin)
    for net in nets:
        print(f"{path}: {net.name}, {net.params:,} parameters, {net.macs:,} MACs")
    print(f"check it:  netspec check {path}")
    if any(net.plan is not None for net in nets):
        print(f"train it:  netspec train {path}")
    return FINE


# ── arguments ────────────────────────────────────────────────────────────────────────────────────


def check_arguments(parser: ArgumentParser) -> None:
    """What `check` takes beside the spec."""
    formats = ("table", "human", "concise", "json", "github", "md")
    parser.add_argument("--format", choices=formats, default="table", help="concise: a line each; github: annotations of a workflow")
    parser.add_argument("--fail-if", action="append", default=[], metavar="CONDITION", help='exit 1 where it is true: "params > 60k"')
    parser.add_argument("--deny-warnings", action="store_true", help="exit 1 for a warning too")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--fix", action="store_true", help="apply the mends that messages offer, and say which")
    again.add_argument("--watch", action="store_true", help="check again whenever the file, or what it imports, changes")


def fmt_arguments(parser: ArgumentParser) -> None:
    """What `fmt` takes."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="specs, folders of specs, or - for standard input")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and name the files that would change")
    parser.add_argument("--annotate", action="store_true", help="write `:: [c, h, w]` behind the statements of nets")


def diff_arguments(parser: ArgumentParser) -> None:
    """What `diff` takes."""
    parser.add_argument("a", metavar="A", help="a spec or a bundled net; `file.net:Net` of a file with several")
    parser.add_argument("b", metavar="B", help="the other one")
    parser.add_argument("--format", choices=("table", "json"), default="table")


def zoo_arguments(parser: ArgumentParser) -> None:
    """What `zoo` takes."""
    parser.add_argument("--format", choices=("table", "json", "md"), default="table")


def new_arguments(parser: ArgumentParser) -> None:
    """What `new` takes."""
    parser.add_argument("name", metavar="NAME", help="the folder to make, or a file, if it ends with .net")
    parser.add_argument("--from", dest="origin", default="LeNet5", metavar="NET", help="the net to begin with; LeNet5 if left out")
