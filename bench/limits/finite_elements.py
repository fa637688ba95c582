"""Finite elements: nine entries an element, from its stiffness matrix; elements in the order of their nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Problem
from bench.limits.limit import Limit, csr, kernel, slots

PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))

THIRD = 1.0 / 3.0


@kernel
def _write(u: Any, data: Any, corners: Any, stiffness: Any, places: Any) -> None:
    data[:] = 0.0
    for e in range(corners.shape[0]):
        a, b, c = u[corners[e, 0]], u[corners[e, 1]], u[corners[e, 2]]
        aa, ab, ac = stiffness[e, 0], stiffness[e, 1], stiffness[e, 2]
        bb, bc, cc = stiffness[e, 3], stiffness[e, 4], stiffness[e, 5]
        mean = THIRD * (a + b + c)
        conductivity = 1.0 + mean * mean
        slope = 2.0 * THIRD * mean
        ra = slope * (aa * a + ab * b + ac * c)
        rb = slope * (ab * a + bb * b + bc * c)
        rc = slope * (ac * a + bc * b + cc * c)
        data[places[e, 0]] += conductivity * aa + ra
        data[places[e, 1]] += conductivity * ab + ra
        data[places[e, 2]] += conductivity * ac + ra
        data[places[e, 3]] += conductivity * ab + rb
        data[places[e, 4]] += conductivity * bb + rb
        data[places[e, 5]] += conductivity * bc + rb
        data[places[e, 6]] += conductivity * ac + rc
        data[places[e, 7]] += conductivity * bc + rc
        data[places[e, 8]] += conductivity * cc + rc


def make(problem: Problem) -> Limit:
    """Work out all that does not depend on u before; sort the elements, so that neighbours follow each other."""
    order = np.argsort(problem.data["corners"].min(axis=1), kind="stable")
    corners, slope, area = (problem.data[name][order] for name in ("corners", "slope", "area"))
    stiffness = np.stack([area * np.einsum("ed,ed->e", slope[:, p], slope[:, q]) for p, q in PAIRS], axis=1)
    rows, columns = np.repeat(corners, 3, axis=1), np.tile(corners, 3)
    pattern = csr(rows, columns, problem.x.size)
    tables = (corners.astype(np.uint32), stiffness, slots(pattern, rows, columns))
    return Limit({"numba": lambda x, data: _write(x, data, *tables)}, pattern, tables)
