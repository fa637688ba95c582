"""An arrowhead: one dense row and one dense column beside the diagonal, so that no one-sided coloring helps."""

from __future__ import annotations

import numpy as np

from bench.families.family import Family, Floats, Problem, start


def make(n: int) -> Problem:
    """Return the problem with n unknowns."""

    def arrowhead(x: Floats) -> Floats:
        y = np.zeros(n)
        y[1:] = x[1:] ** 3 + x[0] * x[1:]
        y[0] = np.sum(x * x)
        return y

    return Problem(arrowhead, start(n), {"n": n})


FAMILY = Family("arrowhead", "one dense row and one dense column", make)
