"""Solvers and data structures of plain Python inside f: sweeps, eliminations, trees, caches, generators."""

from __future__ import annotations

import math
from collections import defaultdict, namedtuple
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any

import numpy as np

from cases import Collector
from oracles import Array

collect = Collector()


@collect(20)
def gauss_seidel_sweeps(z: Array) -> Any:
    """Two in-place sweeps over a grid whose interior is unknown."""
    u = np.zeros((6, 7))
    u[1:-1, 1:-1] = z.reshape(4, 5)
    for _ in range(2):
        for i in range(1, 5):
            for j in range(1, 6):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]) + 0.01 * u[i, j] ** 2
    return u[1:-1, 1:-1].ravel()[:-1]


@collect(18)
def red_black_relaxation(z: Array) -> Any:
    """Half sweeps on strided slices, fixed ends."""
    u = np.concatenate([[1.0], z, [0.0]])
    for start in (1, 2, 1):
        u[start:-1:2] += 0.8 * (0.5 * (u[start - 1 : -2 : 2] + u[start + 1 :: 2][: u[start:-1:2].size]) - u[start:-1:2])
    return u[1:-1]


def thomas(lower: Any, diagonal: Any, upper: Any, right: Any) -> Any:
    """Solve a tridiagonal system in the manner of textbooks."""
    n = len(right)
    c, d = np.zeros(n - 1), np.zeros(n)
    c[0], d[0] = upper[0] / diagonal[0], right[0] / diagonal[0]
    for i in range(1, n):
        pivot = diagonal[i] - lower[i - 1] * c[i - 1]
        if i < n - 1:
            c[i] = upper[i] / pivot
        d[i] = (right[i] - lower[i - 1] * d[i - 1]) / pivot
    for i in reversed(range(n - 1)):
        d[i] -= c[i] * d[i + 1]
    return d


@collect(9, 0.2, 1.0)
def implicit_heat_step(t: Array) -> Any:
    """Conductivities from the old temperatures, the new ones by elimination."""
    k = 1.0 + t**2
    face = 0.5 * (k[1:] + k[:-1])
    diagonal = np.ones_like(t)
    diagonal[:-1] += face
    diagonal[1:] += face
    return thomas(-face, diagonal, -face, t)[1:]


@collect(14, 0.1, 1.0)
def cyclic_reduction(z: Array) -> Any:
    """Seven equations, log2 levels, couplings unknown."""
    a, b, c, r = z[:7].copy(), np.full(7, 4.0), z[:7][::-1].copy(), z[7:].copy()
    a[0] = c[-1] = 0.0
    h = 1
    while h < 7:
        na, nb, nc, nr = np.zeros(7), b.copy(), np.zeros(7), r.copy()
        for i in range(7):
            if i - h >= 0:
                alpha = -a[i] / b[i - h]
                na[i] = alpha * a[i - h]
                nb[i] += alpha * c[i - h]
                nr[i] += alpha * r[i - h]
            if i + h < 7:
                gamma = -c[i] / b[i + h]
                nc[i] = gamma * c[i + h]
                nb[i] += gamma * a[i + h]
                nr[i] += gamma * r[i + h]
        a, b, c, r = na, nb, nc, nr
        h *= 2
    return (r / b)[1:]


TREE = {0: [1, 2], 1: [3, 4], 2: [5], 5: [6, 7, 8]}


@collect(9, 0.3, 1.5)
def river_tree(q: Array) -> Any:
    """Flows gathered from the leaves by recursion, losses on each branch."""
    losses: dict[int, Any] = {}

    def flow(node: int) -> Any:
        total = q[node] + sum(flow(child) for child in TREE.get(node, []))
        losses[node] = 0.1 * total * abs(total)
        return total - losses[node]

    outlet = flow(0)
    return np.array([outlet, *(losses[k] for k in sorted(losses))])


@lru_cache
def _binomial(n: int, k: int) -> int:
    return 1 if k in (0, n) else _binomial(n - 1, k - 1) + _binomial(n - 1, k)


@collect(12, -1.0, 1.0)
def bezier_surface(z: Array) -> Any:
    """Bernstein polynomials with memoised binomials of integers."""
    control, out = z.reshape(3, 4), []
    for u in (0.2, 0.5, 0.9):
        for v in (0.0, 0.3):
            point = 0.0
            for i in range(3):
                for j in range(4):
                    bu = _binomial(2, i) * u**i * (1 - u) ** (2 - i)
                    bv = _binomial(3, j) * v**j * (1 - v) ** (3 - j)
                    point += bu * bv * control[i, j]
            out.append(math.sin(point))
    return out


