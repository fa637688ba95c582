"""Reductions: vertices that can be left out of a search, for there is always a color left for them.

A vertex of fewer than k neighbours has one in every proper coloring with k colors; one whose neighbours are all
neighbours of another vertex can take that one's; and a vertex of one neighbour is on no cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coloring.search import ACYCLIC, PROPER, Instance, Ints64

# Vertices up to which neighbourhoods are compared with each other.
COMPARED = 3000


@dataclass(frozen=True, eq=False)
class Reduction:
    """What is left to search, and how the rest is colored afterwards.

    Parameters
    ----------
    instance : Instance
        The whole.
    k : int
        Number of colors.
    kept : array of int64
        Vertices of `instance` left, in rising order.
    removed : list of (int, int)
        A vertex and the one whose color it takes, -1 if it takes the least color free; first removed comes first.
    """

    instance: Instance
    k: int
    kept: Ints64
    removed: list[tuple[int, int]]

    def restore(self, colors: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Color all vertices, given colors of those kept."""
        whole = np.full(self.instance.num_vertices, -1, dtype=np.int32)
        whole[self.kept] = colors
        for vertex, model in reversed(self.removed):
            taken = set(whole[self.instance.near(vertex)].tolist())
            whole[vertex] = whole[model] if model >= 0 else next(c for c in range(self.k) if c not in taken)
        return whole


def reduce(instance: Instance, k: int) -> Reduction:
    """Leave out what needs no search for a coloring with k colors (at least one; two if there is an edge).

    Examples
    --------
    A path can be taken away from its ends, or folded:

    >>> path = Instance(np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1]), -1, PROPER)
    >>> reduce(path, 2).restore(np.zeros(0, dtype=np.int32)).tolist()
    [0, 1, 0]
    """
    near = [set(neighbors) for neighbors in instance.lists]
    alive = set(range(instance.num_vertices))
    removed: list[tuple[int, int]] = []
    if not instance.two_sided and k >= 2:
        least = {PROPER: k, ACYCLIC: 2}.get(instance.rule, 0)
        _peel(near, alive, removed, least)
        while instance.rule == PROPER and len(alive) <= COMPARED and _fold(near, alive, removed):
            _peel(near, alive, removed, least)
    return Reduction(instance, k, np.array(sorted(alive), dtype=np.int64), removed)


def _peel(near: list[set[int]], alive: set[int], removed: list[tuple[int, int]], least: int) -> None:
    """Take vertices of fewer than `least` neighbours away, again and again."""
    waiting = sorted(vertex for vertex in alive if len(near[vertex]) < least)
    while waiting:
        vertex = waiting.pop()
        if vertex not in alive:
            continue
        waiting.extend(other for other in sorted(near[vertex]) if len(near[other]) == least)
        _remove(vertex, -1, near, alive, removed)


def _fold(near: list[set[int]], alive: set[int], removed: list[tuple[int, int]]) -> bool:
    """Take vertices away whose neighbours are among another's; whether there were any."""
    before = len(removed)
    for vertex in sorted(alive):
        # Such another is a neighbour of all of them; the neighbour of least degree has fewest to offer.
        via = min(near[vertex], key=lambda other: (len(near[other]), other), default=-1)
        for model in sorted(near[via]) if via >= 0 else ():
            if model != vertex and model not in near[vertex] and near[vertex] <= near[model]:
                _remove(vertex, model, near, alive, removed)
                break
    return len(removed) > before


def _remove(vertex: int, model: int, near: list[set[int]], alive: set[int], removed: list[tuple[int, int]]) -> None:
    alive.discard(vertex)
    removed.append((vertex, model))
    for other in near[vertex]:
        near[other].discard(vertex)
    near[vertex] = set()


def clique(instance: Instance) -> Ints64:
    """Grow a clique greedily from each vertex and keep the largest; the search begins there."""
    near = [set(neighbors) for neighbors in instance.lists]
    best: list[int] = []
    for start in range(instance.num_vertices):
        members, candidates = [start], near[start]
        while candidates and len(members) + len(candidates) > len(best):
            newest = max(sorted(candidates), key=lambda vertex: len(near[vertex]))
            members.append(newest)
            candidates = candidates & near[newest]
        if not candidates and len(members) > len(best):
            best = members
    return np.array(best, dtype=np.int64)
