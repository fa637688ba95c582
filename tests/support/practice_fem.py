"""Finite elements, trusses and frames: loops over elements, scatters, constant sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cases import Collector
from oracles import Array

collect = Collector()

TRIANGLES = np.array(
    [[0, 1, 4], [1, 5, 4], [1, 2, 5], [2, 6, 5], [2, 3, 6], [3, 7, 6], [4, 5, 8], [5, 9, 8], [5, 6, 9]]
)
NODES = np.array([[i % 4 + 0.1 * (i // 4), i // 4 + 0.05 * (i % 3)] for i in range(10)], dtype=float)
BARS = [(0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4), (3, 5), (4, 5)]
JOINTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.1], [1.1, 1.0], [2.0, 0.0], [2.1, 0.9]])


def neighbours(elements: Any, nodes: int) -> NDArray[np.bool_]:
    """Nodes that share an element."""
    incidence = np.zeros((len(elements), nodes), dtype=bool)
    for e, members in enumerate(elements):
        incidence[e, list(members)] = True
    return incidence.T @ incidence


def _gradients(triangle: Array) -> tuple[Array, float]:
    """Gradients of the three hat functions, and the area."""
    (x0, y0), (x1, y1), (x2, y2) = triangle
    area = 0.5 * ((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))
    return np.array([[y1 - y2, x2 - x1], [y2 - y0, x0 - x2], [y0 - y1, x1 - x0]]) / (2 * area), area


@collect(10, structure=lambda: neighbours(TRIANGLES, 10))
def p_laplacian(u: Array) -> Any:
    """A power of the gradient as conductivity, element matrices in a list."""
    local = []
    for nodes in TRIANGLES:
        grad, area = _gradients(NODES[nodes])
        slope = grad.T @ u[nodes]
        local.append(area * (0.1 + slope @ slope) ** 0.25 * (grad @ grad.T))
    r = np.zeros_like(u)
    for nodes, k in zip(TRIANGLES, local, strict=True):
        r[nodes] += k @ u[nodes]
    return r - 0.1


@collect(10, structure=lambda: neighbours(TRIANGLES, 10))
def lumped_reaction_add_at(u: Array) -> Any:
    """All elements at once: gather, einsum, np.add.at."""
    grads, areas = zip(*(_gradients(NODES[t]) for t in TRIANGLES), strict=True)
    g, a = np.array(grads), np.array(areas)
    ue = u[TRIANGLES]
    stiff = np.einsum("eia,eja,ej,e->ei", g, g, ue, a * (1.0 + ue.mean(axis=1) ** 2))
    out = np.zeros(10)
    np.add.at(out, TRIANGLES, stiff + (a / 3)[:, None] * np.sin(ue))
    return out


@collect(12, -0.2, 0.2)
def truss_by_hypot(d: Array) -> Any:
    """Large displacements of pin-jointed bars: hypot, cosines, sparse equilibrium."""
    pos = JOINTS + d.reshape(6, 2)
    forces = np.zeros((6, 2))
    for a, b in BARS:
        dx, dy = pos[b] - pos[a]
        length = np.hypot(dx, dy)
        rest = np.hypot(*(JOINTS[b] - JOINTS[a]))
        c, s = dx / length, dy / length
        tension = 10.0 * (length / rest - 1.0)
        forces[a] += tension * np.array([c, s])
        forces[b] -= tension * np.array([c, s])
    fixed = {0: 0.0, 1: 0.0}
    res = forces.reshape(-1)
    for dof, value in fixed.items():
        res[dof] = d[dof] - value
    return res[:-1]


@collect(12, -0.3, 0.3)
def corotational_frame(q: Array) -> Any:
    """Plane beams: angle by arctan2, rotation matrix of each element, 3 x 3 local stiffness."""
    x0 = np.array([[0.0, 0.0], [1.0, 0.2], [2.0, 0.0], [3.0, 0.5]])
    q = q.reshape(4, 3)
    total = np.zeros(12)
    for e in range(3):
        rest = x0[e + 1] - x0[e]
        now = rest + q[e + 1, :2] - q[e, :2]
        l0, length = np.linalg.norm(rest), np.linalg.norm(now)
        beta = np.arctan2(now[1], now[0]) - np.arctan2(rest[1], rest[0])
        angle = np.arctan2(now[1], now[0])
        c, s = np.cos(angle), np.sin(angle)
        t1, t2 = q[e, 2] - beta, q[e + 1, 2] - beta
        n = 50.0 * (length - l0) / l0
        m1, m2 = (4 * t1 + 2 * t2) / l0, (2 * t1 + 4 * t2) / l0
        v = (m1 + m2) / length
        rotation = np.array([[c, -s], [s, c]])
        end = rotation @ np.array([n, -v])
        total[3 * e : 3 * e + 6] += np.hstack([-end, m1, end, m2])
    return total[3:]


@collect(9)
def bar_with_sparse_operators(u: Array) -> Any:
    """Strain by a constant sparse matrix, nonlinear stress, its transpose back."""
    n = u.size
    b = sp.diags_array([1.0, -1.0], offsets=[0, -1], shape=(n + 1, n)).tocsr() * n
    strain = b @ u
    stress = strain / np.sqrt(1 + strain**2) + 0.1 * strain
    return (b.T @ stress / n - np.linspace(0.0, 1.0, n))[:-1]


@collect(9, structure=lambda: neighbours([(i, i + 1, i + 2) for i in (0, 2, 4, 6)], 9)[1:])
def quadratic_elements_by_quadrature(u: Array) -> Any:
    """Gauss points in a loop, shape functions as polynomials."""
    points, weights = np.polynomial.legendre.leggauss(3)
    h = 0.25
    r = np.zeros(9)
    for e in range(4):
        dofs = [2 * e, 2 * e + 1, 2 * e + 2]
        for xi, w in zip(points, weights, strict=True):
            shape = np.array([xi * (xi - 1) / 2, 1 - xi**2, xi * (xi + 1) / 2])
            slope = np.array([xi - 0.5, -2 * xi, xi + 0.5]) * 2 / h
            value, gradient = shape @ u[dofs], np.dot(slope, u[dofs])
            r[dofs] += w * h / 2 * ((1 + value**2) * gradient * slope - np.cos(value) * shape)
    return r[1:]


@collect((4, 3, 2), -0.15, 0.15)
def neo_hookean_patch(d: Array) -> Any:
    """Deformation gradients of all quads at their centres, determinant and inverse by np.linalg."""
    x0 = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0), indexing="ij"), axis=-1)
    x = x0 + d
    ex = 0.5 * (x[1:, 1:] - x[:-1, 1:] + x[1:, :-1] - x[:-1, :-1])
    ey = 0.5 * (x[1:, 1:] - x[1:, :-1] + x[:-1, 1:] - x[:-1, :-1])
    f = np.stack([ex, ey], axis=-1)
    j = np.linalg.det(f)
    inverse_t = np.swapaxes(np.linalg.inv(f), -1, -2)
    p = f + (2.0 * np.log(j) - 1.0)[..., None, None] * inverse_t
    force = np.zeros_like(x)
    for a, sx in ((0, -1), (1, 1)):
        for b, sy in ((0, -1), (1, 1)):
            force[a : a + 3, b : b + 2] += 0.5 * (sx * p[..., 0] + sy * p[..., 1])
    return force[1:].reshape(-1)


@collect(8, -1.0, 1.0, probes=12)
def obstacle_by_penalty(u: Array) -> Any:
    """A membrane above an obstacle: the positive part of the gap, constant stiffness as csc."""
    n = u.size
    k = sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n), format="csc") * (n + 1)
    obstacle = 0.3 * np.sin(np.linspace(0, 3, n))
    gap = obstacle - u
    contact = 40.0 * np.heaviside(gap, 0.5) * gap
    return k.dot(u) - contact + 1.0 / (n + 1)
