"""Broyden's tridiagonal function, in whole arrays and as a Python loop over scalars."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array, diags_array

from bench.families.family import Family, Floats, Problem, start


def make(n: int) -> Problem:
    """Return the problem with n unknowns, in whole arrays."""

    def broyden(x: Floats) -> Floats:
        y = (3.0 - 2.0 * x) * x + 1.0
        y[1:] -= x[:-1]
        y[:-1] -= 2.0 * x[1:]
        return y

    return Problem(broyden, start(n), {"n": n})


def make_loop(n: int) -> Problem:
    """Return the same as a loop."""

    def broyden(x: Floats) -> Floats:
        y = np.zeros(n)
        for i in range(n):
            y[i] = (3 - 2 * x[i]) * x[i] + 1
            if i > 0:
                y[i] -= x[i - 1]
            if i < n - 1:
                y[i] -= 2 * x[i + 1]
        return y

    return Problem(broyden, start(n), {"n": n})


def closed_form(x: Floats) -> csr_array:
    """Return the Jacobian, derived by hand."""
    ones = np.ones(x.size - 1)
    diagonals: Any = [-ones, 3.0 - 4.0 * x, -2.0 * ones]
    return csr_array(diags_array(diagonals, offsets=[-1, 0, 1]))


FAMILY = Family("broyden", "tridiagonal, in whole arrays", make)
LOOP = Family("broyden_loop", "tridiagonal, a Python loop over scalars", make_loop, 100_000)
