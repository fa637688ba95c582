"""exp, exp2, expm1: reduction by ln 2 (Cody and Waite, with fma), a polynomial, and a power of two."""

from __future__ import annotations

from kernels.elementary.emitter import ONE_BITS, ROUNDER, Pair, Real, Whole

LOG2_E = 1.4426950408889634
LN2 = (0.6931471805599453, 2.3190468138462996e-17)
ROUNDER_BITS = 0x4338000000000000
LOWEST, HIGHEST = -746.0, 710.0
"""Beyond these, the result is 0 or infinite in any case."""

# (exp(r) - 1 - r) / r**2
EXPONENTIAL = (
    0.5,
    0.16666666666666677,
    0.0416666666666667,
    0.008333333333322193,
    0.0013888888888867878,
    0.0001984126988482846,
    2.4801587358886502e-05,
    2.7557245423895572e-06,
    2.755724396938483e-07,
    2.5108638589601636e-08,
    2.0924117420619554e-09,
)


def reduced(x: Real) -> tuple[Whole, Pair]:
    """Find n and r with ``x = n ln 2 + r``, abs(r) <= ln(2) / 2; the first step is exact."""
    shifted = x.fma(LOG2_E, ROUNDER)
    n = shifted - ROUNDER
    first = n.fma(-LN2[0], x)
    high = n.fma(-LN2[1], first)
    return shifted.bits() - ROUNDER_BITS, Pair(high, n.fma(-LN2[1], first - high))


def exp_less_one(r: Pair) -> Pair:
    """``exp(r) - 1`` on the reduced range."""
    rest = (r.high * r.high).fma(r.high.polynomial(EXPONENTIAL), r.low.fma(r.high, r.low))
    return Pair.fast_sum(r.high, rest)


def power_of_two(n: Whole) -> Real:
    """``2.0 ** n`` for -1022 <= n <= 1023."""
    return ((n << 52) + ONE_BITS).real()


def scaled(x: Real, n: Whole) -> Real:
    """``x * 2.0 ** n`` for abs(n) < 2000, in two steps of which only the second one rounds."""
    half = ((n + 4096) >> 1) - 2048
    return x * power_of_two(half) * power_of_two(n - half)


def exp(x: Real) -> Real:
    """The exponential."""
    n, r = reduced(x.clamped(LOWEST, HIGHEST))
    return scaled(1.0 + exp_less_one(r).high, n)


def exp_of(x: Pair) -> Real:
    """The exponential of a pair."""
    inside = abs(x.high) < 800.0
    n, r = reduced(x.high.clamped(LOWEST, HIGHEST))
    return scaled(1.0 + exp_less_one(Pair.sum(r.high, r.low + inside.choose(x.low, 0.0))).high, n)


def exp_times(x: Pair, factor: Real) -> Real:
    """`factor`, which is neither very large nor very small, times the exponential of a pair."""
    inside = abs(x.high) < 1380.0
    n, r = reduced(x.high.clamped(-1380.0, 1380.0))
    p = exp_less_one(Pair.sum(r.high, r.low + inside.choose(x.low, 0.0)))
    whole = Pair.fast_sum(p.high.lift(1.0), p.high)
    return scaled(factor.fma(whole.high, factor * (whole.low + p.low)), n)


def exp2(x: Real) -> Real:
    """A power of two."""
    shifted = x.clamped(-1076.0, 1025.0) + ROUNDER
    n = x.clamped(-1076.0, 1025.0) - (shifted - ROUNDER)
    r = Pair.product(n, n.lift(LN2[0]))
    return scaled(1.0 + exp_less_one(Pair(r.high, n.fma(LN2[1], r.low))).high, shifted.bits() - ROUNDER_BITS)


def expm1(x: Real) -> Real:
    """``exp(x) - 1``, which keeps its digits near 0."""
    n, r = reduced(x.clamped(LOWEST, HIGHEST))
    half, p = (x > -60.0).choose(power_of_two(n - 1), 0.0), exp_less_one(r)
    total = Pair.fast_sum(half - 0.5, half * p.high)
    y = 2.0 * (total.high + half.fma(p.low, total.low))
    return (abs(x) < 2.0**-54).choose(x, y)
