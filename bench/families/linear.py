"""A linear function: convection and diffusion on a square, five points."""

from __future__ import annotations

import numpy as np

from bench.families.family import Family, Floats, Problem, side, start

WIND = (3.0, -2.0)


def make(n: int) -> Problem:
    """About n grid points."""
    m = side(n)
    h = 1.0 / (m + 1)

    def transport(x: Floats) -> Floats:
        u = np.pad(x.reshape(m, m), 1)
        up, down, left, right, here = u[:-2, 1:-1], u[2:, 1:-1], u[1:-1, :-2], u[1:-1, 2:], u[1:-1, 1:-1]
        diffusion = (up + down + left + right - 4.0 * here) / h**2
        return (diffusion - WIND[0] * (down - up) / (2.0 * h) - WIND[1] * (right - left) / (2.0 * h)).ravel()

    return Problem(transport, start(m * m), {"m": m, "h": h, "wind": WIND})


FAMILY = Family("linear", "convection and diffusion, linear in x", make)
