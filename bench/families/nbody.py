"""Bodies that all attract each other: a dense Jacobian."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Family, Floats, Problem, start

SOFTENING = 0.01


def make(n: int) -> Problem:
    """About n unknowns, three for each body."""
    bodies = max(n // 3, 2)
    mass = start(bodies, 0.5, 1.5)

    def accelerations(x: Floats) -> Any:
        place = x.reshape(-1, 3)
        apart = place[np.newaxis, :, :] - place[:, np.newaxis, :]
        square = np.sum(apart**2, axis=2) + SOFTENING
        weight = mass / (square * np.sqrt(square))
        return np.sum(weight[:, :, np.newaxis] * apart, axis=1).ravel()

    return Problem(accelerations, start(3 * bodies), {"mass": mass, "softening": SOFTENING})


FAMILY = Family("nbody", "all pairs of bodies, dense", make, 900)
