"""Bratu's equation on a square: lap(u) + lam * exp(u) = 0, five-point stencil, u = 0 on the rim."""

from __future__ import annotations

import numpy as np

from bench.families.family import Family, Floats, Problem, side, start

LAMBDA = 6.0


def make(n: int) -> Problem:
    """About n grid points."""
    m = side(n)
    inverse_h2 = float(m + 1) ** 2

    def bratu(x: Floats) -> Floats:
        u = np.zeros((m + 2, m + 2))
        u[1:-1, 1:-1] = x.reshape(m, m)
        residual = np.zeros((m, m))
        residual[:, :] = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * u[1:-1, 1:-1]
        residual *= inverse_h2
        residual += LAMBDA * np.exp(u[1:-1, 1:-1])
        return residual.ravel()

    return Problem(bratu, start(m * m), {"m": m, "inverse_h2": inverse_h2, "lam": LAMBDA})


def make_edges(n: int) -> Problem:
    """Return the same with one update in place for each neighbour, and no rim: less memory, a faster f."""
    m = side(n)
    inverse_h2 = float(m + 1) ** 2

    def bratu(x: Floats) -> Floats:
        u = x.reshape(m, m)
        residual = np.zeros((m, m))
        residual[:] = -4.0 * u
        residual[1:] += u[:-1]
        residual[:-1] += u[1:]
        residual[:, 1:] += u[:, :-1]
        residual[:, :-1] += u[:, 1:]
        residual *= inverse_h2
        residual += LAMBDA * np.exp(u)
        return residual.ravel()

    return Problem(bratu, start(m * m), {"m": m, "inverse_h2": inverse_h2, "lam": LAMBDA})


FAMILY = Family("bratu", "five-point stencil, zeros with a rim and one slice assignment", make)
EDGES = Family("bratu_edges", "five-point stencil, zeros and one slice assignment for each neighbour", make_edges)
