"""A cantilever: a lattice of springs that is held at its left end; large deformations."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bench.families.family import Family, Floats, Problem, start

STIFFNESS = 50.0
SLENDERNESS = 4


def lattice(height: int, length: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ends of the springs between neighbours in a row, in a column, and across each square."""
    node = np.arange(height * length).reshape(length, height)
    pairs = [(node[:-1], node[1:]), (node[:, :-1], node[:, 1:])]
    pairs += [(node[:-1, :-1], node[1:, 1:]), (node[:-1, 1:], node[1:, :-1])]
    one, other = (np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1))
    order = np.lexsort((other, one))
    return one[order], other[order]


def make(n: int) -> Problem:
    """About n unknowns, two for each free node."""
    height = max(math.isqrt(n // (2 * SLENDERNESS)), 2)
    length = max(n // (2 * height), 2) + 1
    one, other = lattice(height, length)
    rest = np.stack(np.divmod(np.arange(height * length), height), axis=1).astype(float)
    natural = np.sqrt(np.sum((rest[other] - rest[one]) ** 2, axis=1))
    free = np.arange(height, height * length)
    load = np.tile([0.0, -0.01], (free.size, 1))

    def balance(u: Floats) -> Floats:
        place = rest.copy()
        place[free] += u.reshape(-1, 2)
        along = place[other] - place[one]
        distance = np.sqrt(np.sum(along**2, axis=1))
        tension = STIFFNESS * (distance / natural - 1.0)
        pull = (tension / distance)[:, np.newaxis] * along
        force = np.zeros_like(place)
        np.add.at(force, one, pull)
        np.add.at(force, other, -pull)
        residual: Floats = (force[free] + load).ravel()
        return residual

    data = {"one": one, "other": other, "rest": rest, "natural": natural, "fixed": height, "stiffness": STIFFNESS}
    return Problem(balance, start(2 * free.size, -0.1, 0.1), {**data, "load": load})


FAMILY = Family("springs", "a cantilever of springs, large deformations, np.add.at", make)
