"""Files and nets: what is declared, which nets there are, their parameters, and the run of their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from netspec.diagnostics import Source, Span, SpecError, UsageError, did_you_mean
from netspec.elaborate.aliases import meant, signature, template
from netspec.elaborate.binding import all_words
from netspec.elaborate.blocks import bind_formals
from netspec.elaborate.body import run
from netspec.elaborate.build import Build
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.facts import Library
from netspec.elaborate.limits import MAX_BODIES, MAX_LAYERS, Budget, LimitExceeded
from netspec.elaborate.modules import Files, Module
from netspec.elaborate.naming import Names
from netspec.elaborate.params import check_default, check_setting
from netspec.elaborate.place import Place
from netspec.elaborate.problems import Problems
from netspec.elaborate.scope import Mode, Scope
from netspec.elaborate.symbols import declare, names_of
from netspec.elaborate.values import POISON, Given, Labelled, Poison, Tensor, Value, exact, show
from netspec.sources import Project
from netspec.syntax import tree
from netspec.syntax.parse import parse

Setting = int | float | Fraction | bool | str | tuple["Setting", ...] | list["Setting"]
"""What `--set` and Python give a parameter; a string is read as an expression of the language."""


_AS_WRITTEN = "a value as the language writes it: `64`, `0.5`, `[3, 4]`"
_REMARK: Final = "in the net as it is trained, where `training` is yes"


class Elaborator:
    """A file, with those that it imports, while it is elaborated."""

    def __init__(self, spec: tree.Spec, source: Source, problems: Problems, settings: Mapping[str, Setting]) -> None:
        self.spec, self.problems = spec, problems
        self.library, self.mode = Library(), Mode()
        self.files = Files(Project(source), problems, Budget(), self.mode)
        main = Module(spec, self.files.project.name, self.files)
        self.modules = [main, *(module for module in self.files.modules.values() if module is not None)]
        self.file, self.context, self.top = main.file, main.context, main.top
        self.exhausted = False
        self.where = Span(spec.file, 0, 0, 1, 1)  # the declaration at work, for what exceeds a limit outside of a net's body
        self.only: str | None = None  # the one net that is elaborated
        self.settings: dict[str, Value] = {}
        self.settings = {name: self._setting(name, value) for name, value in settings.items()}
        self.context.settings = self.settings
        self.context.budget.foresee = self._foresee
        self._forget()  # what was evaluated for the settings did not know all of them

    def _forget(self) -> None:
        for module in self.modules:
            module.constants.clear()

    def as_deployed(self) -> None:
        """From here on `training` is no."""
        if self.mode.training:
            self._forget()
        self.mode.training, self.problems.remark = False, ""

    def check_declarations(self) -> None:
        """Report what is wrong with parameters and ops, used or not."""
        for module in self.modules:
            for param in module.params():
                check_default(param, module.top)
            for op in module.file.ops.values():
                try:
                    if op.top is module.top:  # an imported one is of another file
                        op.check()
                except LimitExceeded as limit:
                    self.exhausted = True
                    self.problems.report(limit.code, limit.message, op.item.name.span, help=limit.help)

    def _foresee(self) -> None:
        """Raise LimitExceeded if the nets come to more than the limits, whatever in them is unknown yet."""
        from netspec.elaborate.foresight import Foresight  # few nets are so large

        names = self.concrete() if self.only is None else [self.only]
        found = Foresight(self.mode.training, self.settings).nets(names, self.context)
        if found.layers > MAX_LAYERS or found.bodies > MAX_BODIES:
            message = (
                f"more than {MAX_LAYERS:,} layers" if found.layers > MAX_LAYERS else f"more than {MAX_BODIES:,} passes and calls of blocks"
            )
            raise LimitExceeded("E0504", message, f"loops and blocks come to {found.layers:,} layers, {found.bodies:,} passes and calls")

    # ── settings ─────────────────────────────────────────────────────────────────────────────────

    def _setting(self, name: str, value: Setting) -> Value:
        nets = [net for other in self.file.nets if (net := self.template(other)) is not None]
        formals = {formal.name.text for net in nets for formal in net.formals}
        params = {item.name.text: item for item in self.modules[0].params()}
        sizes = {dim for net in nets for dim in names_of(net.body, self.top)}
        if name not in formals | params.keys() | sizes:
            known = sorted(formals | params.keys() | sizes)
            help = did_you_mean(name, known) or "the file has no parameters"
            raise UsageError(f"no parameter `{name}` in {self.spec.file}", help)
        found = self._read(name, value) if isinstance(value, str) else _exact(value)
        text = value if isinstance(value, str) else show(found)
        if name in params:
            check_setting(params[name], found, text, self.top)
        elif name not in formals and not (isinstance(found, int) and found >= 1):
            raise UsageError(f"`{name}={text}`: `{name}` is a size, a whole number of at least 1", f"as `{name}=224`")
        return found

    def _read(self, name: str, text: str) -> Value:
        place = f"--set {name}"
        try:
            parsed = parse(f"let value = {text}", place)
        except SpecError as error:
            raise UsageError(f"`{name}={text}`: {error.diagnostics[0].message}", _AS_WRITTEN) from None
        match parsed.declarations:
            case (tree.Let(value=expr),):
                value = evaluate(expr, self.top, all_words(None))
            case _:
                value = POISON
        if value is POISON:
            raise UsageError(f"`{name}={text}` is no value", _AS_WRITTEN)
        return value

    # ── nets ─────────────────────────────────────────────────────────────────────────────────────

    def concrete(self) -> list[str]:
        """The nets that are elaborated: all but templates."""
        return [name for name, item in self.file.nets.items() if isinstance(item, tree.Alias) or not self._is_template(item)]

    def _is_template(self, net: tree.Net) -> bool:
        return any(formal.default is None and formal.name.text not in self.settings for formal in net.formals)

    def template(self, name: str) -> tree.Net | None:
        """The net that a name stands for in the end, None when that is nothing."""
        return template(self.file.nets[name], self.context)

    def build(self, name: str, *, training: bool = False) -> tuple[Build, bool] | None:
        """Run the body of a net, as deployed or as it is trained; whether it is free of errors. None when there is nothing to run."""
        self.as_deployed()
        if training:
            self._forget()
            self.mode.training, self.problems.remark = True, _REMARK
        self.mode.asked = False
        item = self.file.nets[name]
        before = self.problems.errors
        found = meant(item, self.context)
        if isinstance(found, Poison) or isinstance(net := found.item, tree.Block):
            return None
        names = [formal.name.text for formal in net.formals]
        given = found.given | {key: Given(value, item.name.span, key) for key, value in self.settings.items() if key in names}
        single = sum(isinstance(part, tree.Input) for part in net.body.items) == 1
        build = Build(name, self.library, self.context.budget, single_input=single)
        scope = Scope(found.home, None, found.frame)
        what = signature(net.name.text, net.formals)
        if not bind_formals(what, net.formals, given, scope, missing_at=item.name.span):
            return None
        build.symbols = declare(net.body, scope)
        try:
            self._run(build, net, scope)
        except LimitExceeded as limit:
            self.exhausted = True
            build.sound = 0  # nobody looks at so many layers
            self.problems.report(limit.code, limit.message, build.where or net.name.span, help=limit.help)
        sound = self.problems.errors == before and build.sound is None  # what is wrong above may be silent here
        if sound and (clash := build.clash()) is not None:
            path, span = clash
            help = "choose another label: this one is also the name of a layer or block here"
            self.problems.report("E0103", f"two steps are named `{path}`", span, help=help)
            sound = False
        return build, sound

    def _run(self, build: Build, net: tree.Net, scope: Scope) -> None:
        names = Names(None)
        value = run(net.body.items, None, Place(build, scope, names, names, level="net"))
        build.labels = scope.labels
        if not any(isinstance(part, tree.Input) for part in net.body.items):
            help = "a net starts with `input image[1, 28, 28]`"
            self.problems.report("E0112", f"net `{build.name}` has no input", net.name.span, help=help)
        elif not build.outputs:
            if value is None:
                help = "end it with a step, or name results with `output`"
                self.problems.report("E0111", f"net `{build.name}` computes nothing", net.name.span, help=help)
            build.outputs["output"] = value


def _exact(value: Setting) -> Value:
    match value:
        case bool() | int() | Fraction() | str():
            return value
        case float():
            return exact(Fraction(repr(value)))
        case _:
            return tuple(_exact(item) for item in value)


def addresses(labels: Mapping[str, Labelled | None]) -> dict[str, int]:
    """Every address that leads to a tensor, with the number of the value: `down`, `down[2]`, `down[2].keep`."""
    found: dict[str, int] = {}
    pending: list[tuple[str, Labelled]] = [(name, label) for name, label in labels.items() if label is not None]
    while pending:
        address, label = pending.pop()
        if isinstance(label.value, Tensor):
            found[address] = label.value.number
        for k, item in enumerate(label.passes):
            if isinstance(item.value, Tensor):
                found[f"{address}[{k}]"] = item.value.number
            pending += [(f"{address}[{k}].{name}", inner) for name, inner in item.labels.items()]
        pending += [(f"{address}.{name}", inner) for name, inner in label.inner.items() if inner is not None]
    return found
