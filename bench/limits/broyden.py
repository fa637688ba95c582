"""Broyden's tridiagonal function: one of three entries varies."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Problem
from bench.limits.limit import Limit, csr, kernel


@kernel
def _inside(x: Any, data: Any) -> None:
    for i in range(x.size):
        data[3 * i] = -1.0
        data[3 * i + 1] = 3.0 - 4.0 * x[i]
        data[3 * i + 2] = -2.0


@kernel
def _write(x: Any, data: Any) -> None:
    n = x.size
    data[0] = 3.0 - 4.0 * x[0]
    data[1] = -2.0
    _inside(x[1:-1], data[2 : 3 * n - 4])
    data[3 * n - 4] = -1.0
    data[3 * n - 3] = 3.0 - 4.0 * x[n - 1]


def make(problem: Problem) -> Limit:
    """Write rows of three, and the two shorter ones at the ends."""
    i = np.arange(problem.x.size)
    if i.size < 2:
        raise ValueError("the kernel needs two unknowns")
    rows, columns = np.concatenate([i, i[1:], i[:-1]]), np.concatenate([i, i[:-1], i[1:]])
    return Limit({"numba": _write}, csr(rows, columns, i.size))
