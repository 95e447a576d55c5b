"""A program's kernels as Python source for numba-cuda: one thread per element of the result, float32 throughout, no shared memory.

numba makes a product of an integer and a float32, and every literal, a float64: all numbers are printed by `number` and `position`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping

from netspec.kernels.affine import Affine, Axis, N
from netspec.kernels.formula import Formula
from netspec.kernels.scalar import INFIX, PRIMITIVES, Access, AxisIndex, Call, Constant, Expr, Random, RuntimeScalar, accesses
from netspec.schedule.cuda_kernel import VALUE, formulas_of, linear, unique
from netspec.schedule.cuda_program import COUNT, CudaProgram, Kernel

COMPARISONS = frozenset({"gt", "ge", "lt", "le", "eq"})
FUNCTIONS = frozenset({*(PRIMITIVES.keys() - INFIX.keys() - {"neg", "abs", "select"}), "random"})
"""What kernels import from netspec.targets.cuda.functions."""
EXTENTS = {N: "images", COUNT: COUNT}


def source(program: CudaProgram) -> str:
    """The module of a program's kernels. It carries no text of the spec but labels that are plain words."""
    kernels = program.kernels
    called = sorted({name for kernel in kernels for formula in formulas_of(kernel.chain) for name in _called(formula.body)})
    functions = [line for kernel in kernels for line in ("", "", *kernel_source(kernel))]
    lines = [
        f'"""{len(kernels)} kernels for {program.target.name}. Written by netspec; do not edit."""',
        "",
        "from numba import cuda",
        f"from numpy import float32{', inf' if any('inf)' in line for line in functions) else ''}",
        *(["", f"from netspec.targets.cuda.functions import {', '.join(called)}"] if called else []),
        *functions,
    ]
    return "\n".join(lines) + "\n"


def arguments(kernel: Kernel) -> tuple[tuple[str, str], ...]:
    """The arguments of a kernel's function and their types: the number of threads, scalars, arrays."""
    scalars = ((EXTENTS.get(name, name), "int64" if name in ("key", "N") else "float32") for name in kernel.scalars)
    return (COUNT, "int64"), *scalars, *((item.name, "float32[::1]") for item in kernel.parameters)


def kernel_source(kernel: Kernel) -> list[str]:
    """The lines of a kernel's function."""
    thread = kernel.kept[0].name if len(kernel.kept) == 1 else "element"
    body = [
        *_summary(kernel),
        f"{thread} = cuda.grid(1)",
        f"if {thread} >= {COUNT}:",
        "    return",
        *_decoded(kernel, thread),
        *_Body(kernel).lines(),
    ]
    return ["@cuda.jit", f"def {kernel.name}({', '.join(name for name, _ in arguments(kernel))}):", *(f"    {line}" for line in body)]


def number(value: float) -> str:
    """A constant. Nothing else prints one."""
    return f"float32({value!r})"


def position(index: Affine) -> str:
    """An index as a number."""
    return f"float32({index})"


def _summary(kernel: Kernel) -> list[str]:
    """A docstring: the chain's formulas."""
    first, *rest = (str(formula) for formula in formulas_of(kernel.chain))
    return [f'"""{first}', *rest, '"""'] if rest else [f'"""{first}."""']


def _decoded(kernel: Kernel, thread: str) -> Iterator[str]:
    """The indices of the result from the number of the thread; the last one runs fastest."""
    if len(kernel.kept) < 2:
        return
    step = 1
    for axis in reversed(kernel.kept):
        here = thread if step == 1 else f"{thread} // {step}"
        if axis is kernel.kept[0]:
            yield f"{axis} = {here}"
            return
        assert isinstance(axis.extent, int), f"the batch is not the first index of {kernel.chain.out}"
        yield f"{axis} = {here} % {axis.extent}"
        step *= axis.extent


