"""sinh, cosh, tanh and the derivative of tanh: one exponential each, and no difference that cancels."""

from __future__ import annotations

from kernels.elementary.emitter import Pair, Real, Whole, quotient
from kernels.elementary.exponential import exp_less_one, power_of_two, reduced, scaled

# (sinh(r) / r - 1) / r**2 and (cosh(r) - 1) / r**2, in r**2, and the first one once more up to 1
HYPERBOLIC_SINE = (
    0.1666666666666667,
    0.008333333333325796,
    0.00019841269876437267,
    2.7557253288462678e-06,
    2.510606427772662e-08,
)
HYPERBOLIC_COSINE = (
    0.5,
    0.04166666666666669,
    0.0013888888888871319,
    2.4801587351733888e-05,
    2.7557250294614644e-07,
    2.0922117122764764e-09,
)
SMALL_HYPERBOLIC_SINE = (
    0.16666666666666669,
    0.00833333333333316,
    0.000198412698414257,
    2.7557319158563477e-06,
    2.505212294851825e-08,
    1.6057271718375135e-10,
    7.758447071664654e-13,
)


def _both(x: Real) -> tuple[Real, Real]:
    """Both functions of abs(x), sinh only where abs(x) >= 1.

    With x = n ln 2 + r, A = 2**n / 2 and B = 2**-n / 2: sinh x = (A - B) cosh r + (A + B) sinh r, and cosh x likewise.
    A fourth of each is computed, so that nothing overflows before the result does.
    """
    a = abs(x).at_most(711.0)
    n, r = reduced(a)
    grown = power_of_two(n - 3)
    shrunk = (a < 60.0).choose(power_of_two((n ^ -1) - 2), 0.0)
    added, taken = Pair.fast_sum(grown, shrunk), Pair.fast_sum(grown, -shrunk)
    z = r.high * r.high
    sine = r.high + (z * r.high).fma(z.polynomial(HYPERBOLIC_SINE), r.low)
    cosine = z * z.polynomial(HYPERBOLIC_COSINE)
    sinh = taken.high + taken.high.fma(cosine, added.high.fma(sine, taken.low))
    cosh = added.high + added.high.fma(cosine, taken.high.fma(sine, added.low))
    return 4.0 * sinh, 4.0 * cosh


def sinh(x: Real) -> Real:
    """The hyperbolic sine."""
    z = x * x
    near = (z * x).fma(z.polynomial(SMALL_HYPERBOLIC_SINE), x)
    return (abs(x) < 1.0).choose(near, _both(x)[0].signed(x.sign()))


def cosh(x: Real) -> Real:
    """The hyperbolic cosine."""
    return _both(x)[1]


def decayed(y: Real) -> tuple[Pair, Pair, Pair, Whole, Real]:
    """For y >= 0 and D = exp(-y): 1 - D, 1 + D; e and n with D = e * 2**n; and 2**n, or 0 where D is lost beside 1."""
    n, r = reduced(-y.at_most(800.0))
    p = exp_less_one(r)
    power = (y < 690.0).choose(power_of_two(n), 0.0)
    high, low = power * p.high, power * p.low
    one = y.lift(1.0)
    less, more = Pair.fast_sum(one, -power), Pair.fast_sum(one, power)
    left, right, whole = Pair.fast_sum(less.high, -high), Pair.fast_sum(more.high, high), Pair.fast_sum(one, p.high)
    return (
        Pair(left.high, left.low + (less.low - low)),
        Pair(right.high, right.low + (more.low + low)),
        Pair(whole.high, whole.low + p.low),
        n,
        power,
    )


def tanh(x: Real) -> Real:
    """The hyperbolic tangent, (1 - D) / (1 + D) with D = exp(-2 abs(x))."""
    left, right, *_ = decayed(2.0 * abs(x))
    y = quotient(left, right)
    return (y.high + y.low).signed(x.sign())


def tanh_slope(x: Real) -> Real:
    """``1 - tanh(x)**2`` as u (2 - u) with u = 1 - tanh(abs(x)) = 2 D / (1 + D), D = exp(-2 abs(x))."""
    _, right, e, n, power = decayed(2.0 * abs(x))
    u = quotient(Pair(2.0 * e.high, 2.0 * e.low), right)
    u = Pair.fast_sum(u.high, u.low)
    other = (-power).fma(u.high, 2.0)
    rest = (-power).fma(u.high, 2.0 - other) - power * u.low
    return scaled(u.high.fma(other, u.high.fma(rest, u.low * other)), n)
