"""Greedy star coloring: each vertex in turn gets the smallest color with which no path on four vertices has two colors.

Vertices keep sets of colors as bits, so that a vertex asks each of its neighbours once and no path is walked: time
O(entries * colors / 63) and memory O(entries), where the walk over distance-2 neighbours needs O(sum of squared
degrees).

References
----------
Gebremedhin, Tarafdar, Manne and Pothen: New acyclic and star coloring algorithms with application to computing
Hessians, SIAM Journal on Scientific Computing 29(3), 2007, algorithm 4.1 (whose colors these are, found by sets instead
of a walk).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from coloring import compiled as compiling
from coloring.adjacency import AdjacencyGraph
from coloring.algorithms import star_sets
from coloring.algorithms.star_kernels import BITS, color_by_bits, color_by_words
from coloring.algorithms.symmetric import Near, extend
from coloring.compiled import compiled, pays, unsigned
from coloring.demand import EVERYTHING, Colors, Demand
from coloring.pattern import Index

# Work for an entry, in the visits that `compiled.SMALL` counts: Python needs about a microsecond.
VISITS = 10
# Room for further words is made for so large a part of the entries at a time.
ROOM = 16


def first_fit(graph: AdjacencyGraph, order: Index, demand: Demand = EVERYTHING, ahead: bool = False) -> Colors:
    """Color the vertices in the given order; colors are numbered from 0.

    Vertices that no wanted entry needs are neutral, and given colors stay. With `ahead`, neighbours of a vertex that
    has no color yet all get different ones: where a few vertices have most neighbours and come first, this takes fewer
    colors in the end (Gebremedhin et al. 2007, algorithm 4.1, as it is for paths with an uncolored vertex inside).

    Raises
    ------
    ValueError
        If the given colors are not a star coloring of their vertices; the message names two vertices.

    Examples
    --------
    >>> from coloring.adjacency import symmetric_graph
    >>> from coloring.pattern import as_pattern
    >>> path = symmetric_graph(as_pattern(([0, 1, 3, 5, 6], [1, 0, 2, 1, 3, 2], (4, 4))), "color")
    >>> first_fit(path, np.array([0, 1, 2, 3])).tolist()
    [0, 1, 0, 2]
    """
    return extend(graph, order, demand, partial(_paint, ahead), _explain)


def _paint(ahead: bool, graph: AdjacencyGraph, order: Index, colors: Colors) -> int:
    """Color in place; return a vertex whose given color breaks the rule, or -1."""
    arguments = (unsigned(graph.neighbors), unsigned(order))
    pays_off = pays(color_by_bits, VISITS * graph.entries, compiling.SMALL, arguments)
    if not pays_off:
        listed = colors.tolist()
        wrong = star_sets.fill(graph.around, order.tolist(), ahead, listed)
        colors[:] = listed
        return wrong
    done = _by_words(ahead, graph, order, colors)
    return int(order[-1 - done]) if done < 0 else -1


def _by_words(ahead: bool, graph: AdjacencyGraph, order: Index, colors: Colors) -> int:
    """Color with one word of 63 bits for a set; where that is too short, with as many as each vertex needs."""
    n = graph.num_vertices
    records = np.zeros(4 * n, dtype=np.int64)
    records[3::4] = -1
    structure, order = (unsigned(graph.ptr), unsigned(graph.neighbors)), unsigned(order)
    done: int = compiled(color_by_bits)(*structure, order, ahead, records, BITS, colors)
    if done < 0 or done == len(order):
        return done
    most = max(n, int(colors.max(initial=0)) + 1)  # a new color is below the number of vertices
    heads, top = np.zeros(n, dtype=np.int64), np.array([n])
    firsts = np.zeros(graph.entries, dtype=graph.neighbors.dtype)
    scratch = tuple(np.zeros(most // BITS + 2, dtype=np.int64) for _ in range(3))
    while True:
        room = max(graph.entries // ROOM, int(graph.degrees[order[done]]))
        records.resize(4 * (int(top[0]) + room), refcheck=False)
        more: int = compiled(color_by_words)(
            *structure, order[done:], ahead, records, heads, top, firsts, *scratch, colors
        )
        if more < 0:
            return more - done
        done += more
        if done == len(order):
            return done


def _explain(near: Near, colors: dict[int, int], vertex: int) -> str:
    """Find a path on four vertices with two colors, which the vertex ends or not."""
    for second in near(vertex):
        for third in near(second):
            if third == vertex or colors[third] != colors[vertex]:
                continue
            for fourth in (*near(third), *near(vertex)):
                if fourth != second and colors[fourth] == colors[second]:
                    both = f"vertices {vertex} and {third} both have color {colors[vertex]}"
                    return f"{both}, on a path with {second} and {fourth}, both of color {colors[second]}"
    raise AssertionError("the given colors are a star coloring")
