"""Chemical kinetics: a constant sparse matrix times the rates of reactions between two species each."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from bench.families.family import Family, Floats, Problem, start

REACTIONS = 2
"""For each species."""


def make(n: int) -> Problem:
    """Return the problem with n species."""
    rng = np.random.default_rng(7)
    count = REACTIONS * n
    a = np.concatenate([np.arange(n), rng.integers(0, n, count - n)])
    b, c, d = ((a + rng.integers(1, max(n // 3, 2), count)) % n for _ in range(3))
    speed = rng.uniform(0.5, 1.5, count)
    reaction = np.tile(np.arange(count), 4)
    signs = np.repeat([-1.0, -1.0, 1.0, 1.0], count)
    S = csr_array((signs, (np.concatenate([a, b, c, d]), reaction)), shape=(n, count))
    S.sum_duplicates()
    S.eliminate_zeros()

    def kinetics(x: Floats) -> Any:
        rates = speed * x[a] * x[b]
        return S @ rates

    return Problem(kinetics, start(n, 0.1, 1.0), {"S": S, "a": a, "b": b, "speed": speed})


FAMILY = Family("kinetics", "sparse matrix @ reaction rates", make)
