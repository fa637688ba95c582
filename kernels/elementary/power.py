"""pow by a logarithm of 65 bits and its exponential; cbrt; what their derivatives need."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.elementary.emitter import INFINITY, NAN, ROUNDER, Pair, Real, Truth, Whole
from kernels.elementary.exponential import ROUNDER_BITS, exp_of, exp_times, power_of_two
from kernels.elementary.logarithm import long_log

# m**(-1/3)
CUBE_ROOT = (
    1.7810574945084516,
    -1.566028058014831,
    1.2437846636272574,
    -0.5978721950853425,
    0.1560713480578865,
    -0.017019002451240762,
)

ROOTS = (0.7937005259840998, 0.6299605249474366)
"""The reciprocal cube roots of 2 and 4."""

FACTORS = (2.0**-60, 2.0**60)
"""Exponents between these are multiplied with a power before it is rounded or overflows."""


def pow(x: Real, y: Real) -> Real:
    """A power, with the special values of C99, F.9.4.4."""
    return _power(x, y, exp_of(_times(y, _edged_log(abs(x)))), y.lift(1.0))


def pow_slope(x: Real, y: Real) -> Real:
    """``y * x**(y - 1)``: what is lost where y - 1 is rounded counts, and the power alone may overflow."""
    less = Pair.sum(y, y.lift(-1.0))
    log = _edged_log(abs(x))
    product = _times(less.high, log)
    usual = (abs(y) > FACTORS[0]) & (abs(y) < FACTORS[1])
    factor = usual.choose(y, 1.0)
    magnitude = exp_times(Pair(product.high, log.high.fma(less.low, product.low)), factor)
    return _power(x, less.high, magnitude, factor) * usual.choose(y.lift(1.0), y)


def _power(x: Real, y: Real, magnitude: Real, unit: Real) -> Real:
    """``unit * x**y`` from `magnitude`, that of abs(x)."""
    a = abs(x)
    one = a.equals(1.0)
    magnitude = ((one & ~y.is_nan()) | x.equals(1.0) | y.equals(0.0)).choose(unit, magnitude)
    whole = y.rint().equals(y)
    odd = whole & ~(0.5 * y).rint().equals(0.5 * y)
    negative = ~x.sign().is_zero()
    bad = (x < 0.0) & ~whole & a.finite() & y.finite()
    signed = (negative & odd).choose(-magnitude, magnitude)
    return bad.choose(y.lift(NAN), signed)


def _edged_log(a: Real) -> Pair:
    log = long_log(a)
    inside = (a > 0.0) & (a < INFINITY)
    edge = a.equals(0.0).choose(a.lift(-INFINITY), a)
    return Pair(inside.choose(log.high, edge), inside.choose(log.low, 0.0))


def _times(y: Real, x: Pair) -> Pair:
    product = Pair.product(y, x.high)
    return Pair(product.high, y.fma(x.low, product.low))


@dataclass(frozen=True)
class _CubeRoot:
    """The cube root of abs(x) is ``(root + rest / 3) * 2**n``, ``* 2**-18`` where x is small; finite numbers only."""

    root: Real
    square: Pair
    inverse_square: Real
    rest: Real
    n: Whole
    small: Truth


def _cube_root(a: Real) -> _CubeRoot:
    small = a < 2.0**-1022
    bits = small.choose(a * 2.0**54, a).bits()
    m = ((bits & ((1 << 52) - 1)) | (0x3FF << 52)).real()
    e = ((bits >> 52) | (0x433 << 52)).real() - (2.0**52 + 1023)
    shifted = (e - 1.0).fma(1.0 / 3.0, ROUNDER)
    left = e - 3.0 * (shifted - ROUNDER)
    zero, two = left.equals(0.0), left.equals(2.0)
    y = m.polynomial(CUBE_ROOT) * zero.choose(m.lift(1.0), two.choose(m.lift(ROOTS[1]), ROOTS[0]))
    m = m * zero.choose(m.lift(1.0), two.choose(m.lift(4.0), 2.0))
    miss = 1.0 - m * (y * y * y)
    y = y * miss.fma(miss.fma(2.0 / 9.0, 1.0 / 3.0), 1.0)
    inverse_square = y * y
    root = m * inverse_square
    square = Pair.product(root, root)
    rest = ((-square.high).fma(root, m) - square.low * root) * inverse_square
    return _CubeRoot(root, square, inverse_square, rest, shifted.bits() - ROUNDER_BITS, small)


def cbrt(x: Real) -> Real:
    """The cube root."""
    a = abs(x)
    found = _cube_root(a)
    root = found.rest.fma(1.0 / 3.0, found.root)
    result = root * power_of_two(found.n) * found.small.choose(x.lift(2.0**-18), 1.0)
    return ((a > 0.0) & a.finite()).choose(result.signed(x.sign()), x)


def cbrt_slope(x: Real) -> Real:
    """The derivative of cbrt, ``1 / (3 cbrt(x)**2)``; no division, as the inverse of the square is nearly known."""
    a = abs(x)
    found = _cube_root(a)
    y, root = found.inverse_square, found.root
    miss = (-y).fma(found.square.low, (-y).fma(found.square.high, 1.0))
    miss = (root * y * found.rest).fma(-2.0 / 3.0, miss)
    third = y * (1.0 / 3.0)
    scale = power_of_two((found.n ^ -1) + ((found.n ^ -1) + 2))
    result = third.fma(miss, third) * scale * found.small.choose(x.lift(2.0**36), 1.0)
    edge = a.equals(0.0).choose(a.lift(INFINITY), a.equals(INFINITY).choose(a.lift(0.0), a))
    return ((a > 0.0) & a.finite()).choose(result, edge)
