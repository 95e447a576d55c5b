"""The command line. Each command is thin: it takes its arguments, calls one function, prints what comes back.

argparse, because it is there at once: a command-line library would take as long to load as a check takes.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from pathlib import Path
from typing import NoReturn

from netspec import settings as environment
from netspec import spec_commands
from netspec.diagnostics import SpecError, UsageError, UserError

FINE, WRONG, USAGE, OURS, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: fine, errors in the net or the data, in the command, in netspec; Ctrl-C."""
SPEC = "a spec, or the name of a bundled net, e.g. resnet50"


def train(given: Namespace) -> int:
    """Train a net as its train block says; the bundled LeNet-5 if no file is named."""
    from rich.console import Console

    from netspec.model import find_model
    from netspec.progress import ConsoleProgress
    from netspec.trainer.loop import Options, Training
    from netspec.trainer.run import model_of
    from netspec.trainer.signals import Interrupted

    if given.resume is not None:
        if given.file or given.net or given.train or given.set:
            raise UsageError("a run says itself which net it is of", "leave out FILE, `--net`, `--train` and `--set` beside `--resume`")
        chosen = model_of(given.resume, given.seed)
    else:
        file = given.file or "LeNet5"
        chosen = find_model(file, given.net, dict(given.set), trained=True, block=given.train, seed=given.seed)
    options = Options(
        runs=given.runs, threads=given.threads, target=given.target, max_epochs=given.max_epochs, resume=given.resume
    )  # fmt: skip
    training = Training(chosen, options, ConsoleProgress(Console(), given.quiet))
    try:
        training.run()
    except Interrupted as error:
        leave(128 + error.number)
    if training.signal is not None:
        print(f"interrupted; go on with: netspec train --resume {training.folder}")
        return 128 + training.signal
    if not given.quiet:
        print(f"saved in {training.folder}")
    return FINE


def leave(code: int) -> NoReturn:
    """End at once: a thread that computes is not waited for."""
    import os

    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def evaluate(given: Namespace) -> int:
    """Loss and accuracy of a saved run on its test set."""
    from netspec.trainer.run import open_run

    found = open_run(given.run)
    loss, accuracy, samples, split = found.evaluate(given.threads)
    correct = "" if accuracy is None else f", accuracy {accuracy:.2%}"
    print(f"{found.model.name} of {found.file}: {split} loss {loss:.4f}{correct} on {samples:,} samples")
    return FINE


def predict(given: Namespace) -> int:
    """The classes that a saved run sees in pictures."""
    import json

    from rich.console import Console

    from netspec.trainer.run import classify, open_run

    results = classify(open_run(given.run), given.images, given.invert)
    if given.format == "json":
        print(json.dumps([item.as_json() for item in results], indent=2))
        return FINE
    for item in results:
        Console().print(item.bars())
    return FINE


def show(given: Namespace) -> int:
    """Print a stage of the compiler, or a picture of the net."""
    from netspec.model import find_model
    from netspec.show import show as text_of

    chosen = find_model(given.file, given.net, dict(given.set), block=given.train)
    options = {"target": given.target, "mode": given.mode, "batch": given.batch, "layout": given.layout, "unfold": given.unfold}
    print(text_of(chosen, given.emit, **options), end="")
    return FINE


def explain(given: Namespace) -> int:
    """Explain a code, a layer, a setting of a train block, or the numbers of a line; without a topic, list them."""
    from netspec.explain import explain as text_of

    print(text_of(given.topic, dict(given.set), net=given.net))
    return FINE


