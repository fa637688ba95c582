"""Greedy star bicoloring."""

from __future__ import annotations

from coloring.adjacency import AdjacencyGraph
from coloring.demand import Colors, Demand
from coloring.pattern import Index


def first_fit(graph: AdjacencyGraph, order: Index, demand: Demand) -> Colors:
    """Color the rows and columns in the given order; row colors are numbered before column colors, -1 is neutral."""
    import numpy as np

    from coloring.algorithms import partial_distance_2
    from coloring.bipartite import BipartiteGraph
    from coloring.demand import EVERYTHING

    columns = BipartiteGraph(graph.pattern, vertices_are_columns=True)
    colors = partial_distance_2.first_fit(columns, order[order >= graph.num_rows] - graph.num_rows, EVERYTHING)
    return np.concatenate([np.full(graph.num_rows, -1, dtype=np.int32), colors])
