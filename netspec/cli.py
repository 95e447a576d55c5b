"""The command line. Each command is thin: it reads arguments, calls one function, prints what comes back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from netspec.diagnostics import SpecError, UsageError, UserError

if TYPE_CHECKING:
    from netspec.report import Report

FINE, WRONG, USAGE, OURS, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: fine, errors in the net or the data, in the command, in netspec; Ctrl-C."""

app = typer.Typer(
    name="netspec",
    help="Check, train and run neural networks written as short specs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

File = Annotated[str, typer.Argument(metavar="FILE", help="A spec, or the name of a bundled net, e.g. resnet50.", show_default=False)]
Net = Annotated[str | None, typer.Option("--net", help="Only this net of the file.", show_default=False)]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter.", show_default=False)]
TargetName = Annotated[str | None, typer.Option("--target", help="avx512, avx2, neon, plain; this machine's own if left out.")]


@app.callback()
def callback() -> None:
    """Check, train and run neural networks written as short specs."""


@app.command()
def check(
    file: File,
    net: Net = None,
    set: Settings = None,
    format: Annotated[str, typer.Option("--format", help="table, json or md.")] = "table",
    target: TargetName = None,
) -> None:
    """Check a spec: shapes, parameters, MACs, receptive fields, memory, expectations."""
    from netspec import checking

    if format not in ("table", "json", "md"):
        raise typer.BadParameter(f"{format!r} is none of table, json, md", param_hint="--format")
    report = checking.check_file(file, settings_of(set or []), net=net, target=target)
    if format == "json":
        print(report.to_json())
    else:
        show(report, markdown=format == "md")
    raise typer.Exit(FINE if report.ok else WRONG)


def show(report: Report, *, markdown: bool) -> None:
    """Tables on standard output, diagnostics on standard error, in colour where that is a terminal."""
    from rich.console import Console

    from netspec.report import highlight

    if report.nets:
        print(report.to_markdown() if markdown else report.to_text(colour=Console().color_system is not None))
        sys.stdout.flush()
    if report.diagnostics:
        problems = report.problems()
        print(highlight(problems) if Console(stderr=True).color_system else problems, file=sys.stderr)


def settings_of(items: list[str]) -> dict[str, str]:
    """`--set name=value` as a dictionary."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise typer.BadParameter(f"{item!r} is not NAME=VALUE", param_hint="--set")
        found[name.strip()] = value.strip()
    return found


def main() -> NoReturn:
    """Run the command line; the process ends with one of the exit codes above."""
    import gc
    import os

    gc.disable()  # a check is over before a collection would pay; whatever runs longer turns it on again
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for plugins takes longer than the check
    sys.exit(_run())


def _run() -> int:
    from typer._click.exceptions import ClickException  # what typer raises for a mistaken command has no public name

    try:
        code = app(standalone_mode=False)
    except ClickException as error:
        error.show()
        return USAGE
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except SpecError as error:
        print(error, file=sys.stderr)
        return WRONG
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return FINE
    except Exception:
        import traceback

        traceback.print_exc()
        print("\nerror: this is a fault of netspec, not of your spec: please report it with the text above", file=sys.stderr)
        return OURS
    return code if isinstance(code, int) else FINE
