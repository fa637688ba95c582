"""The Brusselator: six entries a row; at the rim of the periodic grid the diagonal takes another place in its row."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Problem
from bench.limits.limit import FIVE, FOUR, ONE, SIX, THREE, TWO, Ints, Limit, csr, kernel


def _pattern(m: int) -> tuple[Ints, Ints]:
    node = np.arange(m * m).reshape(m, m)
    near = [node, *(np.roll(node, step, axis) for step in (1, -1) for axis in (0, 1))]
    row, columns = np.tile(node.ravel(), 5), np.concatenate([part.ravel() for part in near])
    one, other = node.ravel(), node.ravel() + m * m
    rows = np.concatenate([row, one, other, row + m * m])
    return csr(rows, np.concatenate([columns, other, one, columns + m * m]), 2 * m * m)


@kernel
def _fill(y: Any, data: Any, m: int, diffusion: float, i: int, first: int, last: int, place: int) -> None:
    """Write both species at the points first to last of line i, whose diagonals have this place in their rows."""
    points = m * m
    start = i * m + first
    count = last - first
    u, v = y[start : start + count], y[points + start : points + start + count]
    a = data[6 * start : 6 * (start + count)]
    b = data[6 * (points + start) : 6 * (points + start + count)]
    for j in range(count):
        square = u[j] * u[j]
        twice = 2.0 * u[j] * v[j]
        for t in range(5):
            a[6 * j + t] = diffusion
            b[6 * j + 1 + t] = diffusion
        a[6 * j + place] = twice - 4.4 - 4.0 * diffusion
        a[6 * j + 5] = square
        b[6 * j] = 3.4 - twice
        b[6 * j + 1 + place] = -square - 4.0 * diffusion


@kernel
def _inside(y: Any, data: Any, first: Any, points: Any, count: Any, d: float) -> None:
    """Write both species at so many points whose neighbours are all in order."""
    for j in range(count):
        u, v = y[first + j], y[points + first + j]
        a, b = SIX * (first + j), SIX * (points + first + j)
        square = u * u
        twice = 2.0 * u * v
        data[a] = d
        data[a + ONE] = d
        data[a + TWO] = twice - 4.4 - 4.0 * d
        data[a + THREE] = d
        data[a + FOUR] = d
        data[a + FIVE] = square
        data[b] = 3.4 - twice
        data[b + ONE] = d
        data[b + TWO] = d
        data[b + THREE] = -square - 4.0 * d
        data[b + FOUR] = d
        data[b + FIVE] = d


@kernel
def _write(y: Any, data: Any, m: int, diffusion: float) -> None:
    for i in range(m):
        above = 0 if i == 0 else (2 if i == m - 1 else 1)
        _fill(y, data, m, diffusion, i, 0, 1, above)
        _fill(y, data, m, diffusion, i, m - 1, m, above + 2)
        if above == 1:
            _inside(y, data, np.uint64(i * m + 1), np.uint64(m * m), np.uint64(m - 2), diffusion)
        else:
            _fill(y, data, m, diffusion, i, 1, m - 1, above + 1)


def make(problem: Problem) -> Limit:
    """Write both species in one pass."""
    m, diffusion = problem.data["m"], problem.data["diffusion"]
    return Limit({"numba": lambda x, data: _write(x, data, m, diffusion)}, _pattern(m))
