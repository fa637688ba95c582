"""Deep compositions of invertible maps: tridiagonal, lower triangular."""

from __future__ import annotations

import numpy as np

from bench.families.family import Floats, Problem, start


def tridiagonal(n: int, depth: int) -> Problem:
    """So many maps of n numbers, each a nonlinear function of a number and its neighbours."""

    def chain(x: Floats) -> Floats:
        for _ in range(depth):
            ends = np.concatenate([[0.0], x, [0.0]])
            x = x + 0.2 * np.sin(x) + 0.1 * np.tanh(ends[:-2]) - 0.1 * ends[2:] * x / (1.0 + x * x)
        return x

    return Problem(chain, start(n, 0.0, 0.5), {"depth": depth})


def triangular(n: int, depth: int) -> Problem:
    """So many maps of n numbers, each a nonlinear function of a number and the one before it."""

    def chain(x: Floats) -> Floats:
        for _ in range(depth):
            y = x + 0.05 * np.sin(x)
            y[1:] += 0.2 * x[:-1] / (1.0 + x[:-1] ** 2)
            x = y
        return x

    return Problem(chain, start(n, 0.0, 0.5), {"depth": depth})


def root(n: int, depth: int) -> Problem:
    """A deep composition of which a root is looked for."""
    given = tridiagonal(n, depth)
    goal = given.f(start(n, 0.1, 0.3))
    return Problem(lambda x: given.f(x) - goal, start(n, 0.0, 0.4), {"depth": depth})
