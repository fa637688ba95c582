"""Elementary functions: exponentials, logarithms, circular and hyperbolic functions and their inverses."""

from __future__ import annotations

from collections.abc import Callable
from math import erf, erfc, pi, sqrt
from math import log as _log
from typing import Any

import numpy as np

from kernels.lazy import Lazy
from sparsejac.primitives.arithmetic import EXCHANGEABLE
from sparsejac.primitives.primitive import Rule, elementwise

LN2 = _log(2.0)
LOG2_E = 1.4426950408889634
LOG10_E = 0.4342944819032518
TWO_BY_ROOT_PI = 2.0 / sqrt(pi)


def _elementary(
    name: str, evaluate: Callable[..., Any], code: str, *partials: Rule, symmetries: tuple[tuple[int, ...], ...] = ()
) -> None:
    elementwise(name, evaluate, code, *partials, weight=16, symmetries=symmetries)


def _slope_of_tan(x: Any) -> Any:
    return 1.0 + np.square(np.tan(x))


def _slope_of_arcsin(x: Any) -> Any:
    return 1.0 / np.sqrt((1.0 - x) * (1.0 + x))


def _slope_of_arctan(x: Any) -> Any:
    """A square that is too large is never formed."""
    return np.where(np.absolute(x) > 2.0**400, 1.0 / x / x, 1.0 / (1.0 + np.square(x)))


def _slope_of_arctan2(x: Any, y: Any) -> Any:
    """``x / (x**2 + y**2)``, the derivative of arctan2(y, x) by y; scaled: squares are neither 0 nor infinite."""
    largest = np.fmax(np.absolute(x), np.absolute(y))
    factor = np.where(largest > 2.0**400, 2.0**-600, np.where(largest < 2.0**-400, 2.0**600, 1.0))
    a, b = x * factor, y * factor
    slope = a / (a * a + b * b) * factor
    return np.where(np.isinf(x) & ~np.isnan(y), np.copysign(0.0, x), slope)


_elementary("exp", np.exp, "elementary.exp({0})", lambda y, x: y)
_elementary("exp2", np.exp2, "elementary.exp2({0})", lambda y, x: y * LN2)
_elementary("expm1", np.expm1, "elementary.expm1({0})", lambda y, x: x.call("exp"))
_elementary("log", np.log, "elementary.log({0})", lambda y, x: 1.0 / x)
_elementary("log2", np.log2, "elementary.log2({0})", lambda y, x: LOG2_E / x)
_elementary("log10", np.log10, "elementary.log10({0})", lambda y, x: LOG10_E / x)
_elementary("log1p", np.log1p, "elementary.log1p({0})", lambda y, x: 1.0 / (1.0 + x))
_elementary("sin", np.sin, "elementary.sin({0})", lambda y, x: x.call("cos"))
_elementary("cos", np.cos, "elementary.cos({0})", lambda y, x: -x.call("sin"))
_elementary("tan", np.tan, "elementary.tan({0})", lambda y, x: x.call("tan_slope"))
_elementary("tan_slope", _slope_of_tan, "elementary.tan_slope({0})", lambda y, x: 2.0 * (x.call("tan") * y))
_elementary("arcsin", np.arcsin, "elementary.asin({0})", lambda y, x: x.call("arcsin_slope"))
_elementary("arccos", np.arccos, "elementary.acos({0})", lambda y, x: -x.call("arcsin_slope"))
_elementary("arcsin_slope", _slope_of_arcsin, "elementary.asin_slope({0})", lambda y, x: (x * y) * (y * y))
_elementary("arctan", np.arctan, "elementary.atan({0})", lambda y, x: x.call("arctan_slope"))
_elementary("arctan_slope", _slope_of_arctan, "elementary.atan_slope({0})", lambda y, x: -2.0 * ((x * y) * y))
_elementary(
    "arctan2",
    np.arctan2,
    "elementary.atan2({0}, {1})",
    lambda y, a, b: b.call("arctan2_slope", a),
    lambda y, a, b: -a.call("arctan2_slope", b),
)
_elementary(
    "arctan2_slope",
    _slope_of_arctan2,
    "elementary.atan2_slope({0}, {1})",
    lambda y, a, b: (b.call("arctan2_slope", a) - y) * (b.call("arctan2_slope", a) + y),
    lambda y, a, b: -2.0 * (b.call("arctan2_slope", a) * y),
)
_elementary("sinh", np.sinh, "elementary.sinh({0})", lambda y, x: x.call("cosh"))
_elementary("cosh", np.cosh, "elementary.cosh({0})", lambda y, x: x.call("sinh"))


