"""Numbers of a function under construction: arithmetic on them appends instructions of LLVM's IR."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernels.lazy import Lazy

ir = Lazy("llvmlite.ir")

SIGN = 1 << 63
FRACTION_BITS = 52
ONE_BITS = 0x3FF << FRACTION_BITS
ROUNDER = 1.5 * 2.0**FRACTION_BITS
"""A number up to 2**51 added to it is rounded to an integer, which stands in its lowest bits."""


@dataclass(frozen=True)
class Real:
    """A double. Operators round once each, `fma` rounds once for two of them; nothing is contracted or reordered."""

    builder: Any
    value: Any

    def lift(self, number: Real | float) -> Real:
        """A constant in the same function."""
        if isinstance(number, Real):
            return number
        return Real(self.builder, ir.Constant(ir.DoubleType(), float(number)))

    def _with(self, name: str, *operands: Real | float) -> Real:
        return Real(self.builder, getattr(self.builder, name)(self.value, *(self.lift(o).value for o in operands)))

    def __add__(self, other: Real | float) -> Real:
        return self._with("fadd", other)

    def __sub__(self, other: Real | float) -> Real:
        return self._with("fsub", other)

    def __mul__(self, other: Real | float) -> Real:
        return self._with("fmul", other)

    def __truediv__(self, other: Real | float) -> Real:
        return self._with("fdiv", other)

    def __neg__(self) -> Real:
        return self._with("fneg")

    def __radd__(self, other: float) -> Real:
        return self.lift(other) + self

    def __rsub__(self, other: float) -> Real:
        return self.lift(other) - self

    def __rmul__(self, other: float) -> Real:
        return self.lift(other) * self

    def __rtruediv__(self, other: float) -> Real:
        return self.lift(other) / self

    def fma(self, factor: Real | float, term: Real | float) -> Real:
        """``self * factor + term``, rounded once."""
        return self._with("fma", factor, term)

    def sqrt(self) -> Real:
        """The square root, rounded once."""
        function = self.builder.module.declare_intrinsic("llvm.sqrt", [ir.DoubleType()])
        return Real(self.builder, self.builder.call(function, [self.value]))

    def rint(self) -> Real:
        """The nearest integer, ties to even."""
        function = self.builder.module.declare_intrinsic("llvm.rint", [ir.DoubleType()])
        return Real(self.builder, self.builder.call(function, [self.value]))

    def bits(self) -> Whole:
        """The bits of the double as an integer."""
        return Whole(self.builder, self.builder.bitcast(self.value, ir.IntType(64)))

    def __abs__(self) -> Real:
        return (self.bits() & (SIGN - 1)).real()

    def sign(self) -> Whole:
        """The sign bit alone."""
        return self.bits() & SIGN

    def signed(self, sign: Whole) -> Real:
        """Its sign changed where `sign` has the sign bit."""
        return (self.bits() ^ sign).real()

    def _compare(self, comparison: str, other: Real | float) -> Truth:
        return Truth(self.builder, self.builder.fcmp_ordered(comparison, self.value, self.lift(other).value))

    def __lt__(self, other: Real | float) -> Truth:
        return self._compare("<", other)

    def __le__(self, other: Real | float) -> Truth:
        return self._compare("<=", other)

    def __gt__(self, other: Real | float) -> Truth:
        return self._compare(">", other)

    def __ge__(self, other: Real | float) -> Truth:
        return self._compare(">=", other)

    def equals(self, other: Real | float) -> Truth:
        """Equal; false for NaN."""
        return self._compare("==", other)

    def is_nan(self) -> Truth:
        """Whether it is not a number."""
        return Truth(self.builder, self.builder.fcmp_unordered("uno", self.value, self.value))

    def finite(self) -> Truth:
        """Neither infinite nor NaN."""
        return abs(self) < math.inf

    def clamped(self, low: float, high: float) -> Real:
        """No less than `low` and no more than `high`; NaN stays."""
        return (self < low).choose(self.lift(low), self).at_most(high)

    def at_most(self, high: float) -> Real:
        """No more than `high`; NaN stays."""
        return (self > high).choose(self.lift(high), self)

    def polynomial(self, coefficients: Sequence[float]) -> Real:
        """Coefficients from the constant on, neighbours put together by halves: a short chain of dependent steps.

        Source: G. Estrin, Organization of computer systems: the fixed plus variable structure computer, Proc. Western
        Joint IRE-AIEE-ACM Computer Conf. (1960), 33-40.
        """
        terms, power = [self.lift(c) for c in coefficients], self
        while len(terms) > 1:
            pairs = [power.fma(b, a) for a, b in zip(terms[::2], terms[1::2], strict=False)]
            terms = [*pairs, *terms[2 * len(pairs) :]]
            power = power * power
        return terms[0]


@dataclass(frozen=True)
class Whole:
    """A 64-bit integer, modulo 2**64."""

    builder: Any
    value: Any

    def _with(self, name: str, other: Whole | int) -> Whole:
        operand = other.value if isinstance(other, Whole) else ir.Constant(ir.IntType(64), other)
        return Whole(self.builder, getattr(self.builder, name)(self.value, operand))

    def __add__(self, other: Whole | int) -> Whole:
        return self._with("add", other)

    def __sub__(self, other: Whole | int) -> Whole:
        return self._with("sub", other)

    def __and__(self, other: Whole | int) -> Whole:
        return self._with("and_", other)

    def __or__(self, other: Whole | int) -> Whole:
        return self._with("or_", other)

    def __xor__(self, other: Whole | int) -> Whole:
        return self._with("xor", other)

    def __lshift__(self, places: int) -> Whole:
        return self._with("shl", places)

    def __rshift__(self, places: int) -> Whole:
        """Zeros come in from above."""
        return self._with("lshr", places)

    def is_zero(self) -> Truth:
        """Whether no bit is set."""
        zero = ir.Constant(ir.IntType(64), 0)
        return Truth(self.builder, self.builder.icmp_unsigned("==", self.value, zero))

    def real(self) -> Real:
        """The double with these bits."""
        return Real(self.builder, self.builder.bitcast(self.value, ir.DoubleType()))


@dataclass(frozen=True)
class Truth:
    """A comparison's outcome."""

    builder: Any
    value: Any

    def choose(self, chosen: Real, other: Real | float) -> Real:
        """One or the other number; both are computed."""
        return Real(self.builder, self.builder.select(self.value, chosen.value, chosen.lift(other).value))

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.builder, self.builder.and_(self.value, other.value))

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.builder, self.builder.or_(self.value, other.value))

    def __xor__(self, other: Truth) -> Truth:
        return Truth(self.builder, self.builder.xor(self.value, other.value))

    def __invert__(self) -> Truth:
        return Truth(self.builder, self.builder.not_(self.value))


