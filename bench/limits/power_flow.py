"""Power flow: one sine and cosine a bus, then up to four entries for each admittance (textbook formulas)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.limits.limit import VECTORISED, Limit, Way, csr, elementary, slots, uncached

NONE = np.uint32(2**32 - 1)
"""The place of an entry that there is not."""


def _build(sin: Any, cos: Any) -> Any:
    @uncached
    def write(x: Any, data: Any, angle: Any, magnitude: Any, Y: Any, places: Any, V: Any) -> None:
        indptr, column, G, B = Y
        buses = indptr.size - 1
        for i in range(buses):
            a = x[angle[i]] if angle[i] != NONE else 0.0
            V[0, i] = cos(a)
            V[1, i] = sin(a)
            V[2, i] = x[magnitude[i]] if magnitude[i] != NONE else 1.0
        for i in range(1, buses):
            c, s, v = V[0, i], V[1, i], V[2, i]
            P, Q = 0.0, 0.0
            own = 0
            for k in range(np.int64(indptr[i]), np.int64(indptr[i + 1])):
                j = column[k]
                if j == i:
                    own = k
                    continue
                c2, s2, v2 = V[0, j], V[1, j], V[2, j]
                cosine, sine = c * c2 + s * s2, s * c2 - c * s2
                p = v * (G[k] * cosine + B[k] * sine)
                q = v * (G[k] * sine - B[k] * cosine)
                P += p * v2
                Q += q * v2
                if places[k, 0] != NONE:
                    data[places[k, 0]] = q * v2
                if places[k, 1] != NONE:
                    data[places[k, 1]] = p
                if places[k, 2] != NONE:
                    data[places[k, 2]] = -p * v2
                if places[k, 3] != NONE:
                    data[places[k, 3]] = q
            if places[own, 0] != NONE:
                data[places[own, 0]] = -Q
            if places[own, 1] != NONE:
                data[places[own, 1]] = P / v + 2.0 * G[own] * v
            if places[own, 2] != NONE:
                data[places[own, 2]] = P
            if places[own, 3] != NONE:
                data[places[own, 3]] = Q / v - 2.0 * B[own] * v

    return write


def make(problem: Problem) -> Limit:
    """Find the four places of each admittance: P and Q by angle and by magnitude."""
    Y, pv, pq = (problem.data[name] for name in ("Ybus", "pv", "pq"))
    Y.sort_indices()
    buses = Y.shape[0]
    angle, magnitude = np.full(buses, -1), np.full(buses, -1)
    angle[pv], angle[pq] = np.arange(pv.size), pv.size + np.arange(pq.size)
    magnitude[pq] = pv.size + pq.size + np.arange(pq.size)
    row = np.repeat(np.arange(buses), np.diff(Y.indptr))
    pairs = [(a[row], b[Y.indices]) for a in (angle, magnitude) for b in (angle, magnitude)]
    there = [(r >= 0) & (c >= 0) for r, c in pairs]
    rows, columns = (np.concatenate([pair[k][t] for pair, t in zip(pairs, there, strict=True)]) for k in (0, 1))
    pattern = csr(rows, columns, problem.x.size)
    places = np.full((row.size, 4), NONE)
    for k, ((r, c), t) in enumerate(zip(pairs, there, strict=True)):
        places[t, k] = slots(pattern, r[t], c[t])
    grid = (Y.indptr.astype(np.uint32), Y.indices.astype(np.uint32), Y.data.real.copy(), Y.data.imag.copy())
    unknowns = tuple(np.where(of < 0, NONE, of).astype(np.uint32) for of in (angle, magnitude))
    V = np.empty((3, buses))

    def way(sin: Any, cos: Any) -> Way:
        write = _build(sin, cos)

        def evaluate(x: Floats, data: Floats) -> None:
            write(x, data, *unknowns, grid, places, V)

        return evaluate

    ways = {"numba": way(math.sin, math.cos), VECTORISED: way(elementary.sin, elementary.cos)}
    return Limit(ways, pattern, (*grid, *unknowns, places))
