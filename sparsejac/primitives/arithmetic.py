"""Arithmetic: sums, products, quotients, powers."""

from __future__ import annotations

from functools import partial, reduce
from typing import Any

import numpy as np

from sparsejac.primitives.primitive import elementwise
from sparsejac.primitives.term import Term

EXCHANGEABLE = ((0, 1),)

SMALLEST = float(np.finfo(np.float64).tiny)
"""Numbers that are not below it have a finite reciprocal."""

PRODUCTS = range(3, 5)
"""Factors of the products of several equal numbers, from left to right: such a product has one partial derivative."""


def _cube(x: Any) -> Any:
    return x * x * x


def _product(*factors: Any) -> Any:
    return reduce(np.multiply, factors)


def _power_slope(x: Any, p: Any) -> Any:
    """``p * x**(p - 1)``; what is lost where p - 1 is rounded counts as often as the logarithm of x says."""
    less = np.subtract(p, 1.0)
    power = np.power(x, less)
    part = less - p
    lost = (p - (less - part)) - (1.0 + part)
    inexact = (lost != 0.0) & np.isfinite(lost) & np.isfinite(power) & (power != 0.0)
    if np.any(inexact):
        power = np.where(inexact, power + power * (lost * np.log(np.where(inexact, np.absolute(x), 1.0))), power)
    return p * power


def _cbrt_slope(x: Any) -> Any:
    """By a root that a step of Newton's method made better: NumPy's own is off by several ulps."""
    root = np.cbrt(x)
    better = root - (root - x / (root * root)) / 3.0
    root = np.where(np.isfinite(better), better, root)
    return 1.0 / (3.0 * (root * root))


def _by_factor(k: int, y: Term, *factors: Term) -> Term:
    return reduce(Term.__mul__, [factor for j, factor in enumerate(factors) if j != k])


def _power_by_base(y: Term, x: Term, p: Term) -> Term:
    # 0 * x**-1 would be NaN where x is 0 or next to it; elsewhere it stays a power, whose derivative by p is no zero.
    invertible = x.call("absolute").call("greater_equal", SMALLEST)
    at_zero = p.call("equal", 0.0).call("logical_and", invertible.call("logical_not"))
    return at_zero.call("select", 0.0, x.call("power_slope", p))


def _power_by_exponent(y: Term, x: Term, p: Term) -> Term:
    # 0**p is 0 for p > 0, however p moves; its formula 0 * log(0) would be NaN.
    at_zero = x.call("equal", 0.0).call("logical_and", p.call("greater_equal", 0.0))
    return at_zero.call("select", 0.0, y * x.call("log"))


def _slope_by_base(y: Term, x: Term, p: Term) -> Term:
    return p * _power_by_base(y, x, p - 1.0)


def _slope_by_exponent(y: Term, x: Term, p: Term) -> Term:
    below = x.call("power", p - 1.0)
    return below + p * _power_by_exponent(below, x, p - 1.0)


elementwise("copy", np.positive, "{0}", lambda y, x: x.lift(1.0), weight=0)
elementwise("negative", np.negative, "-{0}", lambda y, x: x.lift(-1.0))
elementwise(
    "add", np.add, "{0} + {1}", lambda y, a, b: a.lift(1.0), lambda y, a, b: a.lift(1.0), symmetries=EXCHANGEABLE
)
elementwise("subtract", np.subtract, "{0} - {1}", lambda y, a, b: a.lift(1.0), lambda y, a, b: a.lift(-1.0))
elementwise("multiply", np.multiply, "{0} * {1}", lambda y, a, b: b, lambda y, a, b: a, symmetries=EXCHANGEABLE)
for _count in PRODUCTS:
    elementwise(
        f"product_{_count}",
        _product,
        " * ".join(f"{{{k}}}" for k in range(_count)),
        *(partial(_by_factor, k) for k in range(_count)),
        weight=_count - 1,
        symmetries=(tuple(range(_count)),),
    )
elementwise(
    "divide",
    np.divide,
    "{0} / {1}",
    lambda y, a, b: 1.0 / b,
    lambda y, a, b: -(y / b),
    weight=4,
    equal=lambda y, a, b: (1.0 - y) / b,
)
elementwise("reciprocal", np.reciprocal, "1.0 / {0}", lambda y, x: -(y * y), weight=4)
elementwise("square", np.square, "{0} * {0}", lambda y, x: 2.0 * x)
# Within an ulp of NumPy's power, at a tenth of its price.
elementwise("cube", _cube, "{0} * {0} * {0}", lambda y, x: 3.0 * (x * x), weight=2)
elementwise("sqrt", np.sqrt, "math.sqrt({0})", lambda y, x: 0.5 / y, weight=4)
elementwise("cbrt", np.cbrt, "elementary.cbrt({0})", lambda y, x: x.call("cbrt_slope"), weight=16)
elementwise("cbrt_slope", _cbrt_slope, "elementary.cbrt_slope({0})", lambda y, x: (-2.0 / 3.0) * (y / x), weight=16)
elementwise("power", np.power, "elementary.pow({0}, {1})", _power_by_base, _power_by_exponent, weight=32)
elementwise(
    "power_slope",
    _power_slope,
    "elementary.pow_slope({0}, {1})",
    _slope_by_base,
    _slope_by_exponent,
    weight=34,
)
elementwise(
    "hypot",
    np.hypot,
    "math.hypot({0}, {1})",
    lambda y, a, b: y.call("equal", 0.0).call("select", 0.0, a / y),
    lambda y, a, b: y.call("equal", 0.0).call("select", 0.0, b / y),
    weight=16,
    symmetries=EXCHANGEABLE,
)
elementwise("absolute", np.absolute, "abs({0})", lambda y, x: x.call("sign"))
elementwise(
    "remainder",
    np.remainder,
    "{0} % {1}",
    lambda y, a, b: a.lift(1.0),
    lambda y, a, b: -a.call("floor_divide", b),
    weight=8,
)
elementwise(
    "fmod",
    np.fmod,
    "np.fmod({0}, {1})",
    lambda y, a, b: a.lift(1.0),
    lambda y, a, b: -((a - y) / b).call("rint"),
    weight=8,
)
elementwise("sign", np.sign, "np.sign({0}) + 0.0", None)
elementwise("floor", np.floor, "np.floor({0})", None)
elementwise("ceil", np.ceil, "np.ceil({0})", None)
elementwise("trunc", np.trunc, "np.trunc({0})", None)
elementwise("rint", np.rint, "np.rint({0})", None)
elementwise(
    "floor_divide",
    np.floor_divide,
    "{0} // {1}",
    None,
    None,
    weight=8,
)
