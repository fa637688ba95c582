"""Greedy coloring: each vertex in turn gets the smallest color that none of its nets holds yet.

Each net keeps the set of its colors as bits, so that a vertex asks each of its nets once, and pairs of vertices never
meet: time O(entries * colors / 64) and memory O(entries), where the walk over distance-2 neighbours needs
O(sum of squared net sizes).

References
----------
Gebremedhin, Manne and Pothen: What color is your Jacobian? Graph coloring for computing derivatives, SIAM Review 47(4),
2005, algorithm 3.1 (whose colors these are, found by sets instead of a walk).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coloring.algorithms.partial_distance_2_kernels import color_below_64, color_beyond_64
from coloring.compiled import compiled
from coloring.demand import EVERYTHING, Colors, Demand

from coloring.bipartite import BipartiteGraph

if TYPE_CHECKING:
    from coloring.pattern import Index

# Entries up to which Python's integers as sets of colors answer sooner than numba is imported.
SMALL = 50_000


def first_fit(graph: BipartiteGraph, order: Index, demand: Demand = EVERYTHING) -> Colors:
    """Color the vertices in the given order; colors are numbered from 0.

    Examples
    --------
    >>> from coloring.pattern import as_pattern
    >>> graph = BipartiteGraph(as_pattern(([0, 2, 4], [0, 1, 1, 2], (2, 3))), vertices_are_columns=True)
    >>> first_fit(graph, np.array([0, 1, 2])).tolist()
    [0, 1, 0]
    """
    if graph.entries <= SMALL:
        return _first_fit_by_integers(graph, order)
    return _first_fit_by_words(graph, order)


def _first_fit_by_integers(graph: BipartiteGraph, order: Index) -> Colors:
    """Color with Python integers, whose bits are the colors of a net."""
    pointers, nets = graph.vertex_ptr.tolist(), graph.vertex_nets.tolist()
    used = [0] * graph.num_nets
    colors = [0] * graph.num_vertices
    for vertex in order.tolist():
        mine = nets[pointers[vertex] : pointers[vertex + 1]]
        taken = 0
        for net in mine:
            taken |= used[net]
        lowest = ~taken & (taken + 1)
        for net in mine:
            used[net] |= lowest
        colors[vertex] = lowest.bit_length() - 1
    return np.array(colors, dtype=np.int32)


def _first_fit_by_words(graph: BipartiteGraph, order: Index) -> Colors:
    """Color with words of 64 bits: one for the first colors of a net, a list of others where they are needed."""
    colors = np.zeros(graph.num_vertices, dtype=np.int32)
    used = np.zeros(graph.num_nets, dtype=np.uint64)
    done = compiled(color_below_64)(graph.vertex_ptr, graph.vertex_nets, order, used, colors)
    if done == len(order):
        return colors
    dtype = graph.pattern.indices.dtype
    words, masks = np.empty(graph.entries, dtype=np.int32), np.empty(graph.entries, dtype=np.uint64)
    counts, floors = np.zeros(graph.num_nets, dtype=dtype), np.ones(graph.num_nets, dtype=np.int32)
    taken = np.zeros(graph.num_vertices // 64 + 2, dtype=np.uint64)
    structure = (graph.vertex_ptr, graph.vertex_nets, graph.net_ptr, order)
    compiled(color_beyond_64)(*structure, done, used, words, masks, counts, floors, taken, colors)
    return colors
