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


def _tanh_slope(x: float) -> float:
    decay = math.exp(-abs(x))
    root = 2.0 * decay / (1.0 + decay * decay)
    return root * root


def _logistic(x: float) -> float:
    decay = math.exp(-abs(x))
    return (1.0 if x >= 0.0 else decay) / (1.0 + decay)


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
        ("sinh", hyperbolic.sinh, _library("sinh")),
        ("cosh", hyperbolic.cosh, _library("cosh")),
        ("tanh", hyperbolic.tanh, _library("tanh")),
        ("tanh_slope", hyperbolic.tanh_slope, _tanh_slope),
        ("logistic", logistic.logistic, _logistic),
        ("softplus", logistic.softplus, _softplus),
        ("asin", inverse.asin, _library("asin")),
        ("acos", inverse.acos, _library("acos")),
        ("atan", inverse.atan, _library("atan")),
        ("atan2", inverse.atan2, _library("atan2")),
        ("pow", power.pow, _pow),
        ("cbrt", power.cbrt, _cbrt),
        ("erf", error.erf, _library("erf")),
        ("erfc", error.erfc, _library("erfc")),
    )
}

ROUNDINGS: dict[str, Function] = {"half": Function("half", rounding.half, _half)}
"""Exact ones, which are emitted in the same way."""
