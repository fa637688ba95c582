"""log, log2, log10, log1p: the exponent, and the series of the inverse hyperbolic tangent.

The arrangement of the sums is that of fdlibm (Sun Microsystems, 1993: e_log.c, s_log1p.c).
"""

from __future__ import annotations

from kernels.elementary.emitter import FRACTION_BITS, INFINITY, NAN, ONE_BITS, Pair, Real

ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
LN2 = (0.6931471805592082, 7.371002565167799e-13)
"""The first part has 40 bits: products with exponents are exact."""
LOG2_E = (1.4426950408889634, 2.0355273740931033e-17)
LOG10_E = (0.4342944819032518, 1.098319650216765e-17)
LOG10_2 = (0.30102999566361177, 3.694239077158931e-13)
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
SUBNORMAL = 2.0**-1022

# (log((1 + z) / (1 - z)) / z - 2) / z**2 in z**2
LOGARITHM = (
    0.6666666666666698,
    0.39999999999614194,
    0.28571428703218626,
    0.2222220221777947,
    0.1818338955043966,
    0.15318227510207258,
    0.14756553417993415,
)

# the same without 2/3
LOGARITHM_REST = (
    0.39999999999999997,
    0.28571428571433777,
    0.22222222219999357,
    0.18181818597724902,
    0.15384573792520806,
    0.1333572046566491,
    0.11686005048790328,
    0.11902500944059519,
)


def split(x: Real) -> tuple[Real, Real]:
    """Find k and m with ``x = m * 2**k`` and m between the roots of 1/2 and 2, for positive finite x."""
    small = x < SUBNORMAL
    bits = small.choose(x * 2.0**54, x).bits() + (ONE_BITS - ROOT_HALF_BITS)
    k = ((bits >> FRACTION_BITS) | 0x4330000000000000).real() - small.choose(x.lift(2.0**52 + 1077), 2.0**52 + 1023)
    m = ((bits & ((1 << FRACTION_BITS) - 1)) + ROOT_HALF_BITS).real()
    return k, m


def parts(f: Real) -> tuple[Real, Real]:
    """f**2 / 2, and what is missing in ``log(1 + f) = f - f**2 / 2 + missing``."""
    s = f / (2.0 + f)
    z = s * s
    half_square = 0.5 * (f * f)
    return half_square, s * (half_square + z * z.polynomial(LOGARITHM))


def with_edges(x: Real, y: Real) -> Real:
    """The logarithm y of x, set right where x is not positive and finite."""
    y = (x > 0.0).choose(y, x.equals(0.0).choose(x.lift(-INFINITY), NAN))
    return x.equals(INFINITY).choose(x, y)


def log(x: Real) -> Real:
    """The natural logarithm."""
    k, m = split(x)
    f = m - 1.0
    half_square, missing = parts(f)
    return with_edges(x, k * LN2[0] - ((half_square - k.fma(LN2[1], missing)) - f))


def log1p_of(x: Pair) -> Real:
    """``log(1 + x)`` for finite x > -1."""
    u = 1.0 + x.high
    k, m = split(u)
    near = k.equals(0.0)
    bigger = x.high > 1.0
    lost = bigger.choose(1.0 - (u - x.high), x.high - (u - 1.0)) + x.low
    lost = near.choose(x.low * (1.0 - x.high), lost / u)
    f = near.choose(x.high, m - 1.0)
    half_square, missing = parts(f)
    return k * LN2[0] - ((half_square - (missing + k.fma(LN2[1], lost))) - f)


def log1p(x: Real) -> Real:
    """``log(1 + x)``, which keeps its digits near 0."""
    y = with_edges(1.0 + x, log1p_of(Pair(x, x.lift(0.0))))
    return (abs(x) < 2.0**-54).choose(x, y)


def _by_factor(x: Real, factor: tuple[float, float], unit: tuple[float, float]) -> Real:
    """A logarithm of another base: `factor` is that of e, `unit` that of 2."""
    k, m = split(x)
    f = m - 1.0
    half_square, missing = parts(f)
    high = f - half_square
    low = ((f - high) - half_square) + missing
    product = Pair.product(high, x.lift(factor[0]))
    whole = Pair.fast_sum(k * unit[0], product.high)
    rest = (low + high).fma(factor[1], low.fma(factor[0], product.low))
    return with_edges(x, whole.high + (whole.low + k.fma(unit[1], rest)))


def log2(x: Real) -> Real:
    """The logarithm of base 2."""
    return _by_factor(x, LOG2_E, (1.0, 0.0))


def log10(x: Real) -> Real:
    """The logarithm of base 10."""
    return _by_factor(x, LOG10_E, LOG10_2)


def long_log(x: Real) -> Pair:
    """The logarithm of a positive finite number to about 65 bits."""
    k, m = split(x)
    f, d = m - 1.0, m + 1.0
    inverse = 1.0 / d
    high = f * inverse
    z = Pair(high, inverse * ((-high).fma(d, f) - high * (m - (d - 1.0))))
    square = Pair.product(z.high, z.high)
    square = Pair(square.high, (2.0 * z.high).fma(z.low, square.low))
    u = square.high
    slope = Pair.fast_sum(u.lift(TWO_THIRDS[0]), u.fma(u.polynomial(LOGARITHM_REST), TWO_THIRDS[1]))
    cubic = _times(_times(z, square), slope)
    main = Pair.fast_sum(2.0 * z.high, cubic.high)
    whole = Pair.fast_sum(k * LN2[0], main.high)
    low = k.fma(LN2[1], cubic.low + 2.0 * z.low) + main.low
    return Pair.fast_sum(whole.high, whole.low + low)


def _times(a: Pair, b: Pair) -> Pair:
    product = Pair.product(a.high, b.high)
    return Pair(product.high, product.low + a.high.fma(b.low, a.low * b.high))
