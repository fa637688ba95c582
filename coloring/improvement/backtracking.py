"""Backtracking with restarts: exhaustive searches for one color less, a long one and short ones from other vertices.

How long such a search takes depends on its first choices more than on anything else, so that one of many short ones
may find a coloring long before. If any of them is over before its limit, there is none.

References
----------
Gomes, Selman and Kautz: Boosting combinatorial search through randomization, AAAI 1998.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coloring.compiled import SMALL
from coloring.demand import Colors
from coloring.search import Instance
from coloring.search.decision import Search
from coloring.search.kernel import REFUTED

# Visits in the first round; each round has twice as many, as long as no compiler is needed.
FIRST_VISITS = 20_000


@dataclass(frozen=True, eq=False)
class Attempt:
    """What came out.

    Parameters
    ----------
    colors : array of int32 or None
        A coloring, if one was found.
    refuted : bool
        Whether there is none.
    left : int
        Visits that were not made.
    """

    colors: Colors | None
    refuted: bool
    left: int


def backtrack(instance: Instance, k: int, mirrored: bool, work: int, seed: int) -> Attempt:
    """Look for a coloring with k colors.

    Parameters
    ----------
    instance : Instance
    k : int
    mirrored : bool
        Whether rows and columns of a two-sided problem may change places, as those of a symmetric pattern.
    work : int
        Entries that may be visited.
    seed : int

    Examples
    --------
    >>> triangle = Instance(np.array([0, 2, 4, 6]), np.array([1, 2, 0, 2, 0, 1]), -1, 0)
    >>> backtrack(triangle, 2, False, 1000, 0).refuted
    True
    """
    random = np.random.default_rng(seed % 2**64)
    cases = [(Search(instance, *split), split) for split in _splits(instance, k, mirrored)]
    length = FIRST_VISITS
    while cases:
        for long, split in cases:
            start = random.integers(0, instance.num_vertices, 1)
            for search in (long, Search(instance, *split, start)):
                if work <= 0:
                    return Attempt(None, refuted=False, left=0)
                before = search.visits
                found = search.advance(min(length, work))
                work -= found.visits - before
                if found.colors is not None:
                    return Attempt(found.colors, refuted=False, left=max(work, 0))
                if found.refuted:
                    long.status = REFUTED
                    break
        cases = [(long, split) for long, split in cases if long.status != REFUTED]
        length = min(2 * length, SMALL)
    return Attempt(None, refuted=True, left=max(work, 0))


def _splits(instance: Instance, k: int, mirrored: bool) -> list[tuple[int, int]]:
    """List the numbers of row colors and column colors, the most even first; one side has all of them."""
    if not instance.two_sided:
        return [(k, 0)]
    splits = [(rows, k - rows) for rows in range(k // 2 + 1 if mirrored else k + 1)]
    return sorted(splits, key=lambda split: abs(split[0] - split[1]))
