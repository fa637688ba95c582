"""Coupled oscillators on a power-law network: few nodes with very many neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.families.family import Family, Floats, Problem, start

LINKS = 3


def attach(n: int) -> npt.NDArray[np.int64]:
    """Edges of a graph that grows by preferential attachment: each new node links to the ends of random edges."""
    rng = np.random.default_rng(3)
    targets = np.zeros((n - 1) * LINKS, dtype=np.int64)
    sources = np.repeat(np.arange(1, n), LINKS)
    for k in range(targets.size):
        at = int(rng.integers(0, k + 1))
        end = sources[at] if rng.random() < 0.5 else targets[at]
        targets[k] = end if end < sources[k] else 0
    return np.unique(np.stack([sources, targets], axis=1), axis=0)


def make(n: int) -> Problem:
    """Return the problem with n oscillators."""
    one, other = attach(n).T
    frequency = start(n)

    def oscillators(phase: Floats) -> Floats:
        pull = np.sin(phase[other] - phase[one])
        towards = np.bincount(one, weights=pull, minlength=n)
        back = np.bincount(other, weights=pull, minlength=n)
        return frequency + 0.7 * (towards - back)

    return Problem(oscillators, start(n, -2.0, 2.0))


FAMILY = Family("network", "oscillators on a power-law network", make)
