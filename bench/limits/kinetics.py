"""Kinetics: a constant times an unknown for each entry, in order, and again where two terms meet."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Problem
from bench.limits.limit import Limit, csr, kernel, slots


@kernel
def _write(x: Any, data: Any, factor: Any, species: Any, place: Any, more: Any, other: Any) -> None:
    for k in range(data.size):
        data[k] = factor[k] * x[species[k]]
    for k in range(place.size):
        data[place[k]] += more[k] * x[other[k]]


def make(problem: Problem) -> Limit:
    """Write each entry once, in order; add the few terms that meet another one in its place."""
    S, a, b, speed = (problem.data[name] for name in ("S", "a", "b", "speed"))
    row = np.repeat(np.arange(S.shape[0]), np.diff(S.indptr))
    one, other, weight = a[S.indices], b[S.indices], S.data * speed[S.indices]
    rows, columns = np.concatenate([row, row]), np.concatenate([one, other])
    pattern = csr(rows, columns, problem.x.size)
    place, factor, species = slots(pattern, rows, columns), np.tile(weight, 2), np.concatenate([other, one])
    _, first = np.unique(place, return_index=True)
    further = np.ones(place.size, dtype=bool)
    further[first] = False
    later = np.flatnonzero(further)[np.argsort(place[further], kind="stable")]
    species = species.astype(np.uint32)
    tables = (factor[first], species[first], place[later], factor[later], species[later])
    return Limit({"numba": lambda x, data: _write(x, data, *tables)}, pattern, tables)
