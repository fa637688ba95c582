"""A deep chain: forward with what the way back needs, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.limits.limit import Limit, csr, kernel


@kernel
def _write(x: Any, data: Any, factors: Any, h: float) -> None:
    s = x[0]
    for i in range(1, x.size):
        cosine, sine = math.cos(s), math.sin(s)
        data[i] = h * cosine
        factors[i] = 1.0 - h * x[i] * sine
        s += h * x[i] * cosine
    adjoint = 1.0
    for i in range(x.size - 1, 0, -1):
        data[i] *= adjoint
        adjoint *= factors[i]
    data[0] = adjoint


def make(problem: Problem) -> Limit:
    """Reverse mode by hand."""
    n, h = problem.data["n"], problem.data["h"]
    factors = np.empty(n)

    def write(x: Floats, data: Floats) -> None:
        _write(x, data, factors, h)

    return Limit({"numba": write}, csr(np.zeros(n), np.arange(n), 1))
