"""The residuals of Rosenbrock's function in many dimensions, as a Python loop over scalars."""

from __future__ import annotations

import numpy as np

from bench.families.family import Family, Floats, Problem, start


def make(n: int) -> Problem:
    """About n unknowns, in pairs."""
    pairs = n // 2

    def rosenbrock(x: Floats) -> Floats:
        y = np.zeros(2 * pairs)
        for i in range(pairs):
            y[2 * i] = 10.0 * (x[2 * i + 1] - x[2 * i] ** 2)
            y[2 * i + 1] = 1.0 - x[2 * i]
        return y

    return Problem(rosenbrock, start(2 * pairs), {"pairs": pairs})


FAMILY = Family("rosenbrock", "pairs of residuals, a Python loop over scalars", make, 100_000)