def bench(given: Namespace) -> int:
    """Time a net beside other libraries: the same weights, each in a process of its own, in turns."""
    import shlex

    from rich.console import Console

    from netspec.bench import results, session
    from netspec.bench.status import Status
    from netspec.model import find_model

    chosen = find_model(given.file, given.net, dict(given.set), trained=given.mode == "train")
    threads = given.threads or environment.threads()
    asked = session.Session(chosen, given.mode, given.batch, given.against, threads, session.Plan(given.pairs), given.target)
    command, cases, status = shlex.join(["netspec", *sys.argv[1:]]), list[results.Case](), Status(Console(stderr=True))
    try:
        for case in asked.cases(status.say):
            status.stop()
            cases.append(case)
            if given.out is not None:  # each time: a long run may be interrupted
                session.write(session.document(cases, asked, command), given.out)
            if given.format == "table":
                print(results.table(case), end="\n\n", flush=True)
    finally:
        status.stop()
    if given.format == "json":
        print(session.as_text(session.document(cases, asked, command)))
    return FINE if all(case.fine for case in cases) else WRONG


def profile(given: Namespace) -> int:
    """Where the time of a net goes: each layer by itself, beside what the machine can do."""
    import json

    from rich.console import Console

    from netspec import profile as profiler
    from netspec.bench.status import Status
    from netspec.model import find_model

    chosen = find_model(given.file, given.net, dict(given.set), trained=given.mode == "train", block=given.train)
    question = profiler.Question(chosen, given.mode, given.batch, given.threads, given.target, given.layout)
    status = Status(Console(stderr=True))
    try:
        found = profiler.profile(question, lambda what: status.say(f"{chosen.name}: {what}"))
    finally:
        status.stop()
    by_time = given.order == "time"
    if given.roofline is not None:
        profiler.write(found, given.roofline)
    print(json.dumps(profiler.as_json(found, by_time), indent=2) if given.format == "json" else profiler.table(found, by_time))
    return FINE


def compile_ahead(given: Namespace) -> int:
    """Fill the cache of compiled code ahead, so that training, evaluation and prediction begin at once."""
    from netspec.ahead import fill, largest_batches
    from netspec.model import find_model

    chosen = find_model(given.file, given.net, dict(given.set), trained=given.mode != "infer", block=given.train)
    if given.max_batch:
        print(largest_batches(chosen, given.mode, given.target, given.layout))
        return FINE
    print(fill(chosen, given.mode, given.batch, given.target, given.layout).text())
    return FINE


def arguments() -> ArgumentParser:
    """Every command with its arguments."""
    parser = ArgumentParser(prog="netspec", description="Check, train and run neural networks written as short specs.", allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    table = (
        ("check", spec_commands.check, _spec, spec_commands.check_arguments),
        ("fmt", spec_commands.fmt, spec_commands.fmt_arguments),
        ("diff", spec_commands.diff, spec_commands.diff_arguments),
        ("zoo", spec_commands.zoo, spec_commands.zoo_arguments),
        ("new", spec_commands.new, spec_commands.new_arguments),
        ("train", train, _spec_or_none, _training),
        ("eval", evaluate, _run_folder, _threads),
        ("predict", predict, _run_folder, _predict),
        ("show", show, _spec, _show),
        ("explain", explain, _explain),
        ("bench", bench, _spec, _bench),
        ("profile", profile, _spec, _profile),
        ("compile", compile_ahead, _spec, _compile),
    )
    for name, function, *parts in table:
        text = function.__doc__
        made = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        made.set_defaults(function=function)
        for part in parts:
            part(made)
    return parser


def _spec(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=SPEC)
    _net(parser)


def _spec_or_none(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help=SPEC)
    _net(parser)


def _net(parser: ArgumentParser) -> None:
    parser.add_argument("--net", metavar="NAME", help="only this net of the file")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="NAME=VALUE", help="set a parameter")
    parser.add_argument("--target", metavar="NAME", help="avx512, avx2, neon, plain, cuda_sm90; this machine's own if left out")


def _predict(parser: ArgumentParser) -> None:
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="picture files")
    parser.add_argument("--invert", action=BooleanOptionalAction, help="swap light and dark; found out if left out")
    parser.add_argument("--format", choices=("bars", "json"), default="bars")


