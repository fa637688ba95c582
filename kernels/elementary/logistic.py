"""logistic, 1 / (1 + exp(-x)), and softplus, log(1 + exp(x))."""

from __future__ import annotations

from kernels.elementary.emitter import Pair, Real, quotient
from kernels.elementary.exponential import scaled
from kernels.elementary.hyperbolic import decayed
from kernels.elementary.logarithm import log1p_of


def logistic(x: Real) -> Real:
    """1 / (1 + exp(-x))."""
    _, right, e, n, _ = decayed(abs(x))
    above = quotient(Pair(x.lift(1.0), x.lift(0.0)), right)
    below = quotient(e, right)
    return (x >= 0.0).choose(above.high + above.low, scaled(below.high + below.low, n))


def softplus(x: Real) -> Real:
    """``log(1 + exp(x))``."""
    _, _, e, n, power = decayed(abs(x))
    high = scaled(e.high, n)
    y = (high < 2.0**-60).choose(high, log1p_of(Pair(high, power * e.low)))
    return (x > 0.0).choose(x + y, x.is_nan().choose(x, y))
