"""Functions whose Hessians are well known: chains, arrows, elements on grids, tables and time steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
N = 12


def rosenbrock(x: Array) -> Any:
    """Chained Rosenbrock."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def arrow(x: Array) -> Any:
    return np.sum(np.sin(x[0] * x[1:])) + np.sum(x**4)


def log_sum_exp(x: Array) -> Any:
    return np.log(np.sum(np.exp(x)))


def separable(x: Array) -> Any:
    return np.sum(np.exp(x) * x**2)


def blocks(x: Array) -> Any:
    return np.sum(np.prod(x.reshape(-1, 3), axis=1))


def collocation(x: Array) -> Any:
    """Squared defects of a trapezoidal rule for a pendulum: two states at each node."""
    q, p = x[::2], x[1::2]
    return np.sum((q[1:] - q[:-1] - 0.05 * (p[1:] + p[:-1])) ** 2) + np.sum(
        (p[1:] - p[:-1] + 0.05 * (np.sin(q[1:]) + np.sin(q[:-1]))) ** 2
    )


def banded(x: Array) -> Any:
    return sum(np.sum(np.exp(-((x[k:] - x[:-k]) ** 2))) for k in (1, 2, 3))


def woods(x: Array) -> Any:
    """CUTE's WOODS: elements of four unknowns that share none."""
    a, b, c, d = x[0::4], x[1::4], x[2::4], x[3::4]
    return np.sum(
        100.0 * (b - a**2) ** 2
        + (1.0 - a) ** 2
        + 90.0 * (d - c**2) ** 2
        + (1.0 - c) ** 2
        + 10.0 * (b + d - 2.0) ** 2
        + 0.1 * (b - d) ** 2
    )


def powell_singular(x: Array) -> Any:
    """CUTE's POWELLSG."""
    a, b, c, d = x[0::4], x[1::4], x[2::4], x[3::4]
    return np.sum((a + 10.0 * b) ** 2 + 5.0 * (c - d) ** 2 + (b - 2.0 * c) ** 4 + 10.0 * (a - d) ** 4)


def liarwhd(x: Array) -> Any:
    """CUTE's LIARWHD: an arrow."""
    return np.sum(4.0 * (x**2 - x[0]) ** 2) + np.sum((x - 1.0) ** 2)


def engval(x: Array) -> Any:
    """CUTE's ENGVAL1."""
    return np.sum((x[:-1] ** 2 + x[1:] ** 2) ** 2) + np.sum(-4.0 * x[:-1] + 3.0)


def broyden_tridiagonal(x: Array) -> Any:
    """CUTE's BROYDN7D, without its second sum: residuals to the power 7/3."""
    padded = np.concatenate([np.zeros(1), x, np.zeros(1)])
    return np.sum(np.abs((3.0 - 2.0 * x) * x - padded[:-2] - 2.0 * padded[2:] + 1.0) ** (7.0 / 3.0))


def minimal_surface(x: Array) -> Any:
    u = x.reshape(3, 4)
    a, b = u[1:, 1:] - u[:-1, :-1], u[1:, :-1] - u[:-1, 1:]
    return np.sum(np.sqrt(1.0 + 2.0 * (a * a + b * b)))


EDGES = np.array([[0, 1, 2, 3, 4, 0, 2, 5], [1, 2, 3, 4, 5, 5, 4, 3]])


def springs(x: Array) -> Any:
    p = x.reshape(-1, 2)
    d = p[EDGES[0]] - p[EDGES[1]]
    return np.sum((np.sqrt(np.sum(d * d, axis=1) + 0.01) - 1.0) ** 2)


COLUMNS = np.array([[0, 1, 2], [3, 3, 5], [11, 4, 0], [7, 8, 7], [9, 10, 6], [2, 2, 2]])
FACTORS = np.linspace(-1.0, 2.0, 18).reshape(6, 3)


def logistic(x: Array) -> Any:
    """Rows of a sparse matrix, some of which name a column twice."""
    return np.sum(np.logaddexp(0.0, np.sum(FACTORS * x[COLUMNS], axis=1)))


def fan_out(x: Array) -> Any:
    """Elements whose intermediate values are read several times."""
    a = np.tanh(x[:-2] * x[1:-1] + x[2:])
    b = np.exp(-(a**2))
    return np.sum(a * b + np.sin(a + b) * x[1:-1])


def ragged(x: Array) -> Any:
    """Sums over ranges of several lengths, each squared."""
    sums = np.add.reduceat(np.sin(x), [0, 1, 4, 6])
    return np.sum(sums**2 * x[:4])


def with_rim(x: Array) -> Any:
    """A grid with a rim of zeros: elements read several pieces."""
    u = np.pad(x.reshape(3, 4), 1)
    return np.sum(np.exp(u[1:, :] - u[:-1, :])) + np.sum((u[:, 1:] - u[:, :-1]) ** 4)


def stacked(x: Array) -> Any:
    """Vectors put together along a new axis before they are read again."""
    pairs = np.stack([x[:6] * x[6:], np.cos(x[:6])], axis=1)
    return np.sum(pairs[:, 0] ** 2 * pairs[:, 1]) + np.sum(pairs**2)


def branched(x: Array) -> Any:
    return np.sum(np.where(x > 0.0, x**3, np.sin(x)) * np.roll(x, 1)) + np.sum(np.maximum(x, 0.1) ** 2)


def weighted(x: Array) -> Any:
    """Signs and factors on the way to the sum."""
    return 0.5 * np.sum(x**4) - (2.0 * np.dot(np.arange(N), np.cos(x)) - x[0] * x[1]) / 4.0


def loop(x: Array) -> Any:
    total = 0.0
    for k in range(1, N):
        total += (x[k] - x[k - 1] ** 2) ** 2 * np.exp(0.1 * x[k])
    return total


def residuals(x: Array) -> Any:
    """A chain: what comes later depends on all before."""
    s, total = x[0], 0.0
    for k in range(1, 6):
        s = np.sin(s) + x[k] * s
        total = total + s * s
    return total


FUNCTIONS: dict[str, Callable[[Array], Any]] = {
    f.__name__: f
    for f in (
        rosenbrock,
        arrow,
        log_sum_exp,
        separable,
        blocks,
        collocation,
        banded,
        woods,
        powell_singular,
        liarwhd,
        engval,
        broyden_tridiagonal,
        minimal_surface,
        springs,
        logistic,
        fan_out,
        ragged,
        with_rim,
        stacked,
        branched,
        weighted,
        loop,
        residuals,
    )
}
SEPARABLE = tuple(name for name in FUNCTIONS if name != "log_sum_exp")
"""Those that are sums of terms of few unknowns; the chain and the ragged sums are so small that their terms are."""
POINT = np.linspace(-0.7, 0.9, N) + 0.013 * np.sin(np.arange(N))
