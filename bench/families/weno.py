"""Burgers' equation by fifth-order WENO finite differences, Lax-Friedrichs splitting, periodic."""

from __future__ import annotations

import numpy as np

from bench.families.family import Family, Floats, Problem, start

SPEED = 2.0
EPSILON = 1e-6


def reconstruct(a: Floats, b: Floats, c: Floats, d: Floats, e: Floats) -> Floats:
    """Value at the right face of the cell of c, from five cells (Jiang and Shu 1996)."""
    first = 13.0 / 12.0 * (a - 2.0 * b + c) ** 2 + 0.25 * (a - 4.0 * b + 3.0 * c) ** 2
    second = 13.0 / 12.0 * (b - 2.0 * c + d) ** 2 + 0.25 * (b - d) ** 2
    third = 13.0 / 12.0 * (c - 2.0 * d + e) ** 2 + 0.25 * (3.0 * c - 4.0 * d + e) ** 2
    left = 0.1 / (EPSILON + first) ** 2
    middle = 0.6 / (EPSILON + second) ** 2
    right = 0.3 / (EPSILON + third) ** 2
    by_left = (2.0 * a - 7.0 * b + 11.0 * c) / 6.0
    by_middle = (-b + 5.0 * c + 2.0 * d) / 6.0
    by_right = (2.0 * c + 5.0 * d - e) / 6.0
    return (left * by_left + middle * by_middle + right * by_right) / (left + middle + right)


def make(n: int) -> Problem:
    """Return the problem with n cells."""
    dx = 1.0 / n

    def burgers(u: Floats) -> Floats:
        flux = 0.5 * u * u
        p = 0.5 * (flux + SPEED * u)
        q = 0.5 * (flux - SPEED * u)
        rightwards = reconstruct(np.roll(p, 2), np.roll(p, 1), p, np.roll(p, -1), np.roll(p, -2))
        leftwards = reconstruct(np.roll(q, -3), np.roll(q, -2), np.roll(q, -1), q, np.roll(q, 1))
        face = rightwards + leftwards
        return -(face - np.roll(face, 1)) / dx

    return Problem(burgers, start(n), {"n": n, "dx": dx, "speed": SPEED, "epsilon": EPSILON})


FAMILY = Family("weno", "Burgers' equation, WENO-5, periodic by np.roll", make)
