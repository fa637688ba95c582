"""Incidence-degree order: next comes a vertex with most neighbours among those that came before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from coloring.degrees import bound_neighbors, longest_walked
from coloring.neighbor_lists import list_neighbors
from coloring.orders.buckets import draw

if TYPE_CHECKING:
    from coloring.neighborhoods import Neighborhood
    from coloring.pattern import Index


def order(graph: Neighborhood, seed: int) -> Index:
    """Draw by decreasing number of neighbours drawn; at the start of each component, one with the largest nets.

    Neighbours in nets of all vertices, and in nets too long to be walked, do not count.

    References
    ----------
    Coleman and Moré: Estimation of sparse Jacobian matrices and graph coloring problems, SIAM Journal on Numerical
    Analysis 20(1), 1983.
    """
    bounds = bound_neighbors(graph)
    start = np.argsort(bounds, kind="stable").astype(graph.dtype)
    highest = min(int(bounds.max(initial=0)), max(graph.num_vertices - 1, 0))
    # Fewest neighbours missing is most neighbours drawn, when the same number is missing at the start.
    missing = np.full(graph.num_vertices, highest, dtype=graph.dtype)
    del bounds
    longest = longest_walked(graph)
    return draw(graph, start, missing, -1, highest, list_neighbors(graph, longest=longest), longest)
