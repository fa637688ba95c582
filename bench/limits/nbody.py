"""Bodies: a symmetric 3 x 3 block for each pair, row by row of the dense matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.limits.limit import Limit, csr, kernel

STRIDE = 320
"""Between the six numbers of a pair: a constant, so that the compiler sees that they do not overlap. No fewer than
there are bodies."""


@kernel
def _pairs(places: Any, mass: Any, blocks: Any, i: int, softening: float) -> None:
    """Six numbers for each symmetric block beside body i: xx, xy, xz, yy, yz, zz, but for the other body's mass."""
    x, y, z = places[i], places[STRIDE + i], places[2 * STRIDE + i]
    for j in range(mass.size):
        dx, dy, dz = places[j] - x, places[STRIDE + j] - y, places[2 * STRIDE + j] - z
        inverse = 1.0 / (dx * dx + dy * dy + dz * dz + softening)
        along = inverse * math.sqrt(inverse)
        across = -3.0 * along * inverse
        blocks[j] = along + across * dx * dx
        blocks[STRIDE + j] = across * dx * dy
        blocks[2 * STRIDE + j] = across * dx * dz
        blocks[3 * STRIDE + j] = along + across * dy * dy
        blocks[4 * STRIDE + j] = across * dy * dz
        blocks[5 * STRIDE + j] = along + across * dz * dz


@kernel
def _add(sums: Any, block: Any, mass: float) -> None:
    for j in range(block.size):
        sums[j] += mass * block[j]


@kernel
def _line(mass: Any, x: Any, y: Any, z: Any, row: Any) -> None:
    for j in range(mass.size):
        row[3 * j] = mass[j] * x[j]
        row[3 * j + 1] = mass[j] * y[j]
        row[3 * j + 2] = mass[j] * z[j]


@kernel
def _write(x: Any, data: Any, mass: Any, places: Any, blocks: Any, sums: Any, softening: float) -> None:
    count, n = mass.size, x.size
    one, two, three = blocks[:STRIDE], blocks[STRIDE : 2 * STRIDE], blocks[2 * STRIDE : 3 * STRIDE]
    four, five, six = blocks[3 * STRIDE : 4 * STRIDE], blocks[4 * STRIDE : 5 * STRIDE], blocks[5 * STRIDE :]
    sums[:] = 0.0
    for j in range(count):
        places[j], places[STRIDE + j], places[2 * STRIDE + j] = x[3 * j], x[3 * j + 1], x[3 * j + 2]
    for i in range(count):
        _pairs(places, mass, blocks, i, softening)
        for k in range(6):
            blocks[k * STRIDE + i] = 0.0
            _add(sums[k * STRIDE : k * STRIDE + count], blocks[k * STRIDE : k * STRIDE + count], mass[i])
        rows = data[3 * i * n : 3 * (i + 1) * n]
        _line(mass, one, two, three, rows[:n])
        _line(mass, two, four, five, rows[n : 2 * n])
        _line(mass, three, five, six, rows[2 * n :])
    for i in range(count):
        _own(data[3 * i * (n + 1) :], n, sums[i:])


@kernel
def _own(block: Any, n: int, sums: Any) -> None:
    """Write what the other blocks of three rows leave for the one on the diagonal."""
    block[0], block[1], block[2] = -sums[0], -sums[STRIDE], -sums[2 * STRIDE]
    block[n], block[n + 1], block[n + 2] = -sums[STRIDE], -sums[3 * STRIDE], -sums[4 * STRIDE]
    block[2 * n], block[2 * n + 1], block[2 * n + 2] = -sums[2 * STRIDE], -sums[4 * STRIDE], -sums[5 * STRIDE]


def make(problem: Problem) -> Limit:
    """Write three dense rows for each body; sum the blocks of all bodies side by side: no addition waits."""
    n = problem.x.size
    rows, columns = np.divmod(np.arange(n * n), n)
    mass, softening = problem.data["mass"], problem.data["softening"]
    if mass.size > STRIDE:
        raise ValueError(f"{mass.size} bodies, more than {STRIDE}")
    places, blocks, sums = np.empty(3 * STRIDE), np.empty(6 * STRIDE), np.empty(6 * STRIDE)

    def write(x: Floats, data: Floats) -> None:
        _write(x, data, mass, places, blocks, sums, softening)

    return Limit({"numba": write}, csr(rows, columns, n), (mass,))
