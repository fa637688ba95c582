"""A linear function: its Jacobian is copied, or written again as the five numbers that it consists of."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.limits.limit import FIVE, FOUR, ONE, THREE, TWO, Limit, csr, kernel


@kernel
def _edge(data: Any, k: int, i: int, m: int, up: float, left: float, own: float, right: float, down: float) -> int:
    for j in range(m):
        if i > 0:
            data[k] = up
            k += 1
        if j > 0:
            data[k] = left
            k += 1
        data[k] = own
        k += 1
        if j < m - 1:
            data[k] = right
            k += 1
        if i < m - 1:
            data[k] = down
            k += 1
    return k


@kernel
def _write(data: Any, m: int, up: float, left: float, own: float, right: float, down: float) -> None:
    k = _edge(data, 0, 0, m, up, left, own, right, down)
    for _ in range(1, m - 1):
        data[k], data[k + 1], data[k + 2], data[k + 3] = up, own, right, down
        entry = np.uint64(k + 4)
        for j in range(np.uint64(m - 2)):
            at = entry + FIVE * j
            data[at] = up
            data[at + ONE] = left
            data[at + TWO] = own
            data[at + THREE] = right
            data[at + FOUR] = down
        k += 5 * m - 2
        data[k - 4], data[k - 3], data[k - 2], data[k - 1] = up, left, own, down
    _edge(data, k, m - 1, m, up, left, own, right, down)


def make(problem: Problem) -> Limit:
    """Nothing depends on x."""
    m, h, wind = (problem.data[name] for name in ("m", "h", "wind"))
    node = np.arange(m * m).reshape(m, m)
    ends = [(node, node), (node[1:], node[:-1]), (node[:-1], node[1:])]
    ends += [(node[:, 1:], node[:, :-1]), (node[:, :-1], node[:, 1:])]
    rows, columns = (np.concatenate([pair[k].ravel() for pair in ends]) for k in (0, 1))
    pattern = csr(rows, columns, m * m)
    down, right = 0.5 * wind[0] / h, 0.5 * wind[1] / h
    numbers = (1.0 / h**2 + down, 1.0 / h**2 + right, -4.0 / h**2, 1.0 / h**2 - right, 1.0 / h**2 - down)
    constant = np.empty(pattern[1].size)
    _write(constant, m, *numbers)

    def copied(x: Floats, data: Floats) -> None:
        np.copyto(data, constant)

    return Limit({"copied": copied, "numba": lambda x, data: _write(data, m, *numbers)}, pattern)
