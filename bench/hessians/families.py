"""Families of objectives, each in plain NumPy and in the terms of other tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.families.family import Floats, side, start
from bench.families.registry import FAMILIES as RESIDUALS
from bench.rewritten.dialect import Dialect, Vector
from bench.rewritten.registry import rewritten

Rewritten = Callable[[Dialect, Vector], Vector]


@dataclass(frozen=True)
class Objective:
    """A function to be minimized.

    Parameters
    ----------
    f : callable
        In plain NumPy.
    rewritten : callable
        The same in a dialect; it gives a vector of one.
    x : array
    """

    f: Callable[[Any], Any]
    rewritten: Rewritten
    x: Floats


def rosenbrock(n: int) -> Objective:
    def f(x: Floats) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    def other(d: Dialect, x: Vector) -> Vector:
        return d.total(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return Objective(f, other, start(n))


def arrow(n: int) -> Objective:
    def f(x: Floats) -> Any:
        return np.sum(np.sin(x[0] * x[1:])) + np.sum(x**4)

    def other(d: Dialect, x: Vector) -> Vector:
        return d.total(d.sin(x[0] * x[1:])) + d.total(x**4)

    return Objective(f, other, start(n))


def banded(n: int) -> Objective:
    def f(x: Floats) -> Any:
        return sum(np.sum(np.exp(-((x[k:] - x[:-k]) ** 2))) for k in range(1, 5))

    def other(d: Dialect, x: Vector) -> Vector:
        parts = [d.total(d.exp(-((x[k:] - x[:-k]) ** 2))) for k in range(1, 5)]
        return parts[0] + parts[1] + parts[2] + parts[3]

    return Objective(f, other, start(n))


def separable(n: int) -> Objective:
    def f(x: Floats) -> Any:
        return np.sum(np.exp(x) * x**2)

    return Objective(f, lambda d, x: d.total(d.exp(x) * x**2), start(n))


def log_sum_exp(n: int) -> Objective:
    def f(x: Floats) -> Any:
        return np.log(np.sum(np.exp(x)))

    return Objective(f, lambda d, x: d.log(d.total(d.exp(x))), start(min(n, 300)))


def woods(n: int) -> Objective:
    def terms(a: Any, b: Any, c: Any, d: Any) -> Any:
        first = 100.0 * (b - a**2) ** 2 + (1.0 - a) ** 2 + 90.0 * (d - c**2) ** 2 + (1.0 - c) ** 2
        return first + 10.0 * (b + d - 2.0) ** 2 + 0.1 * (b - d) ** 2

    def f(x: Floats) -> Any:
        return np.sum(terms(x[0::4], x[1::4], x[2::4], x[3::4]))

    def other(d: Dialect, x: Vector) -> Vector:
        return d.total(terms(x[0::4], x[1::4], x[2::4], x[3::4]))

    return Objective(f, other, start(max(n // 4, 1) * 4))


def liarwhd(n: int) -> Objective:
    def f(x: Floats) -> Any:
        return np.sum(4.0 * (x**2 - x[0]) ** 2) + np.sum((x - 1.0) ** 2)

    def other(d: Dialect, x: Vector) -> Vector:
        return d.total(4.0 * (x**2 - x[0]) ** 2) + d.total((x - 1.0) ** 2)

    return Objective(f, other, start(n))


def minimal_surface(n: int) -> Objective:
    m = side(n)
    corner = np.arange(m * m).reshape(m, m)[:-1, :-1].ravel()

    def f(x: Floats) -> Any:
        u = x.reshape(m, m)
        a, b = u[1:, 1:] - u[:-1, :-1], u[1:, :-1] - u[:-1, 1:]
        return np.sum(np.sqrt(1.0 + 0.5 * (m - 1) ** 2 * (a * a + b * b)))

    def other(d: Dialect, x: Vector) -> Vector:
        low, right, below, across = (d.take(x, corner + step) for step in (0, 1, m, m + 1))
        a, b = across - low, below - right
        return d.total(d.sqrt(1.0 + 0.5 * (m - 1) ** 2 * (a * a + b * b)))

    return Objective(f, other, start(m * m))


def springs(n: int) -> Objective:
    """Points in the plane, bound to three others each, in no order."""
    count = max(n // 2, 8)
    ends = np.concatenate([np.stack([np.arange(count - k), np.arange(k, count)]) for k in (1, 2, 7)], axis=1)
    ends = ends[:, np.random.default_rng(0).permutation(ends.shape[1])]

    def f(x: Floats) -> Any:
        points = x.reshape(-1, 2)
        apart = points[ends[0]] - points[ends[1]]
        return np.sum((np.sqrt(np.sum(apart * apart, axis=1) + 1e-3) - 1.0) ** 2)

    def other(d: Dialect, x: Vector) -> Vector:
        a, b = (d.take(x, 2 * ends[0] + k) - d.take(x, 2 * ends[1] + k) for k in (0, 1))
        return d.total((d.sqrt(a * a + b * b + 1e-3) - 1.0) ** 2)

    return Objective(f, other, start(2 * count))


def logistic(n: int) -> Objective:
    """Logistic regression on rows of three nonzeros."""
    rng = np.random.default_rng(0)
    columns, factors = rng.integers(0, n, (3, 2 * n)), rng.normal(size=(3, 2 * n))

    def f(x: Floats) -> Any:
        return np.sum(np.log(1.0 + np.exp(np.sum(factors * x[columns], axis=0))))

    def other(d: Dialect, x: Vector) -> Vector:
        parts = [d.constant(factors[k]) * d.take(x, columns[k]) for k in range(3)]
        return d.total(d.log(1.0 + d.exp(parts[0] + parts[1] + parts[2])))

    return Objective(f, other, start(n))


def fan_out(n: int) -> Objective:
    """Elements whose intermediate values are read several times."""

    def f(x: Floats) -> Any:
        a = np.exp(-x[:-2] * x[1:-1]) + x[2:]
        b = np.sin(a)
        return np.sum(a * b + np.cos(a + b) * x[1:-1])

    def other(d: Dialect, x: Vector) -> Vector:
        a = d.exp(-x[:-2] * x[1:-1]) + x[2:]
        b = d.sin(a)
        return d.total(a * b + d.cos(a + b) * x[1:-1])

    return Objective(f, other, start(n))


def collocation(n: int) -> Objective:
    """The Lagrangian of a pendulum with a control: three unknowns at each node, multipliers fixed."""
    nodes = max(n // 3, 2)
    first, second = start(nodes - 1), start(nodes - 1)[::-1].copy()

    def parts(sin: Any, q: Any, p: Any, u: Any) -> tuple[Any, Any, Any]:
        slope = u - sin(q)
        rate = q[1:] - q[:-1] - 0.05 * (p[1:] + p[:-1])
        return u**2 * (1.0 + q**2), rate, p[1:] - p[:-1] - 0.05 * (slope[1:] + slope[:-1])

    def f(x: Floats) -> Any:
        effort, one, two = parts(np.sin, x[0::3], x[1::3], x[2::3])
        return np.sum(effort) + first @ one + second @ two

    def other(d: Dialect, x: Vector) -> Vector:
        effort, one, two = parts(d.sin, x[0::3], x[1::3], x[2::3])
        return d.total(effort) + d.total(d.constant(first) * one) + d.total(d.constant(second) * two)

    return Objective(f, other, start(3 * nodes))


def squares(family: str) -> Callable[[int], Objective]:
    """Half the sum of squares of a family of residuals."""

    def make(n: int) -> Objective:
        problem = RESIDUALS[family].make(n)

        def f(x: Floats) -> Any:
            return 0.5 * np.sum(problem.f(x) ** 2)

        def other(d: Dialect, x: Vector) -> Vector:
            y = rewritten(problem, d)(x)
            return 0.5 * d.total(y * y)

        return Objective(f, other, problem.x)

    return make


OBJECTIVES: dict[str, Callable[[int], Objective]] = {
    **{
        make.__name__: make
        for make in (
            rosenbrock,
            arrow,
            banded,
            separable,
            log_sum_exp,
            woods,
            liarwhd,
            minimal_surface,
            springs,
            logistic,
            fan_out,
            collocation,
        )
    },
    **{name: squares(name) for name in ("broyden", "bratu", "brusselator", "power_flow", "bundle_adjustment")},
}
