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
from sparsejac.primitives.term import Term

LN2 = _log(2.0)
LN10 = _log(10.0)


def _elementary(
    name: str, evaluate: Callable[..., Any], code: str, *partials: Rule, symmetries: tuple[tuple[int, ...], ...] = ()
) -> None:
    elementwise(name, evaluate, code, *partials, weight=16, symmetries=symmetries)


_elementary("exp", np.exp, "elementary.exp({0})", lambda y, x: y)
_elementary("exp2", np.exp2, "elementary.exp2({0})", lambda y, x: y * LN2)
_elementary("expm1", np.expm1, "elementary.expm1({0})", lambda y, x: x.call("exp"))
_elementary("log", np.log, "elementary.log({0})", lambda y, x: 1.0 / x)
_elementary("log2", np.log2, "elementary.log2({0})", lambda y, x: 1.0 / (x * LN2))
_elementary("log10", np.log10, "elementary.log10({0})", lambda y, x: 1.0 / (x * LN10))
_elementary("log1p", np.log1p, "elementary.log1p({0})", lambda y, x: 1.0 / (1.0 + x))
_elementary("sin", np.sin, "elementary.sin({0})", lambda y, x: x.call("cos"))
_elementary("cos", np.cos, "elementary.cos({0})", lambda y, x: -x.call("sin"))
_elementary("tan", np.tan, "elementary.tan({0})", lambda y, x: 1.0 + y * y)
_elementary("arcsin", np.arcsin, "elementary.asin({0})", lambda y, x: 1.0 / ((1.0 - x) * (1.0 + x)).call("sqrt"))
_elementary("arccos", np.arccos, "elementary.acos({0})", lambda y, x: -1.0 / ((1.0 - x) * (1.0 + x)).call("sqrt"))
_elementary("arctan", np.arctan, "elementary.atan({0})", lambda y, x: 1.0 / (1.0 + x * x))
_elementary(
    "arctan2",
    np.arctan2,
    "elementary.atan2({0}, {1})",
    lambda y, a, b: (b / a.call("hypot", b)) / a.call("hypot", b),
    lambda y, a, b: -((a / a.call("hypot", b)) / a.call("hypot", b)),
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


def _bell(x: Term) -> Term:
    """The derivative of the error function."""
    return (2.0 / sqrt(pi)) * (-(x * x)).call("exp")


# Loaded with the first function of it that is followed.
_special = Lazy("scipy.special")


def _expit(x: Any) -> Any:
    return _special.expit(x)


def _softplus(x: Any) -> Any:
    return np.logaddexp(0.0, x)


_elementary("logistic", _expit, "elementary.logistic({0})", lambda y, x: y * (-x).call("logistic"))
_elementary("softplus", _softplus, "elementary.softplus({0})", lambda y, x: x.call("logistic"))
_elementary("erf", _each(erf), "elementary.erf({0})", lambda y, x: _bell(x))
_elementary("erfc", _each(erfc), "elementary.erfc({0})", lambda y, x: -_bell(x))
