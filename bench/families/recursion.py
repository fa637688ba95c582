"""One number that is updated once for each unknown, each time from the last: a deep chain of scalars."""

from __future__ import annotations

import math

import numpy as np

from bench.families.family import Family, Floats, Problem, start


def make(n: int) -> Problem:
    """Return the problem with n unknowns and one result."""
    h = 1.0 / n

    def chain(x: Floats) -> Floats:
        s = x[0]
        for i in range(1, n):
            s = s + h * x[i] * math.cos(s)
        return np.array([s])

    return Problem(chain, start(n), {"n": n, "h": h})


FAMILY = Family("recursion", "one deep chain of scalars, a Python loop", make, 10_000)
