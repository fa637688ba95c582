"""Greedy distance-1 coloring: neighbours get different colors."""

from __future__ import annotations

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.compiled import Ints, run
from coloring.demand import Colors, Demand, given_colors
from coloring.pattern import Index


def first_fit(graph: AdjacencyGraph, order: Index, demand: Demand) -> Colors:
    """Color the vertices in the given order, each with the smallest color that no neighbour has; O(vertices + edges).

    Raises
    ------
    ValueError
        If two neighbours are given the same color.

    References
    ----------
    Gebremedhin, Manne and Pothen: What color is your Jacobian? Graph coloring for computing derivatives, SIAM Review
    47(4), 2005, section 4.

    Examples
    --------
    >>> from coloring.adjacency import symmetric_graph
    >>> from coloring.demand import EVERYTHING
    >>> from coloring.pattern import as_pattern
    >>> path = symmetric_graph(as_pattern(([0, 1, 3, 4], [1, 0, 2, 1], (3, 3))), "color")
    >>> first_fit(path, np.array([0, 1, 2]), EVERYTHING).tolist()
    [0, 1, 0]
    """
    colors = given_colors(demand, graph.num_vertices, "vertex")
    if demand.fixed is not None:
        _check_given(graph, colors)
    # No vertex needs a color beyond its degree; higher given ones disturb nobody.
    holders = np.full(int(graph.degrees.max(initial=0)) + 1, -1, dtype=graph.ptr.dtype)
    run(_color, graph.entries, graph.ptr, graph.neighbors, order, holders, colors)
    return colors


def _color(ptr: Ints, neighbors: Ints, order: Ints, holders: Ints, colors: Ints) -> None:
    """Fill `colors` where they are -1; `holders` says for each color which vertex saw it last at a neighbour."""
    for place in range(len(order)):
        vertex = order[place]
        if colors[vertex] >= 0:
            continue
        for k in range(ptr[vertex], ptr[vertex + 1]):
            color = colors[neighbors[k]]
            if 0 <= color < len(holders):
                holders[color] = vertex
        color = 0
        while holders[color] == vertex:
            color += 1
        colors[vertex] = color


def _check_given(graph: AdjacencyGraph, colors: Colors) -> None:
    owners = np.repeat(np.arange(graph.num_vertices), graph.degrees)
    clash = np.flatnonzero((colors[owners] >= 0) & (colors[owners] == colors[graph.neighbors]))
    if clash.size:
        one, other = owners[clash[0]], graph.neighbors[clash[0]]
        raise ValueError(
            f"color: got color {colors[one]} for vertices {one} and {other}, which are neighbours; "
            "give them different colors, or leave one of them to be colored with -1"
        )
