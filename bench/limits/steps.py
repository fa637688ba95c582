"""Twenty time steps: forward for what each cell takes from the step before; then rows backward, a block at a time.

Row i of the Jacobian is pulled back through all steps. Rows of a block stand side by side, so that every loop runs over
contiguous memory; coefficients are zero beyond the ends of the grid, so that no row is special.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.limits.limit import ONE, Limit, csr, kernel

BLOCK = 64
LANES = np.uint64(BLOCK)

STEPS = 20
WINDOW = 2 * STEPS + 3
"""Columns that a row reaches, and one more at each end that stays zero."""


@kernel
def _coefficients(x: Any, left: Any, own: Any, right: Any, u: Any, diffusion: float, advection: float) -> None:
    """What each cell of each step takes from its left neighbour, itself and its right one, a step before."""
    n = x.size
    u[0, 1 : n + 1] = x
    for k in range(STEPS):
        _step(
            u[k % 2],
            u[(k + 1) % 2, 1 : n + 1],
            left[k, STEPS + 1 : STEPS + 1 + n],
            own[k, STEPS + 1 : STEPS + 1 + n],
            right[k, STEPS + 1 : STEPS + 1 + n],
            diffusion,
            advection,
        )


@kernel
def _step(now: Any, then: Any, left: Any, own: Any, right: Any, diffusion: float, advection: float) -> None:
    for i in range(then.size):
        here = now[i + 1]
        slope = now[i + 2] - now[i]
        then[i] = here + diffusion * (now[i] - 2.0 * here + now[i + 2]) - advection * here * slope
        left[i] = diffusion + advection * here
        own[i] = 1.0 - 2.0 * diffusion - advection * slope
        right[i] = diffusion - advection * here


@kernel
def _pull(w: Any, z: Any, left: Any, own: Any, right: Any, first: int, reach: int) -> None:
    """One step back: line t of w and z belongs to the columns t - STEPS - 1 beside the rows of the block."""
    for t in range(STEPS + 1 - reach, STEPS + 2 + reach):
        here, column = np.uint64(t * BLOCK), np.uint64(first + t)
        for i in range(LANES):
            k, j = here + i, column + i
            z[k] = right[j - ONE] * w[k - LANES] + own[j] * w[k] + left[j + ONE] * w[k + LANES]


@kernel
def _store(w: Any, data: Any, k: int, first: int, count: int, n: int) -> int:
    """Write the rows of a block, as far as their columns are on the grid."""
    for i in range(count):
        low, high = max(STEPS - first - i, 0), min(n - 1 - first - i + STEPS, 2 * STEPS)
        row = data[k : k + high - low + 1]
        for t in range(row.size):
            row[t] = w[(low + t + 1) * BLOCK + i]
        k += row.size
    return k


@kernel
def _write(x: Any, data: Any, coefficients: Any, u: Any, w: Any, diffusion: float, advection: float) -> None:
    left, own, right = coefficients[0], coefficients[1], coefficients[2]
    _coefficients(x, left, own, right, u, diffusion, advection)
    n, k = x.size, 0
    for first in range(0, n, BLOCK):
        w[:] = 0.0
        w[0, (STEPS + 1) * BLOCK : (STEPS + 2) * BLOCK] = 1.0
        for back in range(STEPS):
            step = STEPS - 1 - back
            _pull(w[back % 2], w[(back + 1) % 2], left[step], own[step], right[step], first, back + 1)
        k = _store(w[STEPS % 2], data, k, first, min(BLOCK, n - first), n)


def make(problem: Problem) -> Limit:
    """Keep the coefficients of all steps."""
    n, diffusion, advection = (problem.data[name] for name in ("n", "diffusion", "advection"))
    i = np.arange(n)
    columns = i[:, None] + np.arange(-STEPS, STEPS + 1)
    inside = (columns >= 0) & (columns < n)
    pattern = csr(np.broadcast_to(i[:, None], columns.shape)[inside], columns[inside], n)
    coefficients, u = np.zeros((3, STEPS, n + 2 * WINDOW + BLOCK)), np.zeros((2, n + 2))
    w = np.empty((2, WINDOW * BLOCK))

    def write(x: Floats, data: Floats) -> None:
        _write(x, data, coefficients, u, w, diffusion, advection)

    return Limit({"numba": write}, pattern)
