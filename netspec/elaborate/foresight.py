"""How many layers and bodies a net comes to at least, counted in its text: what grows exponentially is refused before it is run.

The count is a lower bound. It evaluates what depends on parameters and constants alone; what depends on tensors is unknown, and of an `if`
that is not decided the smaller part counts. Each block is counted once for the arguments that it is called with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from netspec.diagnostics import Severity, Source
from netspec.elaborate.aliases import Declared, Meant, meant, signature
from netspec.elaborate.binding import all_words
from netspec.elaborate.evaluate import evaluate
from netspec.elaborate.limits import MAX_DEPTH, MAX_LAYERS, Budget, LimitExceeded
from netspec.elaborate.problems import Key, Problems
from netspec.elaborate.scope import Context, Mode, Scope
from netspec.elaborate.values import POISON, Callable, Given, Poison, Value
from netspec.syntax import tree

_MOST_COUNTED: Final = 2_000
"""Bodies that are looked at, each with other arguments: 50 ms."""
_SATURATED: Final = 10**18


class Count(NamedTuple):
    """So many layers, and so many passes of loops and calls of blocks."""

    layers: int = 0
    bodies: int = 0

    def and_(self, other: Count) -> Count:
        """One after the other."""
        return Count(min(self.layers + other.layers, _SATURATED), min(self.bodies + other.bodies, _SATURATED))

    def times(self, passes: int) -> Count:
        """So many passes."""
        return Count(min(self.layers * passes, _SATURATED), min((self.bodies + 1) * passes, _SATURATED))

    def or_(self, other: Count) -> Count:
        """One of the two, nobody knows which."""
        return Count(min(self.layers, other.layers), min(self.bodies, other.bodies))


_NOTHING: Final = Count()


class _Silent(Problems):
    """What is wrong is found again when the net is run."""

    def _is_new(self, key: Key, severity: Severity) -> bool:
        return False


class _Constants:
    """The constants of a file, by name; one that needs itself, or a setting that is not known yet, is unknown."""

    def __init__(self, of: Context, settings: Mapping[str, Value]) -> None:
        self.of, self.settings = of, settings
        self.scope: Scope | None = None
        self._values: dict[str, Value] = {}
        self._open = 0

    def __call__(self, name: str) -> Value:
        """Its value, POISON where that is unknown."""
        if name in self._values or self._open == MAX_DEPTH or self.scope is None:
            return self._values.get(name, POISON)
        self._values[name] = POISON
        self._open += 1
        item = self.of.file.constants[name]
        given = self.settings.get(name) if isinstance(item, tree.Param) else None
        self._values[name] = found = evaluate(item.value, self.scope, all_words(None)) if given is None else given
        self._open -= 1
        return found


class Foresight:
    """Counts the nets of a file. What is wrong with it is not reported here: it is unknown."""

    def __init__(self, training: bool, settings: Mapping[str, Value]) -> None:
        self._mode, self._settings = Mode(training), settings
        self._problems = _Silent(Source("", ""))
        self._budget = Budget()
        self._contexts: dict[int, tuple[Context, Context]] = {}
        self._known: dict[tuple[object, ...], tuple[Count, Scope]] = {}
        self._counted = self._depth = 0

    def nets(self, names: Iterable[str], home: Context) -> Count:
        """At least so much do these nets of a file come to; nothing where that would take too long to say."""
        total = _NOTHING
        try:
            for name in names:
                scope = Scope(self._context(home))
                total = total.and_(self._called(home.file.nets[name], (), scope))
        except LimitExceeded:
            return _NOTHING
        return total

    def _context(self, of: Context) -> Context:
        """The same names, without anything that stays of an evaluation here."""
        if (known := self._contexts.get(id(of))) is None:
            constants = _Constants(of, self._settings)
            found = Context(of.file, self._problems, self._budget, constants, self._mode, self._settings)
            constants.scope = Scope(found)
            known = self._contexts[id(of)] = found, of  # holds the other one: its id stays its own
        return known[0]

    def _body(self, body: Sequence[tree.Item], scope: Scope) -> Count:
        self._counted += 1
        if self._counted > _MOST_COUNTED:
            raise LimitExceeded("E0504", "too many bodies to count")
        total = _NOTHING
        for item in body:
            match item:
                case tree.Let():
                    _define(item.name, evaluate(item.value, scope, all_words(None)), scope)
                case tree.Statement() | tree.Head():
                    for step in item.chain.steps:
                        total = total.and_(self._step(step, scope))
                    name = item.label if isinstance(item, tree.Statement) else item.name
                    if name is not None:
                        _define(name, POISON, scope)
                case tree.Input():
                    _define(item.name, POISON, scope)
                case tree.OutputNames():
                    pass
        return total

    def _step(self, step: tree.Step, scope: Scope) -> Count:
        match step:
            case tree.Call():
                return self._call(step, scope)
            case tree.Repeat():
                count = evaluate(step.count, scope)
                passes = range(count) if isinstance(count, int) and 0 < count <= MAX_LAYERS else ()
                return self._loop((step.index,) if step.index else (), passes, step.body, scope)
            case tree.For():
                value = evaluate(step.values, scope)
                return self._loop(step.names, value if isinstance(value, tuple) else (), step.body, scope)
            case tree.If():
                return self._if(step, scope)

    def _loop(self, names: tuple[tree.Name, ...], passes: Sequence[Value], body: tree.Body, scope: Scope) -> Count:
        """The index of a pass is unknown, so that all passes are one."""
        if not passes:
            return _NOTHING
        inner = scope.inner()
        for name in names:
            _define(name, POISON, inner)
        return self._body(body.items, inner).times(len(passes))

    def _if(self, step: tree.If, scope: Scope) -> Count:
        chosen = evaluate(step.condition, scope)
        otherwise = step.otherwise.items if step.otherwise else ()
        if isinstance(chosen, bool):
            return self._body(step.then.items if chosen else otherwise, scope)
        return self._body(step.then.items, scope.inner()).or_(self._body(otherwise, scope.inner()))

    def _call(self, step: tree.Call, scope: Scope) -> Count:
        found = scope.callable(step.name)
        if found is None or scope.find(step.name.text) is POISON:
            return _NOTHING
        if found.block is not None:
            return self._called(found.block, step.arguments or (), scope, found)
        if found.layer is None or not found.layer.merge:
            return Count(layers=int(found.layer is not None or found.op is not None))
        return self._merge(step.branches, scope)

    def _merge(self, branches: tuple[tree.Branch, ...] | None, scope: Scope) -> Count:
        """One branch alone is joined with nothing, so that it is no layer."""
        total, joined = _NOTHING, 2 if branches is None else 0
        for branch in branches or ():
            if branch.guard is None or evaluate(branch.guard, scope) is True:
                total, joined = total.and_(self._body(branch.items, scope)), joined + 1
        return total.and_(Count(layers=int(joined > 1)))

    def _called(self, item: Declared, arguments: Sequence[tree.Argument], scope: Scope, by: Callable | None = None) -> Count:
        """A call of a block, or of a net like a block; without `by`, a net that is run by itself, which is no call."""
        home = (by.home if by is not None else None) or scope.context
        found = meant(item, self._context(home))
        if not isinstance(found, Meant) or self._depth == MAX_DEPTH:
            return _NOTHING
        body, home = found.item, found.home
        given = self._given(found, arguments, by, scope)
        inner = Scope(self._context(home))
        for formal in body.formals:
            value = given.get(formal.name.text, POISON)
            if value is POISON and formal.name.text not in given and formal.default is not None:
                value = evaluate(formal.default, inner, all_words(None))
            _define(formal.name, value, inner)
        key = (id(body), *map(_key, inner.values.values()))
        if (known := self._known.get(key)) is None:
            self._depth += 1
            known = self._known[key] = self._body(body.body.items, inner), inner  # holds the values: their ids stay their own
            self._depth -= 1
        return known[0] if by is None else known[0].and_(Count(bodies=1))

    def _given(self, found: Meant, arguments: Sequence[tree.Argument], by: Callable | None, scope: Scope) -> dict[str, Value]:
        """The parameters, as aliases and the call give them; POISON where a value is unknown."""
        what = signature(found.item.name.text, found.item.formals)
        given = {name: item.value for name, item in found.given.items()}
        place = 0
        for name, value in _arguments(by.arguments if by else (), arguments, scope):
            if name is None and place < len(what.names):
                given[what.names[place]] = value
            elif name is not None:
                given[name] = value
            place += name is None
        if by is None:
            given |= {name: value for name, value in self._settings.items() if name in what.names}
        return given


def _arguments(held: Sequence[Given], written: Sequence[tree.Argument], scope: Scope) -> Iterator[tuple[str | None, Value]]:
    yield from ((item.name, item.value) for item in held)
    yield from ((item.name.text if item.name else None, evaluate(item.value, scope, all_words(None))) for item in written)


def _define(name: tree.Name, value: Value, scope: Scope) -> None:
    scope.values[name.text] = value


def _key(value: Value) -> object:
    """What tells values apart: numbers and texts themselves, of the rest nothing is taken for the same."""
    return value if isinstance(value, int | Fraction | str | Poison) else id(value)
