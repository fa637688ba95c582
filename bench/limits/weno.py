"""WENO-5: six derivatives of the flux at each face, block by block of faces; rows are differences of two faces."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.limits.limit import Limit, csr, inlined, kernel, slots

BLOCK = 256
STRIDE = BLOCK + 1
"""Between the six derivatives of one face: a constant, so that the compiler sees that they do not overlap."""

REACH = 3

SIXTH, THIRD = 1.0 / 6.0, 1.0 / 3.0
"""Factors: no compiler may turn a division by six into one of them, and divisions are what takes time here."""


@inlined
def _partials(a: float, b: float, c: float, d: float, e: float, epsilon: float) -> Any:
    """Derivatives of the reconstruction by its five values."""
    s1, t1 = a - 2.0 * b + c, a - 4.0 * b + 3.0 * c
    s2, t2 = b - 2.0 * c + d, b - d
    s3, t3 = c - 2.0 * d + e, 3.0 * c - 4.0 * d + e
    r1 = 1.0 / (epsilon + 13.0 / 12.0 * s1 * s1 + 0.25 * t1 * t1)
    r2 = 1.0 / (epsilon + 13.0 / 12.0 * s2 * s2 + 0.25 * t2 * t2)
    r3 = 1.0 / (epsilon + 13.0 / 12.0 * s3 * s3 + 0.25 * t3 * t3)
    w1, w2, w3 = 0.1 * r1 * r1, 0.6 * r2 * r2, 0.3 * r3 * r3
    scale = 1.0 / (w1 + w2 + w3)
    w1, w2, w3 = w1 * scale, w2 * scale, w3 * scale
    q1 = SIXTH * (2.0 * a - 7.0 * b + 11.0 * c)
    q2 = SIXTH * (5.0 * c - b + 2.0 * d)
    q3 = SIXTH * (2.0 * c + 5.0 * d - e)
    mean = w1 * q1 + w2 * q2 + w3 * q3
    m1 = -2.0 * w1 * r1 * (q1 - mean)
    m2 = -2.0 * w2 * r2 * (q2 - mean)
    m3 = -2.0 * w3 * r3 * (q3 - mean)
    s1, s2, s3 = 13.0 / 6.0 * s1 * m1, 13.0 / 6.0 * s2 * m2, 13.0 / 6.0 * s3 * m3
    t1, t2, t3 = 0.5 * t1 * m1, 0.5 * t2 * m2, 0.5 * t3 * m3
    by_a = s1 + t1 + THIRD * w1
    by_b = -2.0 * s1 - 4.0 * t1 + s2 + t2 - 7.0 / 6.0 * w1 - SIXTH * w2
    by_c = s1 + 3.0 * t1 - 2.0 * s2 + s3 + 3.0 * t3 + 11.0 / 6.0 * w1 + 5.0 / 6.0 * w2 + THIRD * w3
    by_d = s2 - t2 - 2.0 * s3 - 4.0 * t3 + THIRD * w2 + 5.0 / 6.0 * w3
    by_e = s3 + t3 - SIXTH * w3
    return by_a, by_b, by_c, by_d, by_e


@kernel
def _faces(u: Any, g: Any, count: int, speed: float, epsilon: float, scale: float) -> None:
    """Derivatives of the flux by u[j] to u[j + 5], times the scale, for the faces j."""
    for j in range(count):
        u0, u1, u2, u3, u4, u5 = u[j], u[j + 1], u[j + 2], u[j + 3], u[j + 4], u[j + 5]
        p0, p1, p2 = 0.5 * u0 * (0.5 * u0 + speed), 0.5 * u1 * (0.5 * u1 + speed), 0.5 * u2 * (0.5 * u2 + speed)
        p3, p4 = 0.5 * u3 * (0.5 * u3 + speed), 0.5 * u4 * (0.5 * u4 + speed)
        q1, q2, q3 = 0.5 * u1 * (0.5 * u1 - speed), 0.5 * u2 * (0.5 * u2 - speed), 0.5 * u3 * (0.5 * u3 - speed)
        q4, q5 = 0.5 * u4 * (0.5 * u4 - speed), 0.5 * u5 * (0.5 * u5 - speed)
        a, b, c, d, e = _partials(p0, p1, p2, p3, p4, epsilon)
        v, w, x, y, z = _partials(q5, q4, q3, q2, q1, epsilon)
        half = 0.5 * scale
        g[j] = half * (u0 + speed) * a
        g[1 * STRIDE + j] = half * ((u1 + speed) * b + (u1 - speed) * z)
        g[2 * STRIDE + j] = half * ((u2 + speed) * c + (u2 - speed) * y)
        g[3 * STRIDE + j] = half * ((u3 + speed) * d + (u3 - speed) * x)
        g[4 * STRIDE + j] = half * ((u4 + speed) * e + (u4 - speed) * w)
        g[5 * STRIDE + j] = half * (u5 - speed) * v


@kernel
def _rows(g: Any, data: Any, count: int) -> None:
    for j in range(count):
        data[7 * j] = -g[j]
        data[7 * j + 1] = g[j + 1] - g[1 * STRIDE + j]
        data[7 * j + 2] = g[1 * STRIDE + j + 1] - g[2 * STRIDE + j]
        data[7 * j + 3] = g[2 * STRIDE + j + 1] - g[3 * STRIDE + j]
        data[7 * j + 4] = g[3 * STRIDE + j + 1] - g[4 * STRIDE + j]
        data[7 * j + 5] = g[4 * STRIDE + j + 1] - g[5 * STRIDE + j]
        data[7 * j + 6] = g[5 * STRIDE + j + 1]


@kernel
def _write(x: Any, data: Any, u: Any, g: Any, ends: Any, speed: float, epsilon: float, scale: float) -> None:
    n = x.size
    u[:3] = x[n - 3 :]
    u[3 : n + 3] = x
    u[n + 3 :] = x[:3]
    for start in range(0, n, BLOCK):
        count = min(BLOCK, n - start)
        _faces(u[start:], g, count + 1, speed, epsilon, scale)
        _rows(g, data[7 * start :], count)
    _sort_ends(data, ends, n)


@kernel
def _sort_ends(data: Any, ends: Any, n: int) -> None:
    """Bring the entries of the rows that reach over an end into the order of their columns."""
    row = np.empty(7)
    for k in range(ends.shape[0]):
        start = ends[k, 0]
        for t in range(7):
            row[t] = data[start + t]
        for t in range(7):
            data[ends[k, 1 + t]] = row[t]


def make(problem: Problem) -> Limit:
    """Work out each face once."""
    n, dx, speed, epsilon = (problem.data[name] for name in ("n", "dx", "speed", "epsilon"))
    if n <= 2 * REACH:
        raise ValueError(f"{n} cells, where the kernel needs {2 * REACH + 1}")
    i = np.arange(n)
    columns = (i[:, None] + np.arange(-REACH, REACH + 1)) % n
    pattern = csr(np.repeat(i, 7), columns, n)
    over = np.concatenate([i[:REACH], i[-REACH:]])
    places = slots(pattern, np.repeat(over, 7), columns[over].ravel()).reshape(-1, 7)
    ends = np.concatenate([(7 * over)[:, None], places], axis=1).astype(np.int64)
    u, g = np.empty(n + 6), np.empty(6 * STRIDE)

    def write(x: Floats, data: Floats) -> None:
        _write(x, data, u, g, ends, speed, epsilon, -1.0 / dx)

    return Limit({"numba": write}, pattern)
