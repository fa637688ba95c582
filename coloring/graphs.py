"""The graph of a problem, by the vertices that it colors."""

from __future__ import annotations

from typing import TypeAlias

from coloring.adjacency import AdjacencyGraph, symmetric_graph, two_sided_graph
from coloring.bipartite import BipartiteGraph
from coloring.pattern import Pattern
from coloring.problems import Problem

Graph: TypeAlias = BipartiteGraph | AdjacencyGraph


def build_graph(problem: Problem, pattern: Pattern, call: str, threads: int = 1) -> Graph:
    """Build what algorithms, orders and bounds of a problem work on.

    Raises
    ------
    ValueError
        If the problem asks for a symmetric pattern and this one is not.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> from coloring.problems import PROBLEMS
    >>> pattern = as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3)))
    >>> [build_graph(PROBLEMS[name], pattern, "color").num_vertices for name in ("column", "row", "star_bicoloring")]
    [3, 2, 5]
    """
    if problem.symmetric:
        return symmetric_graph(pattern, call)
    if problem.two_sided:
        return two_sided_graph(pattern)
    return BipartiteGraph(pattern, problem.vertices == "columns", threads)
