"""A dense row, then a diagonal; or a dense column beside one."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Problem
from bench.limits.limit import Limit, csr, kernel


@kernel
def _row(x: Any, data: Any) -> None:
    rest, cubes = x[1:], data[x.size :]
    for i in range(x.size):
        data[i] = 2.0 * x[i]
    for i in range(rest.size):
        cubes[i] = 3.0 * rest[i] * rest[i]


@kernel
def _column(x: Any, data: Any) -> None:
    data[0] = 4.0 * x[0]
    rest, pairs, first = x[1:], data[1:], x[0]
    for i in range(rest.size):
        pairs[2 * i] = rest[i]
        pairs[2 * i + 1] = first + 2.0 * rest[i]


def make_row(problem: Problem) -> Limit:
    """Write the dense row, then one entry a row."""
    i = np.arange(problem.x.size)
    return Limit({"numba": _row}, csr(np.concatenate([0 * i, i[1:]]), np.concatenate([i, i[1:]]), i.size))


def make_column(problem: Problem) -> Limit:
    """Write two entries a row."""
    i = np.arange(problem.x.size)
    return Limit({"numba": _column}, csr(np.concatenate([i, i]), np.concatenate([0 * i, i]), i.size))
