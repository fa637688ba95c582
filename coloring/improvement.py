"""Improvement: from a valid coloring to one of fewer colors, within a budget of work."""

from __future__ import annotations

from coloring.demand import Colors
from coloring.graphs import Graph
from coloring.problems import Problem


def improve(problem: Problem, graph: Graph, colors: Colors, enough: int, work: float, seed: int) -> Colors:
    """Look for a coloring of fewer colors; stop at `enough` of them.

    Parameters
    ----------
    problem : Problem
    graph : BipartiteGraph or AdjacencyGraph
    colors : array of int32
        Valid colors to start from; not changed.
    enough : int
        A lower bound.
    work : float
        Entries that may be visited. The result depends on this number and on the seed, never on the clock.
    seed : int
    """
    return colors
