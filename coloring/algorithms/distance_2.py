"""Greedy distance-2 coloring: neighbours, and neighbours of a common neighbour, get different colors.

It is a partial distance-2 coloring whose nets are the closed neighborhoods: each vertex with its neighbours.
"""

from __future__ import annotations

from coloring.adjacency import AdjacencyGraph
from coloring.algorithms.partial_distance_2 import color_nets
from coloring.demand import Colors, Demand, given_colors
from coloring.distances import ClosedNeighborhoods
from coloring.pattern import Index


def first_fit(graph: AdjacencyGraph, order: Index, demand: Demand) -> Colors:
    """Color the vertices in the given order, each with the smallest color that no vertex within distance 2 has.

    Raises
    ------
    ValueError
        If two vertices within distance 2 are given the same color.

    References
    ----------
    McCormick: Optimal approximation of sparse Hessians and its equivalence to a graph coloring problem, Mathematical
    Programming 26, 1983; Gebremedhin, Manne and Pothen, SIAM Review 47(4), 2005, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from coloring.adjacency import symmetric_graph
    >>> from coloring.demand import EVERYTHING
    >>> from coloring.pattern import as_pattern
    >>> path = symmetric_graph(as_pattern(([0, 1, 3, 4], [1, 0, 2, 1], (3, 3))), "color")
    >>> first_fit(path, np.array([0, 1, 2]), EVERYTHING).tolist()
    [0, 1, 2]
    """
    colors = given_colors(demand, graph.num_vertices, "vertex")
    return color_nets(ClosedNeighborhoods(graph), order, colors, None, ("vertex", "the neighborhood of vertex"))
