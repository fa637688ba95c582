"""Kinetics: row by row of the matrix, two products for each of its entries."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Problem
from bench.limits.limit import Limit, csr, kernel, slots


@kernel
def _by_rows(x: Any, data: Any, a: Any, b: Any, weight: Any, by_a: Any, by_b: Any) -> None:
    data[:] = 0.0
    for k in range(a.size):
        data[by_a[k]] += weight[k] * x[b[k]]
        data[by_b[k]] += weight[k] * x[a[k]]


def make(problem: Problem) -> Limit:
    """Bring species, weights and places into the order of the matrix, so that writes stay within a row."""
    S, a, b, speed = (problem.data[name] for name in ("S", "a", "b", "speed"))
    row = np.repeat(np.arange(S.shape[0]), np.diff(S.indptr))
    one, other, weight = a[S.indices], b[S.indices], S.data * speed[S.indices]
    pattern = csr(np.concatenate([row, row]), np.concatenate([one, other]), problem.x.size)
    places = slots(pattern, row, one), slots(pattern, row, other)
    tables = (one.astype(np.uint32), other.astype(np.uint32), weight, *places)
    return Limit({"numba": lambda x, data: _by_rows(x, data, *tables)}, pattern, tables)
