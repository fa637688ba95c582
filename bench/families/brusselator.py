"""The Brusselator: two species on a periodic square grid."""

from __future__ import annotations

import numpy as np

from bench.families.family import Family, Floats, Problem, side, start


def make(n: int) -> Problem:
    """About n unknowns, two at each grid point."""
    m = side(n // 2)
    diffusion = 0.02 * m**2

    def laplacian(u: Floats) -> Floats:
        neighbours = np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1)
        return diffusion * (neighbours - 4.0 * u)

    def brusselator(y: Floats) -> Floats:
        u, v = y.reshape(2, m, m)
        reaction = u * u * v
        du = 1.0 + reaction - 4.4 * u + laplacian(u)
        dv = 3.4 * u - reaction + laplacian(v)
        return np.stack([du, dv]).ravel()

    return Problem(brusselator, start(2 * m * m, 0.5, 1.5), {"m": m, "diffusion": diffusion})


FAMILY = Family("brusselator", "two species, periodic stencil by np.roll", make)
