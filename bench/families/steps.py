"""Twenty explicit time steps of a nonlinear stencil in one function."""

from __future__ import annotations

import numpy as np

from bench.families.family import Family, Floats, Problem, start

STEPS = 20
DIFFUSION = 0.2
ADVECTION = 0.1


def make(n: int) -> Problem:
    """Return the problem with n cells, zero beyond the ends."""

    def twenty_steps(x: Floats) -> Floats:
        u = x
        for _ in range(STEPS):
            padded = np.pad(u, 1)
            left, right = padded[:-2], padded[2:]
            u = u + DIFFUSION * (left - 2.0 * u + right) - ADVECTION * u * (right - left)
        return u

    return Problem(twenty_steps, start(n), {"n": n, "steps": STEPS, "diffusion": DIFFUSION, "advection": ADVECTION})


FAMILY = Family("steps", "twenty explicit time steps of a stencil", make, 100_000)
