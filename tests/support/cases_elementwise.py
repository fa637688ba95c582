"""Arithmetic, elementary functions, comparisons and selections."""

from __future__ import annotations

from typing import Any

import numpy as np

from cases import Collector
from oracles import Array

collect = Collector()


@collect(9, analytic=True)
def three_point_product(x: Array) -> Any:
    """Slices of one array meet."""
    return x[2:] * x[:-2] - x[1:-1] ** 2


@collect(7, analytic=True)
def smooth_chain(x: Array) -> Any:
    """Chain of smooth elementary functions."""
    y = np.exp(-x[1:]) + np.sin(x[:-1]) * np.cos(x[1:])
    return np.tanh(y) / np.sqrt(1.0 + x[:-1] ** 2) + np.log1p(x[1:] ** 2)


@collect(6, -0.9, 0.9, analytic=True)
def inverse_functions(x: Array) -> Any:
    """Inverse trigonometric and hyperbolic functions."""
    return np.arcsin(x[1:]) + np.arccos(x[:-1]) * np.arctan(x[1:]) + np.arcsinh(x[:-1]) - np.arctanh(x[1:])


@collect(6, 1.1, 3.0, analytic=True)
def roots_and_logarithms(x: Array) -> Any:
    """Logarithms of three bases, roots, reciprocals, arccosh."""
    return np.log(x[1:]) * np.log2(x[:-1]) + np.log10(x[1:]) + np.sqrt(x[:-1]) / x[1:] + np.arccosh(x[1:])


@collect(5, 0.5, 2.0, analytic=True)
def powers(x: Array) -> Any:
    """Constant, traced, integer, negative and fractional powers."""
    y = x[1:] ** 2 + x[1:] ** 3 + x[1:] ** -1 + x[1:] ** 0.5 + x[1:] ** -2.5
    return y + x[1:] ** x[:-1] + 2.0 ** x[:-1] + np.power(x[1:], 4) + pow(x[:-1], 1.5)


@collect(8)
def exponent_family(x: Array) -> Any:
    """exp2, expm1, cbrt, square, reciprocal, radians and degrees."""
    a, b = x[:4], x[4:]
    y = np.exp2(a) + np.expm1(b) * np.square(a) + np.cbrt(b) + np.reciprocal(3.0 + a)
    return y + np.deg2rad(a) + np.rad2deg(b) + np.radians(b) - np.degrees(a)


@collect(8)
def two_argument_functions(x: Array) -> Any:
    """arctan2, hypot, logaddexp, logaddexp2 and copysign by a constant."""
    a, b = x[:4], x[4:]
    return np.arctan2(a, b) + np.hypot(a, b) * np.logaddexp(a, b) + np.logaddexp2(b, a) + np.copysign(a, -1.0)


@collect(6, analytic=True)
def reflected_operators(x: Array) -> Any:
    """Constants on the left of each operator, unary signs."""
    y = 1.0 - x[1:] + 2.0 / (5.0 + x[:-1]) + 3 * x[1:] + 1.5 ** x[:-1]
    return -y + +x[1:] - np.negative(x[:-1]) + np.positive(2.0 * x[1:])


@collect(6, analytic=True)
def constants_of_many_kinds(x: Array) -> Any:
    """Python ints, NumPy scalars, int and float32 arrays, lists as operands."""
    weights = np.arange(1, 6)
    half = np.full(5, 0.5, dtype=np.float32)
    return x[1:] * weights + half * x[:-1] ** np.int64(2) + np.float64(0.25) * x[1:] + x[:-1] * [1, 2, 3, 4, 5]


@collect(7, probes=12)
def neighbour_extremes(x: Array) -> Any:
    """np.maximum, np.minimum, fmax and fmin of neighbours."""
    return np.maximum(x[1:], x[:-1]) * 2.0 + np.minimum(x[1:], 0.3) - np.fmax(x[:-1], -0.2) * np.fmin(x[1:], x[:-1])


@collect(9)
def clipped(x: Array) -> Any:
    """np.clip, the method, one-sided bounds, array bounds."""
    y = np.clip(x[1:], -1.0, 1.0) + x[:-1].clip(0.0, None) + np.clip(x[1:], None, 0.5)
    return y + np.clip(x[:-1], np.linspace(-1.0, 0.0, 8), 1.5) + 0.1 * x[1:] + 0.2 * x[:-1]


@collect(8, probes=8)
def chosen_by_sign(x: Array) -> Any:
    """np.where with a traced condition."""
    return np.where(x[1:] > 0, x[1:] ** 2, np.sin(x[:-1]))


@collect(8)
def chosen_by_constant(x: Array) -> Any:
    """np.where with a constant condition: only the chosen side counts."""
    return np.where(np.arange(7) % 3 == 0, x[1:] * 3.0, x[:-1] ** 2)


@collect(6, exact=False)
def absolute_and_sign(x: Array) -> Any:
    """abs in three spellings, sign, fabs."""
    return np.abs(x[1:]) * np.sign(x[:-1]) + abs(x[:-1]) + np.fabs(x[1:]) * np.absolute(x[:-1])


@collect(6, exact=False)
def comparison_as_factor(x: Array) -> Any:
    """Booleans of traced values used as numbers."""
    inside = (x[1:] > -1.0) & (x[1:] <= 1.0) | ~(x[:-1] < 0.5)
    return inside * x[1:] ** 2 + (x[:-1] != 0.0) * x[:-1] + np.logical_not(inside) * 3.0


@collect(6, exact=False)
def rounding_family(x: Array) -> Any:
    """floor, ceil, rint, trunc, remainder and floor division."""
    y = x[1:] - np.floor(x[1:]) + np.ceil(x[:-1]) * x[1:] + np.rint(x[:-1]) + np.trunc(x[1:])
    return y + x[:-1] % 1.5 + (x[1:] // 0.7) * x[:-1]


@collect(6, probes=8)
def nested_selections(x: Array) -> Any:
    """Selections inside selections, both sides traced."""
    slope = np.where(x[1:] > x[:-1], x[1:] - x[:-1], 0.5 * x[:-1])
    return np.where(np.abs(slope) < 1.0, slope**2, np.maximum(slope, 2.0 * x[1:]))


@collect(5)
def dead_branch_is_not_finite(x: Array) -> Any:
    """The side of a where that is not taken has a NaN or an infinite derivative."""
    positive = x[1:] > 0
    return np.where(positive, np.sqrt(np.where(positive, x[1:], 1.0)), 0.25 * x[1:]) + x[:-1]


@collect(4, analytic=True)
def outer_product_output(x: Array) -> Any:
    """One matrix out of a vector by broadcasting."""
    return x[:, None] * np.cos(x[None, 1:]) + 1.0


@collect((3, 4), analytic=True)
def matrix_of_unknowns(x: Array) -> Any:
    """A matrix in, a matrix of another shape out."""
    return np.sin(x[1:, :]) * x[:-1, ::-1]


@collect(5, analytic=True)
def repeated_operand(x: Array) -> Any:
    """The same array on both sides of symmetric operations."""
    y = x[1:]
    return y * y + (y + y) * (y - 2.0 * y) + np.exp(y) * np.exp(y)


@collect(6, analytic=True)
def polynomial_by_horner(x: Array) -> Any:
    """A Python loop over constant coefficients."""
    y = 0.0 * x[1:]
    for coefficient in (2.0, -1.0, 0.5, 3.0):
        y = y * x[1:] + coefficient
    return y
