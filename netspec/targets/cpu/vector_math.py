"""Scalar expressions as vector IR: one value of `lanes` float32 in, one out; with one lane, plain floats.

Elementary functions are polynomials on reduced arguments, a few units in the last place from the true value (the tests state each bound).
No fastmath: NaN and infinity come out as they should, and the order of every operation is as written.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

FLOAT, INT32 = ir.FloatType(), ir.IntType(32)
Value = Any  # llvmlite has no types


class VectorMath:
    """Emits operations on values of `lanes` floats."""

    def __init__(self, builder: ir.IRBuilder, lanes: int, fma: bool) -> None:
        self.builder, self.lanes, self.fused = builder, lanes, fma
        self.type = FLOAT if lanes == 1 else ir.VectorType(FLOAT, lanes)
        self.integer = INT32 if lanes == 1 else ir.VectorType(INT32, lanes)
        self.suffix = "f32" if lanes == 1 else f"v{lanes}f32"

    # ── constants and conversions ────────────────────────────────────────────────────────────────

    def number(self, value: float) -> Value:
        """A float32 constant in every lane: the only place where constants are printed."""
        rounded = struct.unpack("f", struct.pack("f", value))[0] if math.isfinite(value) and abs(value) < 3.4e38 else value
        single = ir.Constant(FLOAT, rounded)
        return single if self.lanes == 1 else ir.Constant(self.type, [single] * self.lanes)

    def integers(self, value: int) -> Value:
        """A 32-bit constant in every lane."""
        single = ir.Constant(INT32, value & 0xFFFFFFFF)
        return single if self.lanes == 1 else ir.Constant(self.integer, [single] * self.lanes)

    def splat(self, value: Value) -> Value:
        """One number in every lane."""
        if self.lanes == 1:
            return value
        vector = ir.VectorType(value.type, self.lanes)
        single = self.builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(INT32, 0))
        zeros = ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), zeros)

    def ramp(self) -> Value:
        """0, 1, 2, .. along the lanes."""
        return ir.Constant(INT32, 0) if self.lanes == 1 else ir.Constant(self.integer, list(range(self.lanes)))

    def to_float(self, value: Value) -> Value:
        """Signed integers as floats."""
        return self.builder.sitofp(value, self.type)

    def flag(self, condition: Value) -> Value:
        """1.0 or 0.0."""
        return self.builder.select(condition, self.number(1.0), self.number(0.0))

    def _bits(self, value: Value) -> Value:
        return self.builder.bitcast(value, self.integer)

    def _float(self, value: Value) -> Value:
        return self.builder.bitcast(value, self.type)

    def _intrinsic(self, name: str, *arguments: Value) -> Value:
        kind = ir.FunctionType(self.type, [self.type] * len(arguments))
        full = f"llvm.{name}.{self.suffix}"
        known = self.builder.module.globals.get(full)
        function = known if known is not None else ir.Function(self.builder.module, kind, full)
        return self.builder.call(function, arguments)

    # ── arithmetic ───────────────────────────────────────────────────────────────────────────────

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a*b + c, rounded once where the target has the instruction, else twice."""
        return self._intrinsic("fma", a, b, c) if self.fused else self.builder.fadd(self.builder.fmul(a, b), c)

    def compare(self, operator: str, a: Value, b: Value) -> Value:
        """A mask; false where either is NaN."""
        return self.builder.fcmp_ordered(operator, a, b)

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Horner's rule, the highest power first."""
        total = self.number(coefficients[0])
        for item in coefficients[1:]:
            total = self.fma(total, x, self.number(item))
        return total

    def call(self, function: str, arguments: Sequence[Value]) -> Value:
        """A primitive of netspec.kernels.scalar."""
        return _EMIT[function](self, *arguments)

    def abs(self, x: Value) -> Value:
        """|x|."""
        return self._intrinsic("fabs", x)

    def sign(self, x: Value) -> Value:
        """1, -1, or x itself at zero and NaN."""
        b = self.builder
        negative = b.select(self.compare("<", x, self.number(0)), self.number(-1.0), x)
        return b.select(self.compare(">", x, self.number(0)), self.number(1.0), negative)

    def exp(self, x: Value) -> Value:
        """x = n*log(2) + r; a polynomial of r, scaled by 2^n in two factors so that denormals come out."""
        b = self.builder
        bounded = b.select(self.compare("<", x, self.number(-104.0)), self.number(-104.0), x)
        bounded = b.select(self.compare(">", bounded, self.number(89.0)), self.number(89.0), bounded)
        magic = self.number(12582912.0)  # 1.5 * 2^23: adding it rounds to a whole number
        n = b.fsub(b.fadd(b.fmul(bounded, self.number(1.44269504088896341)), magic), magic)
        r = self.fma(n, self.number(-0.693359375), bounded)
        r = self.fma(n, self.number(2.12194440e-4), r)
        p = self.polynomial(r, (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1))
        p = self.fma(p, b.fmul(r, r), b.fadd(r, self.number(1.0)))
        whole = b.fptosi(n, self.integer)
        half = b.ashr(whole, self.integers(1))
        scaled = b.fmul(b.fmul(p, self._power_of_two(half)), self._power_of_two(b.sub(whole, half)))
        return b.select(b.fcmp_unordered("uno", x, x), x, scaled)

    def _power_of_two(self, n: Value) -> Value:
        return self._float(self.builder.shl(self.builder.add(n, self.integers(127)), self.integers(23)))

    def log(self, x: Value) -> Value:
        """x = m * 2^e with m in [sqrt(1/2), sqrt(2)); a polynomial of m - 1."""
        b = self.builder
        tiny = self.compare("<", x, self.number(1.17549435e-38))
        normal = b.select(tiny, b.fmul(x, self.number(8388608.0)), x)
        bits = self._bits(normal)
        # Taking the bits of sqrt(1/2) off first puts the cut between two exponents where m is to be cut.
        shifted = b.sub(bits, self.integers(0x3F3504F3))
        e = b.ashr(shifted, self.integers(23))
        f = b.fsub(self._float(b.sub(bits, b.shl(e, self.integers(23)))), self.number(1.0))
        e = b.fsub(self.to_float(e), b.select(tiny, self.number(23.0), self.number(0.0)))
        z = b.fmul(f, f)
        p = self.polynomial(
            f,
            (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1,
             -2.4999993993e-1, 3.3333331174e-1),
        )  # fmt: skip
        y = b.fmul(b.fmul(p, f), z)
        y = self.fma(e, self.number(-2.12194440e-4), y)
        y = self.fma(z, self.number(-0.5), y)
        y = self.fma(e, self.number(0.693359375), b.fadd(f, y))
        y = b.select(self.compare("==", x, self.number(0.0)), self.number(-math.inf), y)
        y = b.select(self.compare("==", x, self.number(math.inf)), x, y)
        return b.select(b.fcmp_unordered("<", x, self.number(0.0)), self.number(math.nan), y)

    def expm1(self, x: Value) -> Value:
        """The series near 0, exp(x) - 1 elsewhere."""
        b = self.builder
        series = self.polynomial(x, (1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5))
        near = self.fma(series, b.fmul(x, x), x)
        far = b.fsub(self.exp(x), self.number(1.0))
        return b.select(self.compare("<", self.abs(x), self.number(0.5)), near, far)

    def log1p(self, x: Value) -> Value:
        """log(u) * x / (u - 1) with u = 1 + x as rounded (Kahan)."""
        b = self.builder
        u = b.fadd(x, self.number(1.0))
        corrected = b.fmul(self.log(u), b.fdiv(x, b.fsub(u, self.number(1.0))))
        result = b.select(self.compare("==", u, self.number(1.0)), x, corrected)
        return b.select(self.compare("==", x, self.number(math.inf)), x, result)

    def tanh(self, x: Value) -> Value:
        """An odd polynomial near 0, 1 - 2/(exp(2|x|) + 1) elsewhere."""
        b = self.builder
        z = b.fmul(x, x)
        p = self.polynomial(z, (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1))
        near = self.fma(b.fmul(p, z), x, x)
        size = self.abs(x)
        far = b.fsub(self.number(1.0), b.fdiv(self.number(2.0), b.fadd(self.exp(b.fadd(size, size)), self.number(1.0))))
        far = b.select(self.compare("<", x, self.number(0.0)), b.fneg(far), far)
        return b.select(b.fcmp_unordered("<", size, self.number(0.625)), near, far)

    def sigmoid(self, x: Value) -> Value:
        """1 / (1 + exp(-x))."""
        return self.builder.fdiv(self.number(1.0), self.builder.fadd(self.number(1.0), self.exp(self.builder.fneg(x))))

    def softplus(self, x: Value) -> Value:
        """max(x, 0) + log1p(exp(-|x|))."""
        b = self.builder
        positive = b.select(self.compare("<", x, self.number(0.0)), self.number(0.0), x)
        return b.fadd(positive, self.log1p(self.exp(b.fneg(self.abs(x)))))

    def erf(self, x: Value) -> Value:
        """A rational function of x^2, times x, on [-4, 4]; beyond, the result rounds to 1."""
        b = self.builder
        bounded = b.select(self.compare("<", x, self.number(-4.0)), self.number(-4.0), x)
        bounded = b.select(self.compare(">", bounded, self.number(4.0)), self.number(4.0), bounded)
        z = b.fmul(bounded, bounded)
        above = (-2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5, -7.34990630326855e-4,
                 -2.95459980854025e-3, -1.60960333262415e-2)  # fmt: skip
        below = (-1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3, -1.42647390514189e-2)
        return b.fmul(bounded, b.fdiv(self.polynomial(z, above), self.polynomial(z, below)))

    # ── random numbers ───────────────────────────────────────────────────────────────────────────

    def mix(self, x: Value) -> Value:
        """The integer hash of netspec.kernels.random."""
        b = self.builder
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            x = b.mul(b.xor(x, b.lshr(x, self.integers(shift))), self.integers(factor))
        return b.xor(x, b.lshr(x, self.integers(16)))

    def uniform(self, position: Value, key: Value) -> Value:
        """A number in [0, 1) for each position (32-bit integers), of the stream with this key."""
        b = self.builder
        hashed = self.mix(b.add(b.mul(position, self.integers(0x9E3779B9)), key))
        return b.fmul(self.to_float(b.lshr(hashed, self.integers(8))), self.number(2.0**-24))


