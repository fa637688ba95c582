"""Oscillators on a network: one cosine an edge, at two places of the matrix and on two diagonals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.limits.limit import VECTORISED, Limit, Way, csr, elementary, kernel, slots, uncached


@kernel
def _by_edges(phase: Any, data: Any, one: Any, other: Any, there: Any, back: Any, diagonal: Any) -> None:
    for i in range(diagonal.size):
        data[diagonal[i]] = 0.0
    for e in range(one.size):
        a, b = one[e], other[e]
        pull = 0.7 * math.cos(phase[b] - phase[a])
        data[there[e]] = pull
        data[back[e]] = pull
        data[diagonal[a]] -= pull
        data[diagonal[b]] -= pull


@kernel
def _differences(phase: Any, work: Any, one: Any, other: Any) -> None:
    for e in range(one.size):
        work[e] = phase[other[e]] - phase[one[e]]


@uncached
def _cosines(work: Any) -> None:
    for e in range(work.size):
        work[e] = elementary.cos(work[e])


@kernel
def _assemble(work: Any, data: Any, one: Any, other: Any, there: Any, back: Any, diagonal: Any) -> None:
    for i in range(diagonal.size):
        data[diagonal[i]] = 0.0
    for e in range(one.size):
        pull = 0.7 * work[e]
        data[there[e]] = pull
        data[back[e]] = pull
        data[diagonal[one[e]]] -= pull
        data[diagonal[other[e]]] -= pull


def make(problem: Problem) -> Limit:
    """Walk over the edges; their places in the matrix are known."""
    one, other = problem.data["one"], problem.data["other"]
    i = np.arange(problem.x.size)
    pattern = csr(np.concatenate([one, other, i]), np.concatenate([other, one, i]), i.size)
    edges = (one.astype(np.uint32), other.astype(np.uint32))
    places = (slots(pattern, one, other), slots(pattern, other, one), slots(pattern, i, i))
    work = np.empty(one.size)

    def by_numpy(x: Floats, data: Floats) -> None:
        _differences(x, work, *edges)
        np.cos(work, out=work)
        _assemble(work, data, *edges, *places)

    def vectorised(x: Floats, data: Floats) -> None:
        _differences(x, work, *edges)
        _cosines(work)
        _assemble(work, data, *edges, *places)

    ways: dict[str, Way] = {
        "numba": lambda x, data: _by_edges(x, data, *edges, *places),
        "NumPy's cos": by_numpy,
        VECTORISED: vectorised,
    }
    return Limit(ways, pattern, (*edges, *places))
