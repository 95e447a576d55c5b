"""Files: what each declares, and what it imports. A block that is imported sees the names of its own file, not those of its user's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from netspec.diagnostics import Fix, Label, Source, Span, SpecError, UserError, nearest
from netspec.elaborate.binding import all_words
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.limits import MAX_IMPORT_DEPTH, MAX_IMPORTED, MAX_IMPORTED_TEXT, MAX_NESTED, Budget
from netspec.elaborate.problems import Problems
from netspec.elaborate.scope import Context, File, Importable, Imported, Mode, Scope
from netspec.elaborate.values import Value
from netspec.layers import LAYERS
from netspec.sources import Project
from netspec.syntax import tree
from netspec.syntax.nesting import depth
from netspec.syntax.parse import parse

if TYPE_CHECKING:
    from netspec.elaborate.ops import Op

Namespace = Literal["step", "value"]
_TAKEN: Final[dict[Namespace, frozenset[str]]] = {
    "step": frozenset({*LAYERS, "skip", "share"}),
    "value": frozenset({"training"}),
}
"""Names of the language itself."""


class Module:
    """A file while it is elaborated."""

    def __init__(self, spec: tree.Spec, key: str, files: Files) -> None:
        self.spec, self.key, self.files = spec, key, files
        self.file = File()
        self.context = Context(self.file, files.problems, files.budget, self._constant, files.mode)
        self.top = Scope(self.context)
        self.constants: dict[str, Value | None] = {}
        self.asking: set[str] = set()  # constants whose value depends on `training`
        self._claimed: dict[tuple[Namespace, str], Span] = {}
        for item in spec.declarations:
            self._declare(item)

    def _declare(self, item: tree.Declaration) -> None:
        match item:
            case tree.Block() if self._claim("step", item.name):
                self.file.blocks[item.name.text] = item
            case tree.Net() | tree.Alias() if self._claim("step", item.name):
                self.file.nets[item.name.text] = item
            case tree.Let() | tree.Param() if self._claim("value", item.name):
                self.file.constants[item.name.text] = item
            case tree.Op() if self._claim("step", item.name):
                from netspec.elaborate.ops import Op  # most files have none

                self.file.ops[item.name.text] = Op(item, self.top)
            case tree.Use():
                self._use(item)
            case _:
                pass

    def _claim(self, space: Namespace, name: tree.Name) -> bool:
        """Whether a name is free; one that is not is reported."""
        other = self._claimed.setdefault((space, name.text), name.span)
        if other is not name.span:
            message, labels = f"`{name.text}` is defined twice", [Label(other, "first defined here")]
        elif name.text in _TAKEN[space]:
            message, labels = f"`{name.text}` is a name of the language", []
        else:
            return True
        self.context.problems.report("E0103", message, name.span, labels=labels, help="choose another name")
        return False

    def params(self) -> Iterator[tree.Param]:
        """The parameters that this file declares."""
        own = (item for name, item in self.file.constants.items() if name not in self.file.borrowed)
        return (item for item in own if isinstance(item, tree.Param))

    def _constant(self, name: str) -> Value:
        """A `let` or `param` of the file, evaluated when it is first used: their order does not matter."""
        if (borrowed := self.file.borrowed.get(name)) is not None:
            return borrowed.home.constant(borrowed.item.name.text)
        mode = self.context.mode
        if name in self.constants:
            mode.asked = mode.asked or name in self.asking
            if (value := self.constants[name]) is not None:
                return value
            declared = self.file.constants[name]
            return self.context.problems.report(
                "E0115", f"`{name}` is defined by itself", declared.name.span, help="give it a value of its own"
            )
        self.constants[name] = None
        item = self.file.constants[name]
        before, mode.asked = mode.asked, False
        chosen = self.context.settings.get(name) if isinstance(item, tree.Param) else None
        value = self._evaluated(item) if chosen is None else chosen
        self.constants[name] = value
        if mode.asked:
            self.asking.add(name)
        mode.asked = mode.asked or before
        return value

    def _evaluated(self, item: tree.Let | tree.Param) -> Value:
        files, deep = self.files, 1 + depth(item.value)
        files.deep += deep
        try:
            if files.deep > MAX_NESTED:
                message = f"values are defined by each other more than {MAX_NESTED} deep, operators and brackets counted"
                return self.context.problems.report("E0503", message, item.name.span, help="build a list and index it")
            return evaluate(item.value, self.top, all_words(None))
        finally:
            files.deep -= deep

    # ── imports ──────────────────────────────────────────────────────────────────────────────────

    def _use(self, item: tree.Use) -> None:
        module = self.files.imported(item, self)
        for part in item.imports:
            name = part.alias or part.name
            found = None if module is None else module.offered(part.name, self)
            if found is None or module is None:
                self.file.foreign.add(name.text)  # what it was to be has been reported
            elif isinstance(found, tree.Let | tree.Param):
                if self._claim("value", name):
                    self.file.constants[name.text] = found
                    self.file.borrowed[name.text] = Imported(module.context, found)
            elif not self._claim("step", name):
                continue
            elif isinstance(found, tree.Block | tree.Net | tree.Alias):
                self.file.imports[name.text] = Imported(module.context, found)
            else:
                self.file.ops[name.text] = found

    def offered(self, name: tree.Name, user: Module) -> Importable | Op | None:
        """What this file declares under a name; what it does not is reported to the file that asks for it."""
        file = self.file
        own: dict[str, Importable | Op] = {**file.constants, **file.nets, **file.blocks}
        own |= {key: op for key, op in file.ops.items() if op.top is self.top}
        own = {key: item for key, item in own.items() if key not in file.borrowed}
        if (found := own.get(name.text)) is not None:
            return found
        close = nearest(name.text, own)
        help = f"did you mean `{close[0]}`?" if close else f"it has {', '.join(own)}" if 0 < len(own) <= 16 else None
        if name.text in file.imports or name.text in file.borrowed:
            help = "that file imports it itself: import it from where it is declared"
        fix = Fix(name.span, close[0]) if close else None
        if name.text not in file.foreign:
            user.context.problems.report("E0123", f"{self.key} has no `{name.text}`", name.span, help=help, fix=fix)
        return None


@dataclass
class Files:
    """The files of a net: each is read once. `project` says what may be read."""

    project: Project
    problems: Problems
    budget: Budget
    mode: Mode

    def __post_init__(self) -> None:
        self.modules: dict[str, Module | None] = {}
        self.open: list[str] = [self.project.name]
        self.read: dict[str, Source] = {}
        self.full = False
        self.deep = 0  # constants that are being evaluated, each for the one before, and what is nested in them

    def imported(self, use: tree.Use, user: Module) -> Module | None:
        """The file that a `use` names; None when it cannot be used, which has been reported where that is."""
        where = use.path.span if use.path is not None else use.module[0].span.to(use.module[-1].span)
        if self.full:
            return None
        try:
            key = self._key(use, user)
            if key in self.open:
                circle = " -> ".join([*self.open[self.open.index(key) :], key])
                help = "move what both need into a file of its own"
                self.problems.report("E0122", f"imports lead in a circle: {circle}", where, help=help)
                return None
            if key not in self.modules:
                self.modules[key] = None
                self.modules[key] = self._module(key, where)
            return self.modules[key]
        except UserError as error:
            self.problems.report("E0121", error.message, where, help=error.help)
            return None

    def _key(self, use: tree.Use, user: Module) -> str:
        if use.path is not None:
            return self.project.relative(use.path.text, user.key)
        return self.project.library(tuple(name.text for name in use.module))

    def _module(self, key: str, where: Span) -> Module | None:
        """Read a file and what it imports. Raises UserError where it cannot be read."""
        source = self.project.open(key)
        if (exceeded := self._exceeded(key, source)) is not None:
            self.full = True
            self.problems.report("E0507", exceeded, where)
            return None
        self.read[key] = source
        self.problems.add_source(source)
        self.open.append(key)
        try:
            return Module(parse(source.text, source.file), key, self)
        except SpecError as error:
            self.problems.add(error.diagnostics)
            return None
        finally:
            self.open.pop()

    def _exceeded(self, key: str, source: Source) -> str | None:
        """Which limit one more file would exceed."""
        if len(self.read) == MAX_IMPORTED:
            return f"more than {MAX_IMPORTED} files are imported: `{key}` is one too many"
        if len(self.open) > MAX_IMPORT_DEPTH:
            return f"files import each other more than {MAX_IMPORT_DEPTH} deep"
        size = len(source.text) + sum(len(item.text) for item in self.read.values())
        return f"the imported files hold more than {MAX_IMPORTED_TEXT:,} characters" if size > MAX_IMPORTED_TEXT else None

    @property
    def carried(self) -> tuple[tuple[str, str], ...]:
        """The texts of all that was imported, by key: what a saved run takes along."""
        return tuple((key, source.text) for key, source in self.read.items())