def _maximum(v: VectorMath, a: Value, b: Value) -> Value:
    return v.builder.select(v.compare(">=", a, b), a, b)


def _minimum(v: VectorMath, a: Value, b: Value) -> Value:
    return v.builder.select(v.compare("<=", a, b), a, b)


def _comparison(operator: str) -> Callable[..., Value]:
    return lambda v, a, b: v.flag(v.compare(operator, a, b))


_EMIT: dict[str, Callable[..., Value]] = {
    "add": lambda v, a, b: v.builder.fadd(a, b),
    "sub": lambda v, a, b: v.builder.fsub(a, b),
    "mul": lambda v, a, b: v.builder.fmul(a, b),
    "div": lambda v, a, b: v.builder.fdiv(a, b),
    "neg": lambda v, a: v.builder.fneg(a),
    "maximum": _maximum,
    "minimum": _minimum,
    "abs": VectorMath.abs,
    "sign": VectorMath.sign,
    "sqrt": lambda v, a: v._intrinsic("sqrt", a),
    "exp": VectorMath.exp,
    "expm1": VectorMath.expm1,
    "log": VectorMath.log,
    "log1p": VectorMath.log1p,
    "tanh": VectorMath.tanh,
    "sigmoid": VectorMath.sigmoid,
    "softplus": VectorMath.softplus,
    "erf": VectorMath.erf,
    "gt": _comparison(">"),
    "ge": _comparison(">="),
    "lt": _comparison("<"),
    "le": _comparison("<="),
    "eq": _comparison("=="),
    "finite": lambda v, a: v.flag(v.compare("<", v.abs(a), v.number(math.inf))),
    "select": lambda v, c, a, b: v.builder.select(v.builder.fcmp_unordered("!=", c, v.number(0.0)), a, b),
}
