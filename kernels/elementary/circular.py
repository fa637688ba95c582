"""sin, cos, tan: reduction by pi/2 (Cody and Waite, with fma), and a polynomial for each half of the quadrants."""

from __future__ import annotations

from kernels.elementary.emitter import ROUNDER, Pair, Real, Whole, quotient
from kernels.elementary.large import reduced_exactly
from kernels.elementary.rare import beyond

TWO_BY_PI = 0.6366197723675814
HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
LIMIT = 2.0**30
"""Up to here three parts of pi/2 are enough."""
SMALL = 2.0**-27

# (sin(r) / r - 1) / r**2 and (cos(r) - 1 + r**2 / 2) / r**4, in r**2
SINE = (
    -0.16666666666666638,
    0.00833333333332378,
    -0.00019841269830709894,
    2.755731396118107e-06,
    -2.50507954051349e-08,
    1.5898744825716395e-10,
)
COSINE = (
    0.04166666666666666,
    -0.0013888888888883366,
    2.4801587294870672e-05,
    -2.755731581326117e-07,
    2.0875910591204328e-09,
    -1.1368838593426753e-11,
)


def reduced(x: Real) -> tuple[Whole, Pair]:
    """Find n in the lowest bits, and r with ``x = n pi/2 + r``, abs(r) <= pi/4; the first step is exact."""
    shifted = x.fma(TWO_BY_PI, ROUNDER)
    n = shifted - ROUNDER
    second = Pair.product(n, x.lift(HALF_PI[1]))
    r = Pair.sum(n.fma(-HALF_PI[0], x), -second.high)
    return shifted.bits(), Pair(r.high, n.fma(-HALF_PI[2], r.low - second.low))


def halves(r: Pair) -> tuple[Pair, Pair]:
    """Sine and cosine on the reduced range, each as a number and a small one to add to it."""
    z = r.high * r.high
    half = 0.5 * z
    sine = Pair(r.high, (z * r.high).fma(z.polynomial(SINE), r.low - half * r.low))
    main = 1.0 - half
    rest = (z * z).fma(z.polynomial(COSINE), -(r.high * r.low))
    return sine, Pair(main, ((1.0 - main) - half) + rest)


def sin(x: Real) -> Real:
    """The sine."""
    n, r = reduced(x)
    return beyond("sin", LIMIT, x, (abs(x) < SMALL).choose(x, _sine(n, r)), _large_sine)


def _sine(n: Whole, r: Pair) -> Real:
    sine, cosine = (part.high + part.low for part in halves(r))
    return (n & 1).is_zero().choose(sine, cosine).signed((n & 2) << 62)


def _large_sine(x: Real) -> Real:
    return _sine(*reduced_exactly(x)).signed(x.sign())


def cos(x: Real) -> Real:
    """The cosine."""
    return beyond("cos", LIMIT, x, _cosine(*reduced(x)), _large_cosine)


def _cosine(n: Whole, r: Pair) -> Real:
    sine, cosine = (part.high + part.low for part in halves(r))
    return (n & 1).is_zero().choose(cosine, sine).signed(((n + 1) & 2) << 62)


def _large_cosine(x: Real) -> Real:
    return _cosine(*reduced_exactly(x))


def tan(x: Real) -> Real:
    """The tangent: sine by cosine, with what both lost in rounding."""
    n, r = reduced(x)
    return beyond("tan", LIMIT, x, (abs(x) < SMALL).choose(x, _tangent(n, r)), _large_tangent)


def tan_slope(x: Real) -> Real:
    """The derivative of tan, ``1 + tan(x)**2``."""
    return beyond("tan_slope", LIMIT, x, _tangent_slope(*reduced(x)), _large_tangent_slope)


def _tangent(n: Whole, r: Pair) -> Real:
    y = _long_tangent(n, r)
    return y.high + y.low


def _tangent_slope(n: Whole, r: Pair) -> Real:
    y = _long_tangent(n, r)
    square = Pair.product(y.high, y.high)
    return 1.0 + square.high + (2.0 * y.high).fma(y.low, square.low)


def _long_tangent(n: Whole, r: Pair) -> Pair:
    sine, cosine = halves(r)
    even = (n & 1).is_zero()
    above = Pair(even.choose(sine.high, -cosine.high), even.choose(sine.low, -cosine.low))
    below = Pair(even.choose(cosine.high, sine.high), even.choose(cosine.low, sine.low))
    above, below = Pair.fast_sum(above.high, above.low), Pair.fast_sum(below.high, below.low)
    return quotient(above, below)


def _large_tangent(x: Real) -> Real:
    return _tangent(*reduced_exactly(x)).signed(x.sign())


def _large_tangent_slope(x: Real) -> Real:
    return _tangent_slope(*reduced_exactly(x))
