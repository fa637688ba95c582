"""The arrowhead: a dense row, then two entries a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Problem
from bench.limits.limit import Limit, csr, kernel


@kernel
def _rows(x: Any, data: Any, first: float) -> None:
    for i in range(x.size):
        data[2 * i] = x[i]
        data[2 * i + 1] = 3.0 * (x[i] * x[i]) + first


@kernel
def _write(x: Any, data: Any) -> None:
    n = x.size
    for i in range(n):
        data[i] = 2.0 * x[i]
    _rows(x[1:], data[n:], x[0])


def make(problem: Problem) -> Limit:
    """Write the dense row, then the others."""
    i = np.arange(problem.x.size)
    rows = np.concatenate([np.zeros_like(i), i[1:], i[1:]])
    return Limit({"numba": _write}, csr(rows, np.concatenate([i, np.zeros_like(i[1:]), i[1:]]), i.size))
