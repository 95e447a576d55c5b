"""The syntax tree: what the text says, before any meaning. Frozen, and every node knows its place."""

from __future__ import annotations

from fractions import Fraction

from netspec.diagnostics import Span
from netspec.records import record


@record
class Name:
    """An identifier where it stands."""

    text: str
    span: Span


# ── expressions ──────────────────────────────────────────────────────────────────────────────────


@record
class Number:
    """`64`, `0.5`, `450k`, `10%`, `2 epochs`: `value` is exact, suffix and percent applied; `text` is as written."""

    value: int | Fraction
    unit: str | None
    text: str
    span: Span


@record
class Dims:
    """`3x3`, `1x7`, `2x3x4`."""

    values: tuple[int, ...]
    span: Span


@record
class String:
    """`"text"`, without its quotes."""

    text: str
    span: Span


@record
class Argument:
    """`value` or `name=value`."""

    name: Name | None
    value: Expr
    span: Span


@record
class Reference:
    """`c`, or with arguments `floor(c / 2)`, `leaky_relu(0.1)`; `in` has the name `in`."""

    name: Name
    arguments: tuple[Argument, ...] | None
    span: Span


@record
class Attribute:
    """`base.name`."""

    base: Expr
    name: Name
    span: Span


@record
class Index:
    """`base[index]`."""

    base: Expr
    index: Expr
    span: Span


@record
class Tuple:
    """`(a, b)`; a single expression in parentheses is that expression."""

    items: tuple[Expr, ...]
    span: Span


@record
class List:
    """`[a, b]`."""

    items: tuple[Expr, ...]
    span: Span


@record
class Unary:
    """`-x` or `not x`."""

    operator: str
    operand: Expr
    span: Span


@record
class Binary:
    """`+ - * / // % **`, `== != < <= > >=`, `and or`, `..`."""

    operator: str
    left: Expr
    right: Expr
    span: Span


@record
class Conditional:
    """`if condition then a else b`."""

    condition: Expr
    then: Expr
    otherwise: Expr
    span: Span


Expr = Number | Dims | String | Reference | Attribute | Index | Tuple | List | Unary | Binary | Conditional

# ── steps and statements ─────────────────────────────────────────────────────────────────────────


@record
class Shape:
    """`[c, h, w]` in `input` and after `::`."""

    dims: tuple[Expr, ...]
    span: Span


@record
class Branch:
    """`| items` or `| when guard: items` of a merge; `span` is that of its items, or of the bar when it is empty."""

    guard: Expr | None
    items: tuple[Item, ...]
    span: Span


@record
class Call:
    """A layer, block or net as a step; `branches` is None where no `{ | .. }` follows."""

    name: Name
    arguments: tuple[Argument, ...] | None
    branches: tuple[Branch, ...] | None
    span: Span


@record
class Body:
    """`{ items }`."""

    items: tuple[Item, ...]
    span: Span


@record
class Repeat:
    """`repeat count as index { }`."""

    count: Expr
    index: Name | None
    body: Body
    span: Span


@record
class For:
    """`for a, b in values { }`."""

    names: tuple[Name, ...]
    values: Expr
    body: Body
    span: Span


@record
class If:
    """`if condition { } else { }`; `else if` is an If alone in the body of `otherwise`."""

    condition: Expr
    then: Body
    otherwise: Body | None
    span: Span


Step = Call | Repeat | For | If


@record
class Chain:
    """`from source -> step -> step`."""

    source: Expr | None
    steps: tuple[Step, ...]
    span: Span


@record
class Statement:
    """`label: chain :: shape`."""

    label: Name | None
    chain: Chain
    shape: Shape | None
    span: Span


@record
class Input:
    """`input name[c, h, w] where fact`."""

    name: Name
    shape: Shape
    where: Expr | None
    span: Span


@record
class OutputNames:
    """`output a, b`."""

    names: tuple[Name, ...]
    span: Span


@record
class Head:
    """`output name: chain :: shape`: a result; the current tensor stays."""

    name: Name
    chain: Chain
    shape: Shape | None
    span: Span


@record
class Let:
    """`let name = value`, in a body or at the top."""

    name: Name
    value: Expr
    span: Span


Item = Statement | Input | OutputNames | Head | Let

# ── declarations ─────────────────────────────────────────────────────────────────────────────────


@record
class Import:
    """`name as alias`."""

    name: Name
    alias: Name | None


@record
class Use:
    """`use std.vision: a, b as c` (`path` None) or `use "file.net": a` (`module` empty)."""

    module: tuple[Name, ...]
    path: String | None
    imports: tuple[Import, ...]
    span: Span


@record
class Param:
    """`param name: type = value`."""

    name: Name
    type: Expr | None
    value: Expr
    span: Span


@record
class Formal:
    """A parameter of an op, block or net, with or without default."""

    name: Name
    default: Expr | None
    span: Span


@record
class Op:
    """`op name(a, beta=1.0) = expression`."""

    name: Name
    formals: tuple[Formal, ...]
    value: Expr
    span: Span


@record
class Block:
    """`block name(formals) { }`."""

    name: Name
    formals: tuple[Formal, ...]
    body: Body
    span: Span


@record
class Net:
    """`net name(formals) { }`."""

    name: Name
    formals: tuple[Formal, ...]
    body: Body
    span: Span


@record
class Alias:
    """`net name = template(arguments)`."""

    name: Name
    template: Name
    arguments: tuple[Argument, ...]
    span: Span


@record
class Setting:
    """`name = a -> b` in a train block; one value when there is no arrow."""

    name: Name
    values: tuple[Expr, ...]
    span: Span


@record
class Group:
    """`name { settings }` in a train block."""

    name: Name
    settings: tuple[Setting | Group, ...]
    span: Span


@record
class Train:
    """`train net as name { settings }`."""

    net: Name
    alias: Name | None
    settings: tuple[Setting | Group, ...]
    span: Span


@record
class Expect:
    """`expect net { lines }`."""

    net: Name
    lines: tuple[Expr, ...]
    span: Span


Declaration = Use | Param | Let | Op | Block | Net | Alias | Train | Expect


@record
class Spec:
    """One file."""

    file: str
    declarations: tuple[Declaration, ...]