class _Body:
    """The computation of a kernel: the reduction, the formulas that follow it, the stores."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.shapes = {item.name: item.shape for item in kernel.parameters}
        self.names = {*self.shapes, *(axis.name for formula in formulas_of(kernel.chain) for axis in formula.axes)}

    def lines(self) -> Iterator[str]:
        """Statements, in order."""
        chain = self.kernel.chain
        first, *rest = formulas_of(chain)
        if first.combine == "none":
            value = yield from self._value(first, VALUE)
        else:
            yield from self._reduction(first)
            value = "total" if first.combine == "sum" else "best"
        for formula in rest:
            if not value.isidentifier():
                yield f"{VALUE} = {value}"
                value = VALUE
            value = yield from self._value(formula, value)
        yield f"{self._place(chain.out)} = {value}"
        if first.argument is not None:
            yield f"{self._place(first.argument)} = at"

    def _value(self, formula: Formula, before: str) -> Generator[str, None, str]:
        """The expression that a formula comes to, after the lines that it needs; `before` is what the formula before it came to."""
        found, loads = self._inside(formula)
        yield from loads
        return self._bare(formula.body, {**found, VALUE: before})

    def _reduction(self, formula: Formula) -> Iterator[str]:
        found, loads = self._inside(formula)
        body = self._bare(formula.body, found)
        if formula.combine == "sum":
            start, step = [f"total = {number(0.0)}"], [f"total += {body}"]
        else:
            start = [f"best = {number(float('-inf'))}"]
            step = [f"here = {body}", "if here > best or here != here:  # a NaN stays", "    best = here"]
            if formula.argument is not None:
                start.append(f"at = {number(0.0)}")
                step.append(f"    at = {position(_row_major(formula.reduced))}")
        yield from start
        indent = ""
        for axis in formula.reduced:
            yield f"{indent}for {axis} in range({axis.extent if isinstance(axis.extent, int) else EXTENTS[axis.extent]}):"
            indent += "    "
        yield from (indent + line for line in (*loads, *step))

    # ── expressions ──────────────────────────────────────────────────────────────────────────────

    def _inside(self, formula: Formula) -> tuple[dict[Expr | str, str], list[str]]:
        """The reads that may leave their tensor: what each is called, and the lines that look first."""
        found: dict[Expr | str, str] = {}
        loads: list[str] = []
        for access in dict.fromkeys(accesses(formula.body)):
            if access.tensor != VALUE and (conditions := list(self._conditions(access))):
                found[access] = unique(f"{access.tensor}_inside", self.names)
                outside = number(0.0 if access.outside == "zero" else float("-inf"))
                loads.append(f"{found[access]} = {self._place(access)} if {' and '.join(conditions)} else {outside}")
        return found, loads

    def _conditions(self, access: Access) -> Iterator[str]:
        shape = access.view or self.shapes[access.tensor]
        for index, size in zip(access.indices, shape, strict=True):
            reach = index.range()
            if access.outside == "never" or reach is None or isinstance(size, str):
                continue
            below, above = reach[0] < 0, reach[1] >= size
            if below or above:
                yield f"{'0 <= ' if below else ''}{index}{f' < {size}' if above else ''}"

    def _place(self, access: Access) -> str:
        return f"{access.tensor}[{linear(access, self.shapes[access.tensor])}]"

    def _expression(self, expr: Expr, known: Mapping[Expr | str, str]) -> str:
        """An expression; `known` says what reads that may leave their tensor and the value passed on are called."""
        match expr:
            case Constant(value):
                return number(value)
            case Access(tensor):
                return known.get(expr) or known.get(tensor) or self._place(expr)
            case AxisIndex(index):
                return position(index)
            case RuntimeScalar(name):
                return "float32(images)" if name == N else name
            case Random(stream, index):
                return f"random(key, {stream}, {index})"
            case Call("select", (condition, a, b)):
                return f"({self._expression(a, known)} if {self._condition(condition, known)} else {self._expression(b, known)})"
            case Call(function, items) if function in FUNCTIONS or function == "abs":
                return f"{function}({', '.join(self._bare(item, known) for item in items)})"
            case Call(function, items):
                return _operation(function, [self._expression(item, known) for item in items])
            case _:
                raise TypeError(expr)

    def _bare(self, expr: Expr, known: Mapping[Expr | str, str]) -> str:
        """A whole expression: without the brackets that operators have around them."""
        text = self._expression(expr, known)
        bracketed = isinstance(expr, Call) and expr.function in {*INFIX, "neg", "select"} - COMPARISONS
        return text[1:-1] if bracketed else text

    def _condition(self, expr: Expr, known: Mapping[Expr | str, str]) -> str:
        match expr:
            case Call(function, (a, b)) if function in COMPARISONS:
                return f"{self._expression(a, known)} {INFIX[function]} {self._expression(b, known)}"
            case _:
                return f"{self._expression(expr, known)} != {number(0.0)}"


def _operation(function: str, items: list[str]) -> str:
    """An operator applied, in brackets; a comparison as a number."""
    text = f"(-{items[0]})" if function == "neg" else f"({f' {INFIX[function]} '.join(items)})"
    return f"float32{text}" if function in COMPARISONS else text


def _row_major(axes: tuple[Axis, ...]) -> Affine:
    index = Affine()
    for axis in axes:
        assert isinstance(axis.extent, int)
        index = index * axis.extent + axis
    return index


def _called(body: Expr) -> Iterator[str]:
    match body:
        case Random():
            yield "random"
        case Call(function, items):
            if function in FUNCTIONS:
                yield function
            for item in items:
                yield from _called(item)
        case _:
            return
