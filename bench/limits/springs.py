"""Springs: one symmetric 2 x 2 block each, off the diagonal twice, and subtracted on the diagonal of both ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.families.family import Problem
from bench.limits.limit import Limit, Table, csr, kernel, slots


@kernel
def _block(dx: float, dy: float, shortness: float, stiffness: float) -> Any:
    """Derivative of the pull by the distance vector: xx, xy, yy. The shortness is one over the natural length."""
    inverse = 1.0 / math.sqrt(dx * dx + dy * dy)
    along = stiffness * (shortness - inverse)
    across = stiffness * inverse * (inverse * inverse)
    return along + across * dx * dx, across * dx * dy, along + across * dy * dy


@kernel
def _subtract(data: Any, first: int, second: int, xx: float, xy: float, yy: float) -> None:
    data[first] -= xx
    data[first + 1] -= xy
    data[second] -= xy
    data[second + 1] -= yy


@kernel
def _store(data: Any, first: int, second: int, xx: float, xy: float, yy: float) -> None:
    data[first] = xx
    data[first + 1] = xy
    data[second] = xy
    data[second + 1] = yy


@kernel
def _write(
    u: Any, data: Any, one: Any, other: Any, dx: Any, dy: Any, shortness: Any, places: Any, fixed: int, stiffness: float
) -> None:
    data[:] = 0.0
    for e in range(one.size):
        a, b = np.int64(one[e]) - fixed, np.int64(other[e]) - fixed
        if b < 0:
            continue
        x, y = dx[e] + u[2 * b], dy[e] + u[2 * b + 1]
        if a >= 0:
            x -= u[2 * a]
            y -= u[2 * a + 1]
        xx, xy, yy = _block(x, y, shortness[e], stiffness)
        _subtract(data, places[e, 0], places[e, 1], xx, xy, yy)
        if a >= 0:
            _subtract(data, places[e, 2], places[e, 3], xx, xy, yy)
            _store(data, places[e, 4], places[e, 5], xx, xy, yy)
            _store(data, places[e, 6], places[e, 7], xx, xy, yy)


def make(problem: Problem) -> Limit:
    """Find the places of the four blocks of each spring; nodes that are held have none."""
    names = ("one", "other", "rest", "natural", "fixed", "stiffness")
    one, other, rest, natural, fixed, stiffness = (problem.data[name] for name in names)
    a, b = one - fixed, other - fixed
    both, some = (a >= 0) & (b >= 0), b >= 0
    rows = np.concatenate([b[some], a[both], a[both], b[both]])
    columns = np.concatenate([b[some], a[both], b[both], a[both]])
    local = np.arange(2)
    pattern = csr(
        (2 * rows[:, None, None] + local[:, None] + 0 * local).ravel(),
        (2 * columns[:, None, None] + 0 * local[:, None] + local).ravel(),
        problem.x.size,
    )
    places = np.zeros((one.size, 8), dtype=np.uint32)
    for k, (row, column, there) in enumerate([(b, b, some), (a, a, both), (a, b, both), (b, a, both)]):
        places[there, 2 * k : 2 * k + 2] = _rows_of(pattern, row[there], column[there])
    along = rest[other] - rest[one]
    ends = one.astype(np.uint32), other.astype(np.uint32)
    tables = (*ends, along[:, 0].copy(), along[:, 1].copy(), 1.0 / natural, places)
    return Limit({"numba": lambda x, data: _write(x, data, *tables, fixed, stiffness)}, pattern, tables)


def _rows_of(pattern: Any, row: npt.NDArray[np.int64], column: npt.NDArray[np.int64]) -> Table:
    """Where the two rows of each block begin."""
    return np.stack([slots(pattern, 2 * row + k, 2 * column) for k in (0, 1)], axis=1)
