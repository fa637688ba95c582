"""atan, atan2, asin, acos: arguments brought to at most 1/2, and one polynomial; and their derivatives."""

from __future__ import annotations

from kernels.elementary.emitter import INFINITY, Pair, Real, quotient

HALF_PI = (1.5707963267948966, 6.123233995736766e-17)

# (arctan(z) / z - 1) / z**2 and (arcsin(z) / z - 1) / z**2, in z**2
ARCTANGENT = (
    -0.33333333333333276,
    0.19999999999965093,
    -0.1428571428101241,
    0.11111110834424491,
    -0.09090900123485128,
    0.07692128483867122,
    -0.06664316809841812,
    0.0586143714067409,
    -0.05134881133300745,
    0.04220063357275664,
    -0.027938244668263883,
    0.010447554664232625,
)
ARCSINE = (
    0.1666666666666668,
    0.07499999999990385,
    0.04464285715763623,
    0.030381943457140414,
    0.0223721953727056,
    0.017351941896243506,
    0.013977094460527448,
    0.011427791734759857,
    0.010626212077379385,
    0.004262344842032218,
    0.02041049834537598,
    -0.01923380709013259,
    0.0315639682464479,
)


def _angle(y: Real, x: Real) -> Pair:
    """The angle of (x, y) for y >= 0 and x >= 0, not both zero, neither infinite, and their sum finite."""
    flat, steep = y < 0.5 * x, y > 2.0 * x
    above = flat.choose(y, steep.choose(-x, y - x))
    added = Pair.fast_sum(*_ordered(x, y))
    below = Pair(
        flat.choose(x, steep.choose(y, added.high)),
        (flat | steep).choose(x.lift(0.0), added.low),
    )
    z = quotient(Pair(above, x.lift(0.0)), below)
    base = flat.choose(x.lift(0.0), steep.choose(x.lift(HALF_PI[0]), 0.5 * HALF_PI[0]))
    base_low = flat.choose(x.lift(0.0), steep.choose(x.lift(HALF_PI[1]), 0.5 * HALF_PI[1]))
    square = z.high * z.high
    rest = (square * z.high).fma(square.polynomial(ARCTANGENT), z.low) + base_low
    angle = Pair.fast_sum(base, z.high)
    return Pair(angle.high, angle.low + rest)


def _ordered(x: Real, y: Real) -> tuple[Real, Real]:
    larger = x > y
    return larger.choose(x, y), larger.choose(y, x)


def atan(x: Real) -> Real:
    """The arc tangent."""
    a = abs(x).at_most(1e300)
    angle = _angle(a, a.lift(1.0))
    return (angle.high + angle.low).signed(x.sign())


def atan2(y: Real, x: Real) -> Real:
    """The angle of the point (x, y)."""
    b, a = abs(y), abs(x)
    limits = a.equals(INFINITY) | b.equals(INFINITY)
    a, b = (limits.choose(v.equals(INFINITY).choose(v.lift(1.0), 0.0), v) for v in (a, b))
    a = (a.equals(0.0) & b.equals(0.0)).choose(a.lift(1.0), a)
    largest = (a > b).choose(a, b)
    factor = (largest > 2.0**1000).choose(a.lift(2.0**-100), (largest < 2.0**-800).choose(a.lift(2.0**200), 1.0))
    angle = _angle(b * factor, a * factor)
    turned = Pair.fast_sum(x.lift(2.0 * HALF_PI[0]), -angle.high)
    behind = turned.high + (turned.low + (2.0 * HALF_PI[1] - angle.low))
    result = x.sign().is_zero().choose(angle.high + angle.low, behind)
    result = (x.is_nan() | y.is_nan()).choose(x + y, result)
    return result.signed(y.sign())


def _arcsine(x: Real) -> tuple[Real, Pair, Real]:
    """abs(x); z = abs(x), or the root of (1 - abs(x)) / 2 where abs(x) > 1/2; and arcsin(z) - z."""
    a = abs(x)
    w = 0.5 - 0.5 * a
    root = w.sqrt()
    lost = (root > 0.0).choose((-root).fma(root, w) / (root + root), 0.0)
    near = a <= 0.5
    z = Pair(near.choose(a, root), near.choose(a.lift(0.0), lost))
    u = near.choose(a * a, w)
    return a, z, (u * z.high) * u.polynomial(ARCSINE)


def asin(x: Real) -> Real:
    """The arc sine."""
    a, z, rest = _arcsine(x)
    far = Pair.fast_sum(a.lift(HALF_PI[0]), -2.0 * z.high)
    y = far.high + (far.low + (HALF_PI[1] - 2.0 * (z.low + rest)))
    return (a <= 0.5).choose(z.high + rest, y).signed(x.sign())


def acos(x: Real) -> Real:
    """The arc cosine."""
    a, z, rest = _arcsine(x)
    sign = x.sign()
    angle, low = z.high.signed(sign), rest.signed(sign)
    middle = Pair.fast_sum(a.lift(HALF_PI[0]), -angle)
    near = middle.high + (middle.low + (HALF_PI[1] - low))
    half = z.high + (z.low + rest)
    turned = Pair.fast_sum(a.lift(2.0 * HALF_PI[0]), -2.0 * z.high)
    behind = turned.high + (turned.low + (2.0 * HALF_PI[1] - 2.0 * (z.low + rest)))
    return (a <= 0.5).choose(near, sign.is_zero().choose(2.0 * half, behind))


def atan_slope(x: Real) -> Real:
    """The derivative of atan, ``1 / (1 + x**2)``; x is scaled where the square would be too large."""
    a = abs(x).at_most(2.0**600)
    large = a > 2.0**400
    factor = large.choose(a.lift(2.0**-500), 1.0)
    b = a * factor
    return 1.0 / b.fma(b, large.choose(a.lift(0.0), 1.0)) * factor * factor


def atan2_slope(x: Real, y: Real) -> Real:
    """The derivative of ``atan2(y, x)`` by y, ``x / (x**2 + y**2)``; 0 where one of them is infinite."""
    b, a = abs(y), abs(x)
    limit = a.equals(INFINITY) | b.equals(INFINITY)
    largest = (a > b).choose(a, b)
    factor = (largest > 2.0**400).choose(a.lift(2.0**-600), (largest < 2.0**-400).choose(a.lift(2.0**600), 1.0))
    above = a * factor
    a, b = _ordered(above, b * factor)
    larger, smaller = Pair.product(a, a), Pair.product(b, b)
    total = Pair.fast_sum(larger.high, smaller.high)
    z = quotient(Pair(above, x.lift(0.0)), Pair(total.high, total.low + (larger.low + smaller.low)))
    result = limit.choose(x.lift(0.0), (z.high + z.low) * factor)
    return (x.is_nan() | y.is_nan()).choose(x + y, result.signed(x.sign()))


def asin_slope(x: Real) -> Real:
    """The derivative of asin, ``1 / sqrt(1 - x**2)``, with one step of Newton's method."""
    rest = (-x).fma(x, 1.0)
    y = 1.0 / rest.sqrt()
    checked = Pair.product(rest, y)
    miss = (-checked.low).fma(y, (-checked.high).fma(y, 1.0))
    return (rest > 0.0).choose((0.5 * y).fma(miss, y), y)