def _training(parser: ArgumentParser) -> None:
    _block(parser)
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="FOLDER", help="where run folders are made")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="a run folder to go on with")
    parser.add_argument("--max-epochs", type=_positive, metavar="N", help="end after so many epochs")
    parser.add_argument("--seed", type=int, metavar="N", help="instead of the spec's")
    parser.add_argument("--quiet", action="store_true", help="only how it ended")
    _threads(parser)


def _show(parser: ArgumentParser) -> None:
    stages = ("ast", "graph", "optimised", "program", "source", "dot", "mermaid", "svg")
    parser.add_argument("--emit", choices=stages, default="graph")
    parser.add_argument("--unfold", action="store_true", help="of a picture: every layer of every block")
    parser.add_argument("--mode", choices=("infer", "train"), default="infer")
    _block(parser)
    _batch(parser)
    _layout(parser)


def _explain(parser: ArgumentParser) -> None:
    parser.add_argument("topic", metavar="TOPIC", nargs="?", help="E0201, conv, cosine, or FILE:LINE, e.g. lenet:6")
    parser.add_argument("--net", metavar="NAME", help="of FILE:LINE, this net of the file")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="NAME=VALUE", help="of FILE:LINE, set a parameter")


def _bench(parser: ArgumentParser) -> None:
    parser.add_argument("--mode", choices=("infer", "train"), default="infer")
    parser.add_argument("--batch", type=_numbers, default=(), metavar="N,..", help="1,8 if left out, 8 for training")
    parser.add_argument("--against", type=_words, default=(), metavar="NAME,..", help="libraries; all that the bench knows if left out")
    parser.add_argument("--pairs", type=_positive, default=9, metavar="N", help="rounds in which each is timed once; 9 if left out")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the JSON form there too")
    _threads(parser)


def _profile(parser: ArgumentParser) -> None:
    parser.add_argument("--mode", choices=("infer", "train"), default="infer")
    _block(parser)
    _batch(parser)
    _layout(parser)
    parser.add_argument("--order", choices=("time", "net"), default="time", help="the slowest first, or as the net has them")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--roofline", type=Path, metavar="FILE.svg", help="draw rates over intensities there")
    _threads(parser)


def _compile(parser: ArgumentParser) -> None:
    parser.add_argument("--mode", choices=("infer", "train", "both"), default="both")
    parser.add_argument("--max-batch", action="store_true", help="compile nothing; say the largest batch that fits into memory")
    _block(parser)
    _batch(parser)
    _layout(parser)


def _block(parser: ArgumentParser) -> None:
    parser.add_argument("--train", metavar="NAME", help="the train block of this name: `train NET as NAME`")


def _batch(parser: ArgumentParser) -> None:
    parser.add_argument("--batch", type=_positive, metavar="N", help="the train block's if left out, else 64")


def _layout(parser: ArgumentParser) -> None:
    parser.add_argument("--layout", choices=("channels", "images"), help="what lies along the lanes; chosen if left out")


def _threads(parser: ArgumentParser) -> None:
    parser.add_argument("--threads", type=_positive, metavar="N", help="all cores if left out")


def _run_folder(parser: ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, runs/NET/1, or a checkpoint")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_positive(item) for item in _words(text))


def _words(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(","))


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name or not value:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def main() -> NoReturn:
    """Run the command line; the process ends with one of the exit codes above."""
    import gc

    gc.set_threshold(200_000, 20, 100)  # of what a check makes, nearly all lives to its end: collections only look at it
    code = _run()
    if code == INTERRUPTED:
        leave(code)
    sys.exit(code)


def _run() -> int:
    given = arguments().parse_args()  # a mistaken command ends here, with USAGE
    try:
        return given.function(given)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except (SpecError, UserError) as error:
        print(error if isinstance(error, SpecError) else f"error: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return FINE
    except Exception:
        import traceback

        traceback.print_exc()
        print("\nerror: this is a fault of netspec, not of your spec: please report it with the text above", file=sys.stderr)
        return OURS