def _slope_of_tanh(x: Any) -> Any:
    decay = np.exp(-np.absolute(x))
    root = 2.0 * decay / (1.0 + decay * decay)
    return root * root


# 1 - y**2 would cancel in the tails.
_elementary("tanh", np.tanh, "elementary.tanh({0})", lambda y, x: x.call("tanh_slope"))
_elementary("tanh_slope", _slope_of_tanh, "elementary.tanh_slope({0})", lambda y, x: -2.0 * (x.call("tanh") * y))
_elementary("arcsinh", np.arcsinh, "math.asinh({0})", lambda y, x: 1.0 / x.call("hypot", 1.0))
_elementary(
    "arccosh", np.arccosh, "math.acosh({0})", lambda y, x: 1.0 / ((x - 1.0).call("sqrt") * (x + 1.0).call("sqrt"))
)
_elementary("arctanh", np.arctanh, "math.atanh({0})", lambda y, x: 1.0 / ((1.0 - x) * (1.0 + x)))
_elementary(
    "logaddexp",
    np.logaddexp,
    "np.logaddexp({0}, {1})",
    lambda y, a, b: 1.0 / (1.0 + (b - a).call("exp")),
    lambda y, a, b: 1.0 / (1.0 + (a - b).call("exp")),
    symmetries=EXCHANGEABLE,
)
_elementary(
    "logaddexp2",
    np.logaddexp2,
    "np.logaddexp2({0}, {1})",
    lambda y, a, b: 1.0 / (1.0 + (b - a).call("exp2")),
    lambda y, a, b: 1.0 / (1.0 + (a - b).call("exp2")),
    symmetries=EXCHANGEABLE,
)
elementwise("deg2rad", np.deg2rad, "{0} * (math.pi / 180.0)", lambda y, x: x.lift(pi / 180.0))
elementwise("rad2deg", np.rad2deg, "{0} * (180.0 / math.pi)", lambda y, x: x.lift(180.0 / pi))


def _each(function: Callable[[float], float]) -> Callable[..., Any]:
    """A function of the math module, point by point: NumPy has none, and libm's digits are those of Python's loops."""
    pointwise = np.frompyfunc(function, 1, 1)

    def evaluate(x: Any) -> Any:
        return np.asarray(pointwise(x), dtype=np.float64)

    return evaluate


def slope_of_erf(x: Any) -> Any:
    """The derivative of erf. The square in two parts, by Dekker's splitting: exp would multiply what is lost in one."""
    a = np.minimum(np.absolute(x), 28.0)
    high = a * 134217729.0 - (a * 134217729.0 - a)
    low = a - high
    square = a * a
    decay = np.exp(-square)
    return TWO_BY_ROOT_PI * (decay - decay * (((high * high - square) + 2.0 * high * low) + low * low))


# Loaded with the first function of it that is followed.
_special = Lazy("scipy.special")


def _expit(x: Any) -> Any:
    return _special.expit(x)


def _softplus(x: Any) -> Any:
    return np.logaddexp(0.0, x)


def _slope_of_logistic(x: Any) -> Any:
    decay = np.exp(-np.absolute(x))
    return decay / np.square(1.0 + decay)


_elementary("logistic", _expit, "elementary.logistic({0})", lambda y, x: x.call("logistic_slope"))
_elementary(
    "logistic_slope",
    _slope_of_logistic,
    "elementary.logistic_slope({0})",
    lambda y, x: -(y * (0.5 * x).call("tanh")),
)
_elementary("softplus", _softplus, "elementary.softplus({0})", lambda y, x: x.call("logistic"))
_elementary("erf", _each(erf), "elementary.erf({0})", lambda y, x: x.call("erf_slope"))
_elementary("erfc", _each(erfc), "elementary.erfc({0})", lambda y, x: -x.call("erf_slope"))
_elementary("erf_slope", slope_of_erf, "elementary.erf_slope({0})", lambda y, x: -2.0 * (x * y))
