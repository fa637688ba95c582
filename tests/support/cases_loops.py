"""Python loops over scalars, math functions, helpers, classes, branches on values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, sin
from typing import Any

import numpy as np
from numpy import sqrt, zeros

from cases import Collector
from oracles import Array

collect = Collector()


@collect(12)
def broyden_tridiagonal(x: Array) -> Any:
    """Broyden's tridiagonal function as a scalar loop."""
    n = len(x)
    y = np.zeros(n)
    for i in range(n):
        y[i] = (3.0 - 2.0 * x[i]) * x[i] + 1.0
        if i > 0:
            y[i] -= x[i - 1]
        if i < n - 1:
            y[i] -= 2.0 * x[i + 1]
    return y[1:]


@collect(10, analytic=True)
def rosenbrock(x: Array) -> Any:
    """A scalar accumulated in a loop."""
    s = 0.0
    for i in range(len(x) - 1):
        s += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return s


@collect(9, analytic=True)
def rosenbrock_residuals(x: Array) -> Any:
    """A list of scalars appended in a loop."""
    out = []
    for a, b in zip(x[:-1], x[1:], strict=True):  # noqa: RUF007 (zip of slices is what is tested)
        out.append(10.0 * (b - a**2))
        out.append(1.0 - a)
    return np.array(out)


@collect(6, 0.2, 1.5)
def math_functions(x: Array) -> Any:
    """The math module on scalars."""
    out = np.zeros(5)
    for i in range(5):
        a, b = x[i], x[i + 1]
        out[i] = math.exp(a) * math.sin(b) + math.log(a + 1.0, 2) - math.sqrt(b) * math.tanh(a) + math.pi * a
        out[i] += math.hypot(a, b) + math.atan2(a, b) + math.pow(a, 1.5) + math.fabs(a - 3.0) + math.log10(b)
        out[i] += math.cosh(a) - math.sinh(b) + math.atan(a) + math.asin(a / 2) + math.acos(b / 2) + math.log1p(a)
        out[i] += math.expm1(b) + math.radians(a) + math.degrees(b) + math.cos(a) * math.tan(b / 2)
    return out


@collect(7)
def names_bound_before(x: Array) -> Any:
    """From math import exp, sin; from numpy import zeros, sqrt."""
    y = zeros(6)
    for i in range(6):
        y[i] = exp(-x[i]) * sin(x[i + 1]) + sqrt(1.0 + x[i] ** 2)
    return y


@collect(8, analytic=True)
def chained_recurrence(x: Array) -> Any:
    """Each output depends on all the unknowns before it."""
    s = 1.0
    out = []
    for v in x:
        s = 0.5 * s + v * s * 0.1 + v**2
        out.append(s)
    return out[2:]


@collect((4, 5))
def nested_loops_over_a_grid(u: Array) -> Any:
    """The five-point stencil in two nested loops with boundary tests."""
    m, n = u.shape
    out = np.zeros((m, n))
    for i in range(m):
        for j in range(n):
            centre = u[i, j]
            s = -4.0 * centre + 0.1 * math.exp(centre)
            if i > 0:
                s += u[i - 1, j]
            if i < m - 1:
                s += u[i + 1, j]
            if j > 0:
                s += u[i, j - 1]
            if j < n - 1:
                s += u[i][j + 1]
            out[i, j] = s
    return out[:, 1:]


@collect(9, analytic=True)
def extended_powell(x: Array) -> Any:
    """Groups of four with slices in a loop; the last unknown is shared."""
    out = []
    for k in range(0, 8, 4):
        a, b, c, d = x[k : k + 4]
        out += [a + 10.0 * b, 5.0**0.5 * (c - d) * x[8], (b - 2.0 * c) ** 2, 10.0**0.5 * (a - d) ** 2]
    return np.asarray(out)


