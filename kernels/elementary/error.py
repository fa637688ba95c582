"""erf, erfc and their derivative: a polynomial up to some point, and exp(-x**2) times another one beyond.

The second one is of ``(x + K) exp(x**2) erfc(x)`` in ``(x - K) / (x + K)``. Source: M. M. Shepherd, J. G. Laframboise,
Chebyshev approximation of (1 + 2x) exp(x**2) erfc x in 0 <= x < inf, Math. Comp. 36 (1981), 249-253.

For erfc it is computed in pairs, from 1/2 on. From 1 on it is so small a part of erf that single numbers do there.
"""

from __future__ import annotations

from kernels.elementary.emitter import Pair, Real, Whole, quotient
from kernels.elementary.exponential import exp_less_one, power_of_two, reduced, scaled

TWO_BY_ROOT_PI = (1.1283791670955126, 1.533545961316588e-17)
TAIL_CENTRE = 3.6875
LONG, SHORT_TAIL_CENTRE, WHOLE = 1.0, 2.5, 6.0
"""Where the polynomial of erf ends, K beyond it, and where erf is 1."""
LARGEST = 28.0
"""From here on exp(-x**2) is 0."""

# erf(x) / x - 1 in x**2, and the function above
ERROR = (
    0.12837916709551256,
    -0.37612638903183476,
    0.1128379167092556,
    -0.026866170632954035,
    0.005223977374060748,
    -0.0008548297842388737,
    0.00012053339319167863,
    -1.484595253926287e-05,
    1.472689847971052e-06,
)
TAIL = (
    1.090787885041976,
    -0.9538254404011512,
    0.7262977169269058,
    -0.47712532635177807,
    0.26583904409743353,
    -0.12176272636420846,
    0.042991570770046554,
    -0.00977299592851071,
    0.00017067038021320978,
    0.000856686037829178,
    -0.000275562878552784,
    -2.2060839161160196e-05,
    3.723783994065587e-05,
    -4.2860458600090625e-06,
    -4.207889690299067e-06,
    1.1124109873127952e-06,
    4.938710409066214e-07,
    -1.983031194481899e-07,
    -6.289826310918722e-08,
    3.0971008880395433e-08,
    6.527458560447198e-09,
    -3.420898771755618e-09,
)
TAIL_LOW = (8.559614849693e-17, -2.7345428955522197e-17, 3.758845109068416e-17)
"""What is lost where the first coefficients are rounded."""

# the same two for erf
LONG_ERROR = (
    0.12837916709551256,
    -0.3761263890318355,
    0.11283791670945251,
    -0.026866170643275955,
    0.0052239776074217955,
    -0.0008548325989635377,
    0.00012055295319118933,
    -1.4924744644264e-05,
    1.6447517518740786e-06,
    -1.620917518740913e-07,
    1.37229749576935e-08,
    -7.801189357443216e-10,
)
SHORT_TAIL = (
    1.0540318203057184,
    -0.8046518494391637,
    0.4539141166468342,
    -0.1712511452610098,
    0.028361550212769003,
    0.008393046997124521,
    -0.004818767499148245,
    -0.00043920040090480187,
    0.0007021581699175987,
    5.487315593988422e-05,
    -0.0001233848040925825,
    -3.8767892182268144e-05,
    -3.2592026858097494e-07,
)


def _bell(a: Real) -> tuple[Pair, Whole]:
    """Find m and n with ``exp(-a**2) = m * 2**n`` for 0 <= a <= LARGEST; nothing is lost where a**2 is rounded."""
    square = Pair.product(a, a)
    n, r = reduced(-square.high)
    p = exp_less_one(r)
    decay = Pair.fast_sum(a.lift(1.0), p.high)
    return Pair(decay.high, (-square.low).fma(decay.high, decay.low + p.low)), n


def _tail(a: Real) -> tuple[Real, Whole]:
    """Find m and n with ``erfc(a) = m * 2**n`` for a >= 1/2."""
    a = a.at_most(LARGEST)
    decay, n = _bell(a)
    one = a.lift(1.0)
    below = Pair.sum(a, a.lift(TAIL_CENTRE))
    inverse = quotient(Pair(one, a.lift(0.0)), below)
    t = quotient(Pair.sum(a, a.lift(-TAIL_CENTRE)), below)
    rest = t.high.polynomial(TAIL[6:])
    for coefficient in TAIL[5:1:-1]:
        rest = t.high.fma(rest, coefficient)
    slope = _plus(TAIL[1], Pair.product(t.high, rest))
    product = Pair.product(t.high, slope.high)
    value = _plus(TAIL[0], Pair(product.high, t.high.fma(slope.low, product.low)))
    value = Pair(value.high, t.low.fma(t.high.fma(rest, slope.high), value.low + t.high.polynomial(TAIL_LOW)))
    factor = _times(value, inverse)
    return _times(factor, decay).high, n


def _times(a: Pair, b: Pair) -> Pair:
    product = Pair.product(a.high, b.high)
    return Pair.fast_sum(product.high, product.low + a.high.fma(b.low, a.low * b.high))


def _plus(constant: float, x: Pair) -> Pair:
    total = Pair.sum(x.high.lift(constant), x.high)
    return Pair(total.high, total.low + x.low)


def erf(x: Real) -> Real:
    """The error function."""
    u = x * x
    near = x + x * u.polynomial(LONG_ERROR)
    a = abs(x).at_most(LARGEST)
    bell, n = _bell(a)
    decay = bell.high * (a < WHOLE).choose(power_of_two(n), 0.0)
    inverse = 1.0 / (a + SHORT_TAIL_CENTRE)
    tail = ((a - SHORT_TAIL_CENTRE) * inverse).polynomial(SHORT_TAIL) * inverse * decay
    return (abs(x) < LONG).choose(near, (1.0 - tail).signed(x.sign()))


def erfc(x: Real) -> Real:
    """Its complement, which keeps its digits where it is small."""
    a = abs(x)
    tail = scaled(*_tail(a))
    u = x * x
    near = Pair.fast_sum(x.lift(1.0), -x)
    close = near.high + (near.low - x * u.polynomial(ERROR))
    return (a < 0.5).choose(close, (x < 0.0).choose(2.0 - tail, tail))


def erf_slope(x: Real) -> Real:
    """The derivative of erf, ``2 / sqrt(pi) * exp(-x**2)``."""
    decay, n = _bell(abs(x).at_most(LARGEST))
    high, low = TWO_BY_ROOT_PI
    return scaled(decay.high.fma(high, decay.high.fma(low, decay.low * high)), n)
