"""Nonlinear diffusion by linear finite elements on triangles, assembled with np.add.at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.families.family import Family, Floats, Problem, side, start


def triangles(m: int) -> npt.NDArray[np.int64]:
    """Corners of the triangles of an m by m grid, two for each square, squares in random order."""
    node = np.arange(m * m).reshape(m, m)
    a, b, c, d = node[:-1, :-1].ravel(), node[:-1, 1:].ravel(), node[1:, :-1].ravel(), node[1:, 1:].ravel()
    corners = np.concatenate([np.stack([a, b, c], axis=1), np.stack([d, c, b], axis=1)])
    return np.random.default_rng(4).permutation(corners)


def gradients(points: Floats, corners: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Gradients of the three hat functions on each triangle, and the triangles' areas."""
    p, q, r = (points[corners[:, k]] for k in range(3))
    edges = np.stack([r - q, p - r, q - p], axis=1)
    twice = (q - p)[:, 0] * (r - p)[:, 1] - (q - p)[:, 1] * (r - p)[:, 0]
    turned = np.stack([-edges[:, :, 1], edges[:, :, 0]], axis=2)
    return turned / twice[:, None, None], np.abs(twice) / 2.0


def make(n: int) -> Problem:
    """About n nodes."""
    m = side(n)
    axis = np.linspace(0.0, 1.0, m)
    inside = start(2 * m * m, -0.2, 0.2).reshape(-1, 2) / (m - 1)
    points = np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 2) + inside
    corners = triangles(m)
    slope, area = gradients(points, corners)

    def residual(u: Floats) -> Floats:
        local = u[corners]
        gradient = np.einsum("ek,ekd->ed", local, slope)
        mean = (local[:, 0] + local[:, 1] + local[:, 2]) / 3.0
        conductivity = (1.0 + mean**2) * area
        flux = conductivity[:, None] * gradient
        r = np.zeros(u.size)
        np.add.at(r, corners, np.einsum("ed,ekd->ek", flux, slope))
        return r

    return Problem(residual, start(m * m), {"corners": corners, "slope": slope, "area": area})


FAMILY = Family("finite_elements", "triangles in random order, np.add.at", make)
