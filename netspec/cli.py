"""The command line. Each command is thin: it reads arguments, calls one function, prints what comes back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from netspec import settings as environment
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

Threads = Annotated[int | None, typer.Option("--threads", help="All cores if left out.", min=1, show_default=False)]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, runs/NET/1, or a checkpoint.", show_default=False)]


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
        show_report(report, markdown=format == "md")
    raise typer.Exit(FINE if report.ok else WRONG)


def show_report(report: Report, *, markdown: bool) -> None:
    """Tables on standard output, diagnostics on standard error, in colour where that is a terminal."""
    from netspec.report import highlight

    if tables := report.to_markdown() if markdown else report.to_text(colour=environment.colour(sys.stdout)):
        print(tables, flush=True)
    if report.diagnostics:
        problems = report.problems()
        print(highlight(problems) if environment.colour(sys.stderr) else problems, file=sys.stderr)


@app.command()
def train(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A spec or a bundled net; the bundled LeNet-5 if left out.", show_default=False)
    ] = None,
    net: Net = None,
    set: Settings = None,
    runs: Annotated[Path, typer.Option("--runs", help="Where run folders are made.")] = Path("runs"),
    resume: Annotated[Path | None, typer.Option("--resume", help="A run folder to go on with.", show_default=False)] = None,
    max_epochs: Annotated[int | None, typer.Option("--max-epochs", help="End after so many epochs.", min=1, show_default=False)] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Instead of the spec's.", show_default=False)] = None,
    threads: Threads = None,
    target: TargetName = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only how it ended.")] = False,
) -> None:
    """Train a net as its train block says."""
    from rich.console import Console

    from netspec.model import find_model
    from netspec.progress import ConsoleProgress
    from netspec.trainer.loop import Options, Training
    from netspec.trainer.run import model_of
    from netspec.trainer.signals import Interrupted

    if resume is not None and (file or net or set):
        raise UsageError("a run says itself which net it is of", "leave out FILE, `--net` and `--set` beside `--resume`")
    given = settings_of(set or [])
    chosen = model_of(resume, seed) if resume is not None else find_model(file or "LeNet5", net, given, trained=True, seed=seed)
    options = Options(runs=runs, threads=threads, target=target, max_epochs=max_epochs, resume=resume)
    training = Training(chosen, options, ConsoleProgress(Console(), quiet))
    try:
        training.run()
    except Interrupted as error:
        leave(128 + error.number)
    if training.signal is not None:
        print(f"interrupted; go on with: netspec train --resume {training.folder}")
        raise typer.Exit(128 + training.signal)
    if not quiet:
        print(f"saved in {training.folder}")


def leave(code: int) -> NoReturn:
    """End at once: a thread that computes is not waited for."""
    import os

    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@app.command("eval")
def evaluate(run: RunFolder, threads: Threads = None) -> None:
    """Loss and accuracy of a saved run on its test set."""
    from netspec.trainer.run import open_run

    found = open_run(run)
    loss, accuracy, samples, split = found.evaluate(threads)
    correct = "" if accuracy is None else f", accuracy {accuracy:.2%}"
    print(f"{found.model.name} of {found.file}: {split} loss {loss:.4f}{correct} on {samples:,} samples")


@app.command()
def predict(
    run: RunFolder,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Picture files.", show_default=False)],
    invert: Annotated[bool | None, typer.Option("--invert/--no-invert", help="Swap light and dark; found out if left out.")] = None,
    format: Annotated[str, typer.Option("--format", help="bars or json.")] = "bars",
) -> None:
    """The classes that a saved run sees in pictures."""
    import json

    from rich.console import Console

    from netspec.trainer.run import classify, open_run

    if format not in ("bars", "json"):
        raise typer.BadParameter(f"{format!r} is none of bars, json", param_hint="--format")
    results = classify(open_run(run), images, invert)
    if format == "json":
        print(json.dumps([item.as_json() for item in results], indent=2))
        return
    for item in results:
        Console().print(item.bars())


@app.command()
def show(
    file: File,
    net: Net = None,
    set: Settings = None,
    emit: Annotated[str, typer.Option("--emit", help="ast, graph, optimised, program or source.")] = "graph",
    mode: Annotated[str, typer.Option("--mode", help="infer or train.")] = "infer",
    batch: Annotated[int | None, typer.Option("--batch", min=1, show_default=False)] = None,
    layout: Annotated[str | None, typer.Option("--layout", help="channels or images; chosen if left out.")] = None,
    target: TargetName = None,
) -> None:
    """Print a stage of the compiler."""
    from netspec.model import find_model
    from netspec.show import show as text_of

    for value, known, hint in (
        (emit, _STAGES, "--emit"),
        (mode, ("infer", "train"), "--mode"),
        (layout, (None, "channels", "images"), "--layout"),
    ):
        if value not in known:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(filter(None, known))}", param_hint=hint)
    chosen = find_model(file, net, settings_of(set or []))
    print(text_of(chosen, emit, target=target, mode=mode, batch=batch, layout=layout), end="")  # pyright: ignore[reportArgumentType]


_STAGES = ("ast", "graph", "optimised", "program", "source")


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

    gc.set_threshold(200_000, 20, 100)  # of what a check makes, nearly all lives to its end: collections only look at it
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for plugins takes longer than the check
    code = _run()
    if code == INTERRUPTED:
        leave(code)
    sys.exit(code)


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
