"""Bodies: a 3 x 3 block for each pair, row by row of the dense matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.limits.limit import Limit, csr, kernel

STRIDE = 1024
"""Between the five numbers of a pair: a constant, so that the compiler sees that they do not overlap."""


@kernel
def _pairs(places: Any, mass: Any, work: Any, x: float, y: float, z: float, softening: float) -> None:
    """Distances of all bodies from one, and the two weights of each block."""
    for j in range(mass.size):
        dx, dy, dz = places[j] - x, places[STRIDE + j] - y, places[2 * STRIDE + j] - z
        inverse = 1.0 / (dx * dx + dy * dy + dz * dz + softening)
        along = mass[j] * inverse * math.sqrt(inverse)
        work[j] = dx
        work[STRIDE + j] = dy
        work[2 * STRIDE + j] = dz
        work[3 * STRIDE + j] = along
        work[4 * STRIDE + j] = -3.0 * along * inverse


@kernel
def _line(work: Any, row: Any, axis: int, i: int, count: int) -> None:
    """One row of the matrix; the block on the diagonal is what the others leave."""
    x, y, z = 0.0, 0.0, 0.0
    first, others = work[axis * STRIDE :], work
    for j in range(count):
        across = others[4 * STRIDE + j] * first[j]
        row[3 * j] = across * others[j]
        row[3 * j + 1] = across * others[STRIDE + j]
        row[3 * j + 2] = across * others[2 * STRIDE + j]
    for j in range(count):
        row[3 * j + axis] += others[3 * STRIDE + j]
    row[3 * i], row[3 * i + 1], row[3 * i + 2] = 0.0, 0.0, 0.0
    for j in range(count):
        x += row[3 * j]
        y += row[3 * j + 1]
        z += row[3 * j + 2]
    row[3 * i], row[3 * i + 1], row[3 * i + 2] = -x, -y, -z


@kernel
def _write(x: Any, data: Any, mass: Any, places: Any, work: Any, softening: float) -> None:
    count = mass.size
    n = 3 * count
    for j in range(count):
        places[j], places[STRIDE + j], places[2 * STRIDE + j] = x[3 * j], x[3 * j + 1], x[3 * j + 2]
    for i in range(count):
        _pairs(places, mass, work, x[3 * i], x[3 * i + 1], x[3 * i + 2], softening)
        for axis in range(3):
            _line(work, data[(3 * i + axis) * n : (3 * i + axis + 1) * n], axis, i, count)


def make(problem: Problem) -> Limit:
    """Write three dense rows for each body."""
    n = problem.x.size
    rows, columns = np.divmod(np.arange(n * n), n)
    mass, softening = problem.data["mass"], problem.data["softening"]
    places, work = np.empty(3 * STRIDE), np.empty(5 * STRIDE)

    def write(x: Floats, data: Floats) -> None:
        _write(x, data, mass, places, work, softening)

    return Limit({"numba": write}, csr(rows, columns, n), (mass,))
