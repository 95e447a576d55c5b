"""Files and nets: what is declared, which nets there are, their parameters, and the run of their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeVar

from netspec.diagnostics import Label, SpecError, UsageError, did_you_mean
from netspec.elaborate.binding import all_words, gather
from netspec.elaborate.blocks import bind_formals, signature
from netspec.elaborate.body import run
from netspec.elaborate.build import Build
from netspec.elaborate.evaluate import evaluate, not_yet
from netspec.elaborate.facts import Library
from netspec.elaborate.limits import Budget, LimitExceeded
from netspec.elaborate.naming import Names
from netspec.elaborate.place import Place
from netspec.elaborate.problems import Frame, Problems
from netspec.elaborate.scope import Context, File, Scope
from netspec.elaborate.values import POISON, Given, Labelled, Poison, Tensor, Value
from netspec.syntax import tree
from netspec.syntax.parse import parse

Setting = int | float | Fraction | bool | str | tuple["Setting", ...] | list["Setting"]
"""What `--set` and Python give a parameter; a string is read as an expression of the language."""


_AS_WRITTEN = "a value as the language writes it: `64`, `0.5`, `[3, 4]`"

Named = TypeVar("Named", bound=tree.Block | tree.Net | tree.Alias | tree.Let | tree.Param)


class Elaborator:
    """One file while it is elaborated."""

    def __init__(self, spec: tree.Spec, problems: Problems, settings: Mapping[str, Setting]) -> None:
        self.spec, self.problems, self.given = spec, problems, settings
        self.file = File()
        self.library = Library()
        self.context = Context(self.file, problems, Budget(), self._constant)
        self.top = Scope(self.context)
        self.exhausted = False
        self.settings: dict[str, Value] = {}
        self._constants: dict[str, Value | None] = {}
        self._collect()
        self.settings = {name: self._setting(name, value) for name, value in settings.items()}
        self.context.settings = self.settings
        self._constants.clear()  # what was evaluated for the settings did not know all of them

    # ── declarations ─────────────────────────────────────────────────────────────────────────────

    def _collect(self) -> None:
        for item in self.spec.declarations:
            match item:
                case tree.Block():
                    self._declare(item.name, self.file.blocks, item)
                case tree.Net() | tree.Alias():
                    self._declare(item.name, self.file.nets, item)
                case tree.Let() | tree.Param():
                    self._declare(item.name, self.file.constants, item)
                    if isinstance(item, tree.Param) and item.type is not None:
                        not_yet("a typed or ranged `param`", item.type, self.top)
                case tree.Op():
                    not_yet("`op`", item.name, self.top)
                    self.file.foreign.add(item.name.text)
                case tree.Use():
                    not_yet("`use`", item, self.top)
                    self.file.foreign.update((part.alias or part.name).text for part in item.imports)
                case tree.Train() | tree.Expect():
                    pass

    def _declare(self, name: tree.Name, table: dict[str, Named], item: Named) -> None:
        if (other := table.get(name.text)) is not None:
            labels = [Label(other.name.span, "first defined here")]
            self.problems.report("E0103", f"`{name.text}` is defined twice", name.span, labels=labels, help="choose another name")
        table.setdefault(name.text, item)

    def _constant(self, name: str) -> Value:
        """A `let` or `param` of the file, evaluated when it is first used: their order does not matter."""
        if name in self._constants:
            if (value := self._constants[name]) is not None:
                return value
            declared = self.file.constants[name]
            return self.problems.report("E0115", f"`{name}` is defined by itself", declared.name.span, help="give it a value of its own")
        self._constants[name] = None
        item = self.file.constants[name]
        chosen = self.settings.get(name) if isinstance(item, tree.Param) else None
        value = evaluate(item.value, self.top, all_words(None)) if chosen is None else chosen
        self._constants[name] = value
        return value

    # ── settings ─────────────────────────────────────────────────────────────────────────────────

    def _setting(self, name: str, value: Setting) -> Value:
        formals = {f.name.text for net in self.file.nets.values() if isinstance(net, tree.Net) for f in net.formals}
        params = {key for key, item in self.file.constants.items() if isinstance(item, tree.Param)}
        if name not in formals | params:
            known = sorted(formals | params)
            help = did_you_mean(name, known) or "the file has no parameters"
            raise UsageError(f"no parameter `{name}` in {self.spec.file}", help)
        return self._read(name, value) if isinstance(value, str) else _exact(value)

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
        """The net that an alias stands for in the end; the net itself if it is no alias. None when that is nothing."""
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            item = self.file.nets.get(name)
            if item is None or isinstance(item, tree.Net):
                return item
            name = item.template.text
        return None

    def build(self, name: str) -> tuple[Build, bool] | None:
        """Run the body of a net; whether it is free of errors. None when there is nothing to run."""
        item = self.file.nets[name]
        before = self.problems.errors
        net = self.template(name)
        if net is None:
            assert isinstance(item, tree.Alias)
            self._no_template(name, item)
            return None
        given, frame = self._arguments(item, net)
        single = sum(isinstance(part, tree.Input) for part in net.body.items) == 1
        build = Build(name, self.library, self.context.budget, single_input=single)
        scope = Scope(self.context, None, frame)
        what = signature(net.name.text, net.formals)
        if isinstance(given, Poison) or not bind_formals(what, net.formals, given, scope, missing_at=item.name.span):
            return None
        try:
            self._run(build, net, scope)
        except LimitExceeded as limit:
            self.exhausted = True
            build.sound = 0  # nobody looks at so many layers
            self.problems.report(limit.code, limit.message, build.where or net.name.span, help=limit.help)
        if self.problems.errors == before and (clash := build.clash()) is not None:
            path, span = clash
            help = "choose another label: this one is also the name of a layer or block here"
            self.problems.report("E0103", f"two steps are named `{path}`", span, help=help)
        return build, self.problems.errors == before

    def _no_template(self, name: str, item: tree.Alias) -> None:
        if item.template.text in self.file.nets:
            self.problems.report("E0115", f"`{name}` leads through aliases to no net", item.template.span, help="one of them must be a net")
            return
        help = did_you_mean(item.template.text, [other for other in self.file.nets if other != name])
        self.problems.report("E0116", f"unknown net `{item.template.text}`", item.template.span, help=help)

    def _arguments(self, item: tree.Net | tree.Alias, net: tree.Net) -> tuple[dict[str, Given] | Poison, Frame | None]:
        """The parameters of a net: what `--set` says, else the alias, else the alias that it is of."""
        names = [formal.name.text for formal in net.formals]
        given: dict[str, Given] = {key: Given(value, item.name.span, key) for key, value in self.settings.items() if key in names}
        frame: Frame | None = None
        while isinstance(item, tree.Alias):
            found = gather(signature(net.name.text, net.formals), (), item.arguments, self.top)
            if isinstance(found, Poison):
                return POISON, None
            frame = frame or Frame(net.name.text, tuple(found.values()), item.span, of_net=True)
            given = found | given
            item = self.file.nets[item.template.text]
        return given, frame

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
            return Fraction(repr(value))
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
