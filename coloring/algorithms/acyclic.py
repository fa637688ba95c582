"""Greedy acyclic coloring: each vertex in turn gets the smallest color with which no cycle has two colors.

Every two colors induce a forest, whose trees are kept as disjoint sets. A color closes a cycle when two neighbours of
one color belong to one tree of that color and theirs. A vertex keeps a tree once for each color of its neighbours,
however many have it, and only those neighbours are asked whose color is met twice: a hub costs as many steps as it sees
colors, and not as it has neighbours. Time O(entries * colors) at worst, memory O(entries).

References
----------
Gebremedhin, Tarafdar, Manne and Pothen: New acyclic and star coloring algorithms with application to computing
Hessians, SIAM Journal on Scientific Computing 29(3), 2007, algorithm 3.1 (whose colors these are, with a member of a
tree for each vertex and color met, where there is one for each edge).
"""

from __future__ import annotations

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.algorithms import acyclic_sets
from coloring.algorithms.acyclic_kernels import color_by_trees
from coloring.algorithms.symmetric import Near, extend
from coloring.compiled import python_pays, run, unsigned
from coloring.demand import EVERYTHING, Colors, Demand
from coloring.pattern import Index

# Work for an entry, in the visits that `compiled.SMALL` counts: Python needs about a microsecond.
VISITS = 10


def first_fit(graph: AdjacencyGraph, order: Index, demand: Demand = EVERYTHING) -> Colors:
    """Color the vertices in the given order; colors are numbered from 0.

    Vertices that no wanted entry needs are neutral, and given colors stay.

    Raises
    ------
    ValueError
        If the given colors are not an acyclic coloring of their vertices; the message names two vertices.

    Examples
    --------
    >>> from coloring.adjacency import symmetric_graph
    >>> from coloring.pattern import as_pattern
    >>> path = symmetric_graph(as_pattern(([0, 1, 3, 5, 6], [1, 0, 2, 1, 3, 2], (4, 4))), "color")
    >>> first_fit(path, np.array([0, 1, 2, 3])).tolist()
    [0, 1, 0, 1]
    """
    return extend(graph, order, demand, _paint, _explain)


def _paint(graph: AdjacencyGraph, order: Index, colors: Colors) -> int:
    """Color in place; return a vertex whose given color breaks the rule, or -1."""
    n = graph.num_vertices
    if int(colors.max(initial=-1)) < 0 and python_pays(color_by_trees, VISITS * graph.entries):
        listed = colors.tolist()
        acyclic_sets.fill(graph.around, order.tolist(), listed)
        colors[:] = listed
        return -1
    dtype = np.int32 if max(3 * graph.entries, 4 * n) < 2**31 else np.int64
    records = np.zeros((n, 4), dtype=dtype)
    records[:, 0], records[:, 1] = -1, graph.ptr[:-1]
    most = max(n, int(colors.max(initial=0))) + 1
    taken, twice, homes = (np.full(most, -1, dtype=dtype) for _ in range(3))
    structure = (unsigned(graph.ptr), unsigned(graph.neighbors), unsigned(order))
    trees = (records.ravel(), np.empty(3 * graph.entries, dtype=dtype))
    done = run(color_by_trees, VISITS * graph.entries, *structure, *trees, taken, twice, homes, colors)
    return int(order[-1 - done]) if done < 0 else -1


def _explain(near: Near, colors: dict[int, int], vertex: int) -> str:
    """Find a cycle of two colors through the vertex."""
    for start in near(vertex):
        pair, seen, todo = {colors[vertex], colors[start]}, {vertex, start}, [start]
        while todo:
            fresh = [x for x in near(todo.pop()) if colors[x] in pair and x not in seen]
            seen.update(fresh)
            todo += fresh
        for other in near(vertex):
            if other in seen and other != start:
                both = f"vertices {start} and {other} both have color {colors[start]}"
                return f"{both}, on a cycle of two colors through vertex {vertex}"
    raise AssertionError("the given colors are an acyclic coloring")
