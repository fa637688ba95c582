"""Ejection search: colorings with one color less, by colorings of all but a few vertices.

One class is dissolved, and its vertices are put into others, where they eject whatever stands in the way; those wait
for a place in turn. All that is colored obeys the rule of the problem at any time, so that the search is the same for
all problems but for one function, which lists what stands in the way.

References
----------
Blöchliger and Zufferey: A graph coloring heuristic using partial solutions and a reactive tabu scheme, Computers and
Operations Research 35(3), 2008, for proper colorings; Nagata and Bräysy: A powerful route minimization heuristic for
the vehicle routing problem with time windows, Operations Research Letters 37(5), 2009, for the weights.
"""

from __future__ import annotations

import numpy as np

from coloring.compiled import run
from coloring.demand import Colors
from coloring.improvement.ejection_kernels import search
from coloring.result import numbered
from coloring.search import Instance

# Turns without success after which a class is dissolved at random: for two-sided problems, and for others.
PATIENCE_TWO_SIDED, PATIENCE = 100, 200
# Work that takes Python as long as one of the visits that `compiled.SMALL` counts, as few searches use all they may.
SHARE = 6
# Elements of the largest table: vertices times colors.
LARGEST_TABLE = 2_000_000


def fits(num_vertices: int, num_colors: int) -> bool:
    """Whether the tables of a search are small enough."""
    return num_vertices * num_colors <= LARGEST_TABLE


def descend(instance: Instance, colors: Colors, enough: int, work: int, seed: int) -> tuple[Colors, int]:
    """Look for colorings of fewer colors, down to `enough`; return the last one found and the work that is left.

    Parameters
    ----------
    instance : Instance
    colors : array of int32
        A valid coloring; not changed.
    enough : int
    work : int
        Entries that may be visited.
    seed : int

    Examples
    --------
    >>> path = Instance(np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1]), -1, 0)
    >>> descend(path, np.array([0, 1, 2], dtype=np.int32), 2, 1000, 0)[0].tolist()
    [1, 0, 1]
    """
    best = numbered(colors, max(instance.num_rows, 0)).astype(np.int64)
    n, width = len(best), int(best.max(initial=-1)) + 1
    if width <= max(enough, 1):
        return colors, work
    per_vertex = [np.zeros(n, dtype=np.int64) for _ in range(8)]
    per_color = [np.zeros(width, dtype=np.int64) for _ in range(5)]
    counts = np.zeros(n * width if instance.rule else 0, dtype=np.int64)
    barred = np.zeros(n * (width + 1), dtype=np.int64)
    color, *others = per_vertex
    clock = np.zeros(2, dtype=np.int64)
    graph = (instance.rule, instance.ptr.astype(np.int64), instance.neighbors.astype(np.int64), instance.num_rows)
    patience = PATIENCE_TWO_SIDED if instance.num_rows >= 0 else PATIENCE
    limits = (enough, work, seed % 2**31, patience, width)
    left = run(search, work // SHARE, *graph, *limits, best, color, counts, barred, *others, clock, *per_color)
    return numbered(best, max(instance.num_rows, 0)), left
