"""Bratu's equation: line by line of the grid, its ends apart; only the diagonal is not constant."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.limits.limit import (
    FIVE,
    FOUR,
    ONE,
    THREE,
    TWO,
    VECTORISED,
    Ints,
    Limit,
    Way,
    csr,
    elementary,
    given,
    uncached,
)

BLOCK = 16_384
"""Unknowns whose exponentials stay in the second cache."""


def _pattern(m: int) -> tuple[Ints, Ints]:
    node = np.arange(m * m).reshape(m, m)
    ends = [(node, node), (node[1:], node[:-1]), (node[:-1], node[1:])]
    ends += [(node[:, 1:], node[:, :-1]), (node[:, :-1], node[:, 1:])]
    rows, columns = (np.concatenate([pair[k].ravel() for pair in ends]) for k in (0, 1))
    return csr(rows, columns, m * m)


def _build(exp: Any) -> Any:
    """Compile the kernel around one exponential."""

    @uncached
    def edge(u: Any, data: Any, k: int, i: int, m: int, h: float, lam: float) -> int:
        for j in range(m):
            if i > 0:
                data[k] = h
                k += 1
            if j > 0:
                data[k] = h
                k += 1
            data[k] = lam * exp(u[j]) - 4.0 * h
            k += 1
            if j < m - 1:
                data[k] = h
                k += 1
            if i < m - 1:
                data[k] = h
                k += 1
        return k

    @uncached
    def line(u: Any, data: Any, k: int, start: int, m: int, h: float, lam: float) -> int:
        data[k] = h
        data[k + 1] = lam * exp(u[start]) - 4.0 * h
        data[k + 2] = h
        data[k + 3] = h
        first, entry = np.uint64(start + 1), np.uint64(k + 4)
        for j in range(np.uint64(m - 2)):
            at = entry + FIVE * j
            data[at] = h
            data[at + ONE] = h
            data[at + TWO] = lam * exp(u[first + j]) - 4.0 * h
            data[at + THREE] = h
            data[at + FOUR] = h
        k += 5 * m - 2
        data[k - 4] = h
        data[k - 3] = h
        data[k - 2] = lam * exp(u[start + m - 1]) - 4.0 * h
        data[k - 1] = h
        return k

    @uncached
    def write(u: Any, data: Any, low: int, high: int, m: int, h: float, lam: float) -> None:
        """Write lines low to high of the grid, whose unknowns u begins with."""
        k = max(low * (5 * m - 2) - m, 0)
        for i in range(low, high):
            start = (i - low) * m
            k = (
                line(u, data, k, start, m, h, lam)
                if 0 < i < m - 1
                else edge(u[start : start + m], data, k, i, m, h, lam)
            )

    return write


def make(problem: Problem) -> Limit:
    """Write the diagonal and the four constants beside it; NumPy's exponentials are taken a few lines at a time."""
    m, h, lam = (problem.data[name] for name in ("m", "inverse_h2", "lam"))
    lines = max(BLOCK // m, 1)
    work = np.empty(lines * m)

    def way(exp: Any) -> Way:
        write = _build(exp)
        return lambda x, data: write(x, data, 0, m, m, h, lam)

    prepared = _build(given)

    def by_numpy(x: Floats, data: Floats) -> None:
        for low in range(0, m, lines):
            high = min(low + lines, m)
            np.exp(x[low * m : high * m], out=work[: (high - low) * m])
            prepared(work, data, low, high, m, h, lam)

    ways = {"numba": way(math.exp), "NumPy's exp": by_numpy, VECTORISED: way(elementary.exp)}
    return Limit(ways, _pattern(m))
