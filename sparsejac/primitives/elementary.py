"""Elementary functions: exponentials, logarithms, circular and hyperbolic functions and their inverses."""

from __future__ import annotations

from collections.abc import Callable
from math import erf, erfc, pi, sqrt
from math import log as _log
from typing import Any

import numpy as np

from sparsejac.primitives.primitive import Rule, elementwise
from sparsejac.primitives.term import Term

LN2 = _log(2.0)
LN10 = _log(10.0)


def _elementary(name: str, evaluate: Callable[..., Any], code: str, *partials: Rule) -> None:
    elementwise(name, evaluate, code, *partials, weight=16)


_elementary("exp", np.exp, "math.exp({0})", lambda y, x: y)
_elementary("exp2", np.exp2, "2.0 ** {0}", lambda y, x: y * LN2)
_elementary("expm1", np.expm1, "math.expm1({0})", lambda y, x: x.call("exp"))
_elementary("log", np.log, "math.log({0})", lambda y, x: 1.0 / x)
_elementary("log2", np.log2, "math.log2({0})", lambda y, x: 1.0 / (x * LN2))
_elementary("log10", np.log10, "math.log10({0})", lambda y, x: 1.0 / (x * LN10))
_elementary("log1p", np.log1p, "math.log1p({0})", lambda y, x: 1.0 / (1.0 + x))
_elementary("sin", np.sin, "math.sin({0})", lambda y, x: x.call("cos"))
_elementary("cos", np.cos, "math.cos({0})", lambda y, x: -x.call("sin"))
_elementary("tan", np.tan, "math.tan({0})", lambda y, x: 1.0 + y * y)
_elementary("arcsin", np.arcsin, "math.asin({0})", lambda y, x: 1.0 / ((1.0 - x) * (1.0 + x)).call("sqrt"))
_elementary("arccos", np.arccos, "math.acos({0})", lambda y, x: -1.0 / ((1.0 - x) * (1.0 + x)).call("sqrt"))
_elementary("arctan", np.arctan, "math.atan({0})", lambda y, x: 1.0 / (1.0 + x * x))
_elementary(
    "arctan2",
    np.arctan2,
    "math.atan2({0}, {1})",
    lambda y, a, b: (b / a.call("hypot", b)) / a.call("hypot", b),
    lambda y, a, b: -((a / a.call("hypot", b)) / a.call("hypot", b)),
)
_elementary("sinh", np.sinh, "math.sinh({0})", lambda y, x: x.call("cosh"))
_elementary("cosh", np.cosh, "math.cosh({0})", lambda y, x: x.call("sinh"))
# 1 - y**2 and y + 1 would cancel in the tails.
_elementary("tanh", np.tanh, "math.tanh({0})", lambda y, x: 1.0 / x.call("cosh").call("square"))
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
)
_elementary(
    "logaddexp2",
    np.logaddexp2,
    "np.logaddexp2({0}, {1})",
    lambda y, a, b: 1.0 / (1.0 + (b - a).call("exp2")),
    lambda y, a, b: 1.0 / (1.0 + (a - b).call("exp2")),
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


_elementary("erf", _each(erf), "math.erf({0})", lambda y, x: _bell(x))
_elementary("erfc", _each(erfc), "math.erfc({0})", lambda y, x: -_bell(x))
