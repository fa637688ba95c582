"""What greedy star and acyclic coloring share: given colors, and partial problems."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.algorithms import partial_distance_2
from coloring.bipartite import BipartiteGraph
from coloring.demand import Colors, Demand, given_colors
from coloring.distinct import distinct
from coloring.pattern import Index
from coloring.postprocessing import WantedEntries, count_used, drop_unread

# Fills the colors of the ordered vertices, keeping those that are 0 or more. Returns a vertex whose given color breaks
# the rule, or -1.
Paint: TypeAlias = Callable[[AdjacencyGraph, Index, Colors], int]
# The neighbours of a vertex among those of given color.
Near: TypeAlias = Callable[[int], list[int]]
# Says for people why the given colors break the rule at a vertex whose neighbours differ from it.
Explain: TypeAlias = Callable[[Near, dict[int, int], int], str]


def extend(graph: AdjacencyGraph, order: Index, demand: Demand, paint: Paint, explain: Explain) -> Colors:
    """Color what is demanded: all vertices, or those that wanted entries need, with given colors kept.

    Of a partial problem the better of two colorings is taken: one of the vertices with wanted entries, less the colors
    that none of these needs; and one of the columns in which one of each wanted entry and its mirror image stands.

    Raises
    ------
    ValueError
        If the given colors break the rule, of a partial problem both rules; the message names two vertices.
    """
    given = given_colors(demand, graph.num_vertices, "vertex")
    if demand.whole:
        return _colored(graph, order, given, paint, explain)
    entries = WantedEntries.of(graph, demand)

    def by_vertices() -> Colors:
        among = entries.touched | (given >= 0)
        return drop_unread(entries, _colored(graph, order[among[order]], given.copy(), paint, explain), given)

    def by_columns() -> Colors:
        columns = BipartiteGraph(graph.pattern, vertices_are_columns=True)
        return partial_distance_2.first_fit(columns, order, Demand(entries.one_sided, fixed=demand.fixed))

    found, refusals = [], []
    for way in (by_vertices, by_columns):
        try:
            found.append(way())
        except ValueError as refusal:  # given colors that are right one way may be wrong the other
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    return min(found, key=count_used)


def _colored(graph: AdjacencyGraph, order: Index, given: Colors, paint: Paint, explain: Explain) -> Colors:
    """Color the ordered vertices, those of given color first."""
    first = given[order] >= 0
    if not first.any():
        paint(graph, order, given)
        return given
    n = graph.num_vertices
    # No vertex needs a color of n or more: given ones are numbered from n on meanwhile, for tables to stay short.
    high = distinct(given[given >= n])
    colors = np.where(given < n, given, n + np.searchsorted(high, given)).astype(np.int32)
    wrong = paint(graph, np.concatenate([order[first], order[~first]]), colors)
    if wrong >= 0:
        reason = _conflict(graph, given, wrong, explain)
        raise ValueError(f"color: got fixed colors with a conflict: {reason}; give the two different colors")
    above = colors >= n
    colors[above] = high[colors[above] - n]
    return colors


def _conflict(graph: AdjacencyGraph, given: Colors, vertex: int, explain: Explain) -> str:
    """Word what is wrong with the given color of a vertex."""
    colors = {known: int(given[known]) for known in np.flatnonzero(given >= 0).tolist()}

    def near(v: int) -> list[int]:
        return [w for w in graph.neighbors[graph.ptr[v] : graph.ptr[v + 1]].tolist() if w in colors]

    for other in near(vertex):
        if colors[other] == colors[vertex]:
            return f"vertices {vertex} and {other} are neighbours and both have color {colors[vertex]}"
    return explain(near, colors, vertex)
