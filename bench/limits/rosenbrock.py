"""Rosenbrock's residuals: three entries a pair, one of which varies."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Problem
from bench.limits.limit import Limit, csr, kernel


@kernel
def _write(x: Any, data: Any) -> None:
    for i in range(x.size // 2):
        data[3 * i] = -20.0 * x[2 * i]
        data[3 * i + 1] = 10.0
        data[3 * i + 2] = -1.0


def make(problem: Problem) -> Limit:
    """Write pair by pair."""
    even = 2 * np.arange(problem.data["pairs"])
    rows, columns = np.concatenate([even, even, even + 1]), np.concatenate([even, even + 1, even])
    return Limit({"numba": _write}, csr(rows, columns, 2 * even.size))
