"""Coupled oscillators on a power-law network: few nodes with very many neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.families.family import Family, Floats, Problem, start

LINKS = 3


def attach(n: int) -> npt.NDArray[np.int64]:
    """Edges of a graph that grows by preferential attachment: each new node links to the ends of random edges."""
    rng = np.random.default_rng(3)
    sources = np.repeat(np.arange(1, n), LINKS)
    edge = np.arange(sources.size)
    earlier = rng.integers(0, edge + 1)
    at_source = rng.random(sources.size) < 0.5
    copied = np.where(at_source | (earlier == edge), edge, earlier)
    while not np.array_equal(copied, copied[copied]):
        copied = copied[copied]
    found = sources[earlier]
    targets = np.where(at_source & (found < sources), found, 0)[copied]
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

    return Problem(oscillators, start(n, -2.0, 2.0), {"one": one, "other": other, "frequency": frequency})


FAMILY = Family("network", "oscillators on a power-law network", make)
