"""logistic, 1 / (1 + exp(-x)), with its derivative, and softplus, log(1 + exp(x))."""

from __future__ import annotations

from kernels.elementary.emitter import Pair, Real, Whole, quotient
from kernels.elementary.exponential import scaled
from kernels.elementary.hyperbolic import decayed
from kernels.elementary.logarithm import log1p_of


def logistic(x: Real) -> Real:
    """1 / (1 + exp(-x))."""
    above, below, n = _halves(x)
    return (x >= 0.0).choose(above.high + above.low, scaled(below.high + below.low, n))


def logistic_slope(x: Real) -> Real:
    """The derivative of logistic, ``logistic(x) * logistic(-x)``."""
    above, below, n = _halves(x)
    return scaled(below.high.fma(above.high, below.high.fma(above.low, below.low * above.high)), n)


def _halves(x: Real) -> tuple[Pair, Pair, Whole]:
    """Find p, q and n with ``logistic(abs(x)) = p`` and ``logistic(-abs(x)) = q * 2**n``."""
    _, right, e, n, _ = decayed(abs(x))
    return quotient(Pair(x.lift(1.0), x.lift(0.0)), right), quotient(e, right), n


def softplus(x: Real) -> Real:
    """``log(1 + exp(x))``."""
    _, _, e, n, power = decayed(abs(x))
    high = scaled(e.high, n)
    y = (high < 2.0**-60).choose(high, log1p_of(Pair(high, power * e.low)))
    return (x > 0.0).choose(x + y, x.is_nan().choose(x, y))
