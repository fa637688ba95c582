"""Dynamic-largest-first order: next comes a vertex with most neighbours among those that are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coloring.degrees import count_neighbors, too_long
from coloring.neighbor_lists import list_neighbors
from coloring.orders import largest_first
from coloring.orders.buckets import draw

if TYPE_CHECKING:
    from coloring.neighborhoods import Neighborhood
    from coloring.pattern import Index


def order(graph: Neighborhood, seed: int) -> Index:
    """Draw by decreasing degree in the graph of those left; largest first where walks over the nets would be too long.

    References
    ----------
    Gebremedhin, Nguyen, Patwary and Pothen: ColPack: Software for graph coloring and related problems in scientific
    computing, ACM TOMS 40(1), 2013, section 4.
    """
    if too_long(graph, graph.net_sizes):
        return largest_first.order(graph, seed)
    lists = list_neighbors(graph)
    degrees = count_neighbors(graph) if lists is None else lists.degrees
    highest = int(degrees.max(initial=0))
    missing = highest - degrees
    del degrees
    # Vertices that are neighbours of all others are so to the end, and nets of all vertices tell nothing.
    start = np.arange(graph.num_vertices - 1, -1, -1, dtype=graph.dtype)
    return draw(graph, start, missing, 1, highest, lists)
