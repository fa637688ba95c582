"""The table of the elementary functions: how each is emitted, and a plain twin where nothing is compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kernels.elementary import circular, error, exponential, hyperbolic, inverse, logarithm, logistic, power, rounding
from kernels.elementary.emitter import Real


@dataclass(frozen=True)
class Function:
    """One elementary function.

    Parameters
    ----------
    name : str
    emit : callable
        Appends its code: reals in, a real out.
    plain : callable
        The same by the math module, for numba to compile where the processor has no fused multiply-add.
    """

    name: str
    emit: Callable[..., Real]
    plain: Callable[..., float]


def _library(name: str) -> Callable[..., float]:
    function = getattr(math, name)
    return (lambda y, x: function(y, x)) if name == "atan2" else (lambda x: float(function(x)))


def _exp2(x: float) -> float:
    return float(2.0**x)


def _pow(x: float, y: float) -> float:
    return float(x**y)


def _cbrt(x: float) -> float:
    return float(np.cbrt(x))


def _tan_slope(x: float) -> float:
    return 1.0 + math.tan(x) ** 2


def _asin_slope(x: float) -> float:
    return float(np.divide(1.0, math.sqrt((1.0 - x) * (1.0 + x))))


def _atan_slope(x: float) -> float:
    return 1.0 / x / x if abs(x) > 2.0**400 else 1.0 / (1.0 + x * x)


def _atan2_slope(x: float, y: float) -> float:
    largest = max(abs(x), abs(y))
    if math.isinf(largest) or math.isinf(y):
        return x + y if x != x or y != y else math.copysign(0.0, x)
    factor = 2.0**-600 if largest > 2.0**400 else 2.0**600 if largest < 2.0**-400 else 1.0
    a, b = x * factor, y * factor
    return float(np.divide(a, a * a + b * b)) * factor


def _pow_slope(x: float, y: float) -> float:
    less = y - 1.0
    part = less - y
    lost = (y - (less - part)) - (1.0 + part)
    power = float(x**less)
    if lost != 0.0 and 0.0 < abs(power) < math.inf:
        power += power * (lost * math.log(abs(x)))
    return y * power


def _cbrt_slope(x: float) -> float:
    root = float(np.cbrt(x))
    return float(np.divide(1.0, 3.0 * (root * root)))


def _erf_slope(x: float) -> float:
    """The square in two parts, by Dekker's splitting."""
    a = min(abs(x), 28.0) if x == x else x
    high = a * 134217729.0 - (a * 134217729.0 - a)
    low = a - high
    square = a * a
    decay = math.exp(-square)
    return 2.0 / math.sqrt(math.pi) * (decay - decay * (((high * high - square) + 2.0 * high * low) + low * low))


def _tanh_slope(x: float) -> float:
    decay = math.exp(-abs(x))
    root = 2.0 * decay / (1.0 + decay * decay)
    return root * root


def _logistic(x: float) -> float:
    decay = math.exp(-abs(x))
    return (1.0 if x >= 0.0 else decay) / (1.0 + decay)


def _logistic_slope(x: float) -> float:
    decay = math.exp(-abs(x))
    return decay / (1.0 + decay) / (1.0 + decay)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _half(x: float) -> float:
    unit = math.ldexp(1.0, max(math.frexp(x)[1], -13) - 11)
    return float(np.rint(x / unit)) * unit if not abs(x) >= 65520.0 else math.copysign(math.inf, x)


FUNCTIONS: dict[str, Function] = {
    name: Function(name, emit, plain)
    for name, emit, plain in (
        ("exp", exponential.exp, _library("exp")),
        ("exp2", exponential.exp2, _exp2),
        ("expm1", exponential.expm1, _library("expm1")),
        ("log", logarithm.log, _library("log")),
        ("log2", logarithm.log2, _library("log2")),
        ("log10", logarithm.log10, _library("log10")),
        ("log1p", logarithm.log1p, _library("log1p")),
        ("sin", circular.sin, _library("sin")),
        ("cos", circular.cos, _library("cos")),
        ("tan", circular.tan, _library("tan")),
        ("tan_slope", circular.tan_slope, _tan_slope),
        ("sinh", hyperbolic.sinh, _library("sinh")),
        ("cosh", hyperbolic.cosh, _library("cosh")),
        ("tanh", hyperbolic.tanh, _library("tanh")),
        ("tanh_slope", hyperbolic.tanh_slope, _tanh_slope),
        ("logistic", logistic.logistic, _logistic),
        ("logistic_slope", logistic.logistic_slope, _logistic_slope),
        ("softplus", logistic.softplus, _softplus),
        ("asin", inverse.asin, _library("asin")),
        ("asin_slope", inverse.asin_slope, _asin_slope),
        ("acos", inverse.acos, _library("acos")),
        ("atan", inverse.atan, _library("atan")),
        ("atan_slope", inverse.atan_slope, _atan_slope),
        ("atan2", inverse.atan2, _library("atan2")),
        ("atan2_slope", inverse.atan2_slope, _atan2_slope),
        ("pow", power.pow, _pow),
        ("pow_slope", power.pow_slope, _pow_slope),
        ("cbrt", power.cbrt, _cbrt),
        ("cbrt_slope", power.cbrt_slope, _cbrt_slope),
        ("erf", error.erf, _library("erf")),
        ("erf_slope", error.erf_slope, _erf_slope),
        ("erfc", error.erfc, _library("erfc")),
    )
}

ROUNDINGS: dict[str, Function] = {"half": Function("half", rounding.half, _half)}
"""Exact ones, which are emitted in the same way."""