def _segments(points: Any) -> Iterator[tuple[Any, Any]]:
    for a, b in pairwise(points):
        if isinstance(a, np.ndarray) and len(a) == 2:
            yield a, b - a


@collect((6, 2))
def polyline_energy(p: Array) -> Any:
    """A pipeline of generators over rows; lengths, turns, and a shoelace area."""
    steps = [d for _, d in _segments(p)]
    lengths = [np.sqrt(d @ d + 0.1) for d in steps]
    turns = (a[0] * b[1] - a[1] * b[0] for a, b in pairwise(steps))
    area = sum(a[0] * d[1] - a[1] * d[0] for a, d in _segments(p)) / 2
    return np.fromiter(chain(lengths, turns, [area]), dtype=float)


Cell = namedtuple("Cell", "left right")


@collect(11, branches=True)
def adaptive_refinement(u: Array) -> Any:
    """Cells are split where the jump is large: a worklist that depends on values."""
    cells = [Cell(i, i + 1) for i in range(10)]
    out = []
    while cells:
        cell = cells.pop()
        jump = u[cell.right] - u[cell.left]
        if abs(jump) > 1.0:
            middle = 0.5 * (u[cell.left] + u[cell.right])
            out.append(middle**2)
        out.append(jump * u[cell.left])
    return np.array(out)


@collect(8, 0.2, 2.0, branches=True)
def guarded_helper(x: Array) -> Any:
    """try / except around a helper that raises, early return, a while ... else."""

    def checked_log(v: Any) -> Any:
        if v < 0.5:
            raise ValueError(f"too small: {v:.3g}")
        return math.log(v)

    out = []
    for v in x[:-1]:
        try:
            out.append(checked_log(v) * x[-1])
        except ValueError:
            out.append(v - 1.0)
    k = 0
    while k < 3:
        if x[k] > 1.9:
            return np.array(out)
        k += 1
    else:
        out.append(x[0] * x[7])
    return np.array(out)


@collect(9, -1.0, 1.0)
def preallocated_pipeline(x: Array) -> Any:
    """Every step by out= into two work arrays."""
    a, b = np.empty(7), np.empty(7)
    np.subtract(x[2:], x[:-2], out=a)
    np.multiply(a, a, out=b)
    np.add(b, 1.0, out=b)
    np.sqrt(b, out=b)
    np.divide(a, b, out=a)
    np.multiply(a, x[1:-1], a)
    np.exp(a, out=b, where=np.arange(7) % 2 == 0)
    b[1::2] = a[1::2]
    out = np.zeros(6)
    np.add(b[1:], b[:-1], out=out)
    return out


@collect(10, -1.0, 1.0)
def grouped_sums(x: Array) -> Any:
    """Groups in a defaultdict of lists, means and weighted counts."""
    groups = defaultdict(list)
    for i, v in enumerate(x):
        groups["abc"[i * i % 3]].append(v)
    means = {name: sum(vs) / len(vs) for name, vs in groups.items()}
    weights = np.bincount(np.arange(10) % 4, weights=x**2)
    return np.array([*means.values(), *weights])


@collect(12, -1.0, 1.0)
def power_iteration(z: Array) -> Any:
    """A few normalised steps with an unknown symmetric matrix, Rayleigh's quotient."""
    m = z[:9].reshape(3, 3)
    m = 0.5 * (m + m.T) + 3.0 * np.eye(3)
    v = z[9:] + 2.0
    for _ in range(4):
        v = m @ v
        v /= np.linalg.norm(v)
    return np.append(v, v @ m @ v)


@collect(6, -1.0, 1.0)
def log_sum_exp_smoothing(x: Array) -> Any:
    """Smooth maxima of windows, shifted by the largest element."""
    out = []
    for k in range(4):
        window = x[k : k + 3]
        top = window.max()
        out.append(top + np.log(np.sum(np.exp(5.0 * (window - top)))) / 5.0)
    return out


@collect(8, -1.0, 1.0)
def object_of_vectors(x: Array) -> Any:
    """A small vector class with operators, holding traced numbers."""

    class Vec:
        def __init__(self, *c: Any) -> None:
            self.c = c

        def __add__(self, other: Any) -> Any:
            return Vec(*(a + b for a, b in zip(self.c, other.c, strict=True)))

        def __mul__(self, k: Any) -> Any:
            return Vec(*(a * k for a in self.c))

        __rmul__ = __mul__

        def dot(self, other: Any) -> Any:
            return sum(a * b for a, b in zip(self.c, other.c, strict=True))

    vs = [Vec(*pair) for pair in x.reshape(4, 2)]
    total = vs[0]
    for k, v in enumerate(vs[1:], 1):
        total = total + k * v
    return [total.dot(v) for v in vs[:3]]
