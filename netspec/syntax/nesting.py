"""How deep expressions hang from each other: what walks one takes so many calls within each other."""

from __future__ import annotations

from netspec.syntax import tree


def parts(expr: tree.Expr) -> tuple[tree.Expr, ...]:
    """The expressions right below one."""
    match expr:
        case tree.Reference():
            return tuple(item.value for item in expr.arguments or ())
        case tree.Unary():
            return (expr.operand,)
        case tree.Binary():
            return expr.left, expr.right
        case tree.Conditional():
            return expr.condition, expr.then, expr.otherwise
        case tree.Attribute():
            return (expr.base,)
        case tree.Index():
            return expr.base, expr.index
        case tree.Tuple() | tree.List():
            return expr.items
        case tree.Number() | tree.Dims() | tree.String():
            return ()


def depth(expr: tree.Expr) -> int:
    """1 for a number, 2 for a sum of numbers."""
    return 1 + max(map(depth, parts(expr)), default=0)