@collect(11, analytic=True)
def three_loops(x: Array) -> Any:
    """Several loops of different bodies over one buffer."""
    y = np.zeros(14, dtype=x.dtype)
    for i in range(1, 10):
        y[i] = x[i - 1] * x[i + 1]
    for i in range(0, 14, 3):
        y[i] += x[i % 11] ** 2
    for i in reversed(range(5)):
        y[10 + i % 4] += y[i] * 0.5
    return y


@collect(7, analytic=True)
def triangular_solve_by_hand(x: Array) -> Any:
    """Forward substitution with a constant matrix."""
    lower = np.tril(np.ones((7, 7)) * 0.2) + np.eye(7)
    y: list[Any] = []
    for i in range(7):
        s = x[i] ** 2
        for j in range(i):
            s -= lower[i, j] * y[j]
        y.append(s / lower[i, i])
    return y[1:]


@collect(9, analytic=True)
def thomas_algorithm(x: Array) -> Any:
    """Tridiagonal elimination whose right-hand side and off-diagonal are unknown."""
    n = 5
    off, d = x[:4], x[4:].copy()
    diagonal = np.full(n, 6.0, dtype=x.dtype)
    for i in range(1, n):
        w = off[i - 1] / diagonal[i - 1]
        diagonal[i] -= w * off[i - 1]
        d[i] -= w * d[i - 1]
    out = np.zeros(n, dtype=x.dtype)
    out[-1] = d[-1] / diagonal[-1]
    for i in range(n - 2, -1, -1):
        out[i] = (d[i] - off[i] * out[i + 1]) / diagonal[i]
    return out


def _flux(a: Any, b: Any, speed: float = 0.7) -> Any:
    """Lax-Friedrichs flux of Burgers' equation."""
    return 0.25 * (a * a + b * b) - 0.5 * speed * (b - a)


@collect(9, analytic=True)
def helper_functions(x: Array) -> Any:
    """Calls of helpers with scalars and with arrays."""
    inner = _flux(x[1:-1], x[2:]) - _flux(x[:-2], x[1:-1])
    first = _flux(x[0], x[1], speed=0.9)
    return np.concatenate([[first], inner])


@dataclass
class Reactor:
    """A user's class with parameters and a method."""

    rates: dict[str, float]
    volume: float = 2.0

    def residual(self, c: Array) -> Any:
        """Mass balance of A -> B -> C with a reversible second step."""
        forward = self.rates["k1"] * c[0]
        second = self.rates["k2"] * c[1] - self.rates["k3"] * c[2] ** 2
        return np.array([-forward, forward - second, second, sum(c) - self.volume])


@collect(3, 0.1, 1.0, analytic=True)
def class_with_a_method(c: Array) -> Any:
    """A bound method of a dataclass."""
    return Reactor({"k1": 0.4, "k2": 3.0, "k3": 0.2}).residual(c)


def _make_residual(data: Array) -> Callable[[Array], Any]:
    """Close over data and a mutable list."""
    history: list[float] = [1.0]

    def residual(p: Any) -> Any:
        history.append(2.0)
        return data - p[0] * np.exp(-p[1] * np.arange(data.size)) - p[2]

    return residual


@collect(3, 0.1, 1.0, analytic=True)
def closure_over_data(p: Array) -> Any:
    """A curve fit residual through a closure."""
    return _make_residual(np.linspace(2.0, 0.5, 8))(p)


@collect(6, 0.5, 2.0, analytic=True)
def recursion(x: Array) -> Any:
    """A continued fraction by recursion, twice."""

    def fraction(i: int) -> Any:
        return x[i] if i == 5 else x[i] + 1.0 / fraction(i + 1)

    return np.array([fraction(0), fraction(3)])


@collect(5, branches=True)
def branch_on_value(x: Array) -> Any:
    """If on one unknown, both ways with other structure."""
    if x[0] > 0:
        return x[1:] ** 2 + x[0]
    return x[1:] * x[:-1]