NAN = math.nan
INFINITY = math.inf


@dataclass(frozen=True)
class Pair:
    """An unevaluated sum of two doubles, the second one smaller than an ulp of the first.

    Sources: T. J. Dekker, A floating-point technique for extending the available precision, Numer. Math. 18 (1971);
    D. E. Knuth, The Art of Computer Programming 2, 4.2.2.
    """

    high: Real
    low: Real

    @staticmethod
    def fast_sum(a: Real, b: Real) -> Pair:
        """``a + b`` where `a` is 0 or the larger one."""
        high = a + b
        return Pair(high, b - (high - a))

    @staticmethod
    def sum(a: Real, b: Real) -> Pair:
        """``a + b``."""
        high = a + b
        part = high - a
        return Pair(high, (a - (high - part)) + (b - part))

    @staticmethod
    def product(a: Real, b: Real) -> Pair:
        """``a * b``."""
        high = a * b
        return Pair(high, a.fma(b, -high))


def quotient(numerator: Pair, denominator: Pair) -> Pair:
    """Their quotient by one division, to about 2**-100; the parts are not normalised."""
    inverse = 1.0 / denominator.high
    first = numerator.high * inverse
    rest = (-first).fma(denominator.high, numerator.high) + (numerator.low - first * denominator.low)
    return Pair(first, rest * inverse)
