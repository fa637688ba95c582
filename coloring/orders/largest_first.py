"""Largest-first order: vertices with many distance-2 neighbours before those with few."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from coloring.degrees import bound_neighbors, count_neighbors, too_long

if TYPE_CHECKING:
    from coloring.bipartite import BipartiteGraph
    from coloring.pattern import Index


def order(graph: BipartiteGraph, seed: int) -> Index:
    """By decreasing distance-2 degree (or a bound of it, see `degrees`); equal ones as they are numbered.

    References
    ----------
    Welsh and Powell: An upper bound for the chromatic number of a graph, The Computer Journal 10(1), 1967; with
    distance-2 degrees as in Gebremedhin, Nguyen, Patwary and Pothen: ColPack, ACM TOMS 40(1), 2013.
    """
    long = too_long(graph, graph.net_sizes)
    degrees = bound_neighbors(graph, graph.net_sizes) if long else count_neighbors(graph)
    return cast("Index", np.argsort(-degrees, kind="stable").astype(graph.pattern.indices.dtype))
