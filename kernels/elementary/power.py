"""pow by a logarithm of 65 bits and its exponential; cbrt."""

from __future__ import annotations

from kernels.elementary.emitter import INFINITY, NAN, ROUNDER, Pair, Real
from kernels.elementary.exponential import ROUNDER_BITS, exp_of, power_of_two
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


def pow(x: Real, y: Real) -> Real:
    """A power, with the special values of C99, F.9.4.4."""
    a = abs(x)
    one = a.equals(1.0)
    magnitude = exp_of(_times(y, _edged_log(a)))
    magnitude = ((one & ~y.is_nan()) | x.equals(1.0) | y.equals(0.0)).choose(y.lift(1.0), magnitude)
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


def cbrt(x: Real) -> Real:
    """The cube root."""
    a = abs(x)
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
    root = m * (y * y)
    square = Pair.product(root, root)
    rest = (-square.high).fma(root, m) - square.low * root
    root = (rest * (y * y)).fma(1.0 / 3.0, root)
    n = shifted.bits() - ROUNDER_BITS
    result = root * power_of_two(n) * small.choose(m.lift(2.0**-18), 1.0)
    return ((a > 0.0) & a.finite()).choose(result.signed(x.sign()), x)