@collect(6, branches=True)
def branch_per_element(x: Array) -> Any:
    """A branch per element of a loop: Huber's loss."""
    out = np.zeros(5)
    for i in range(5):
        r = x[i + 1] - x[i]
        if abs(r) <= 1.0:
            out[i] = 0.5 * r * r
        elif r > 0 and not r < 1.0:
            out[i] = r - 0.5
        else:
            out[i] = -r - 0.5
    return out


@collect(4, 0.5, 3.0, branches=True)
def newton_inner_loop(x: Array) -> Any:
    """While err > tol: each unknown passes through a scalar Newton solve of y + y^3 = x."""
    out = np.zeros(3)
    for i in range(3):
        y = x[i]
        err = 1.0
        while err > 1e-13:
            step = (y + y**3 - x[i]) / (1.0 + 3.0 * y**2)
            y = y - step
            err = abs(step)
        out[i] = y * x[i + 1]
    return out


@collect(5, 0.5, 2.0, branches=True)
def fixed_point_with_break(x: Array) -> Any:
    """For ... break on a norm of the change."""
    y = np.ones(4)
    for _ in range(200):
        new = 0.3 * np.cos(y) + x[1:] * 0.5
        change = np.linalg.norm(new - y)
        y = new
        if change < 1e-14:
            break
    return y * x[0]


@collect(6, branches=True)
def branch_on_reduction(x: Array) -> Any:
    """any, all, sum and the truth of a comparison decide."""
    y = x[1:] * 2.0
    if np.any(x > 1.5) or (x[0] > x[1] and x.sum() > 0.0):
        y = y + x[:-1] ** 2
    if np.all(x < 100.0) and np.isfinite(x).all():
        y = y * x[0]
    return y


@collect(6, branches=True)
def python_extremes(x: Array) -> Any:
    """Python's max, min and abs of scalars."""
    biggest = max(x[0], x[1], x[2])
    return np.array([biggest * x[3], min(x[4], 0.25) + abs(x[5]), max(0.0, x[5]) + x[0], max(x[1:4])])


@collect(5, branches=True)
def early_return_and_assert(x: Array) -> Any:
    """Asserts and early returns on values."""
    assert np.all(np.isfinite(x)), "bad state"
    if not x[0] ** 2 < 1e6:
        return np.zeros(3)
    return x[:3] * x[2:]


@collect(6, analytic=True)
def list_state(y: Array) -> Any:
    """Lists of traced scalars as vectors, comprehension style."""
    position, velocity = list(y[:3]), list(y[3:])
    force = [-2.0 * p - 0.1 * v**3 for p, v in zip(position, velocity, strict=True)]
    force[1] += position[0]
    return velocity + force[:2]


@collect(5, analytic=True)
def scalar_constants_in_loops(x: Array) -> Any:
    """Constant tables and index arithmetic inside a scalar loop; the i = 0 turn has a zero factor."""
    h = 1.0 / 8
    weights = [1.0, 4.0, 2.0, 4.0, 1.0]
    out = []
    for i in range(8):
        out.append(weights[i % 5] * x[i % 5] * (i * h) + (i * h) ** 2 * x[(2 * i) % 5] ** 2 + x[4])
    return np.array(out)


@collect(4, analytic=True)
def runge_kutta_steps(x: Array) -> Any:
    """Three RK4 steps of a Lotka-Volterra system whose rates are unknown too."""

    def rhs(state: Any) -> Any:
        a, b = state
        return np.array([x[2] * a - a * b, a * b - x[3] * b])

    y = x[:2] * 1.0
    h = 0.05
    for _ in range(3):
        k1 = rhs(y)
        k2 = rhs(y + 0.5 * h * k1)
        k3 = rhs(y + 0.5 * h * k2)
        k4 = rhs(y + h * k3)
        y = y + h / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.concatenate([y, y[:1] * x[2]])
